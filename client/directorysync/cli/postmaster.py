"""PostgreSQL's `postmaster.pid`: who runs a data directory, and how to end a server that nobody owns any more."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

FAST_SECONDS = 30.0
IMMEDIATE_SECONDS = 10.0


class LockFile:
    """`postmaster.pid` of the data directory `data`. Lines: pid, directory, start time, port, socket directory, listen
    address, shared memory, status (PostgreSQL, miscadmin.h).
    """

    def __init__(self, data: Path) -> None:
        self._data = data
        self._path = data / "postmaster.pid"

    def exists(self) -> bool:
        """Whether a server runs, or was killed."""
        return self._path.exists()

    def pid(self) -> int | None:
        """Process id, None without a server."""
        text = self._line(1)
        return int(text) if text.isdecimal() else None

    def socket_directory(self) -> Path | None:
        """Where the server's unix socket is."""
        text = self._line(5)
        return Path(text) if text else None

    def is_ready(self) -> bool:
        """Whether the server accepts connections."""
        return self._line(8).startswith("ready")

    def stop_server(self) -> None:
        """Ends the server of this directory if one runs: fast, then at once. Removes a file whose process is gone, or
        is another program that has since been given the same id, which PostgreSQL alone could not tell apart.
        """
        pid = self.pid()
        if pid is None:
            return
        for number, patience in ((signal.SIGINT, FAST_SECONDS), (signal.SIGQUIT, IMMEDIATE_SECONDS)):
            if not self._runs(pid):
                break
            with suppress(ProcessLookupError):
                os.kill(pid, number)
            give_up = time.monotonic() + patience
            while self._runs(pid) and time.monotonic() < give_up:
                time.sleep(0.02)
        if self.pid() == pid and not self._runs(pid):
            self._path.unlink(missing_ok=True)

    def _runs(self, pid: int) -> bool:
        """Whether `pid` is a server of this very directory: a server works inside its data directory."""
        if Path("/proc/self").exists():
            try:
                return Path(f"/proc/{pid}/cwd").samefile(self._data)
            except OSError:
                return False
        shown = subprocess.run(  # noqa: S603
            ["/bin/ps", "-o", "command=", "-p", str(pid)], check=False, capture_output=True, text=True
        )
        return "postgres" in shown.stdout and str(self._data) in shown.stdout

    def _line(self, number: int) -> str:
        try:
            lines = self._path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        except OSError:
            return ""
        return lines[number - 1].strip() if len(lines) >= number else ""
