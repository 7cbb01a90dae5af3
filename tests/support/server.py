"""A real `dirsync serve` in a process of its own, to be used, killed and started again by a test."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from directorysync import Client
from tests.support.processes import alive, descendants, is_postgres, kill

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
PARTS = ("postgres", "grpc", "http")


class ServeError(AssertionError):
    """`dirsync serve` did not do what the test counts on; the message holds its output."""


class RunningServe:
    """`dirsync serve` over `data_dir`. Ports are free ones, and stay the same through `restart`."""

    def __init__(
        self,
        data_dir: Path,
        *,
        workers: int = 1,
        database_url: str | None = None,
        arguments: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir
        self._workers = workers
        self._database_url = database_url
        self._arguments = list(arguments)
        self._environ = dict(environ or {})
        self.grpc_address = "127.0.0.1:0"
        self.http_listen = "127.0.0.1:0"
        self.ready: dict[str, str] = {}
        self.output: list[str] = []
        self.logs: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._readers: list[threading.Thread] = []

    @property
    def http_url(self) -> str:
        """Base of every HTTP address, without a slash at the end."""
        return f"http://{self.http_listen}"

    @property
    def api_key(self) -> str:
        """The admin key that it made."""
        return (self.data_dir / "admin.key").read_text().strip()

    @property
    def environ(self) -> dict[str, str]:
        """Environment in which the `dirsync` command finds this server."""
        return os.environ | {"DIRSYNC_ADDRESS": self.grpc_address, "DIRSYNC_DATA_DIR": str(self.data_dir)}

    @property
    def running(self) -> bool:
        """Whether it was started, and neither stopped nor killed since."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the supervisor."""
        return self._running().pid

    @property
    def worker_pids(self) -> list[int]:
        """Process ids of the workers."""
        return [pid for pid in descendants(self.pid) if not is_postgres(pid)]

    def client(self) -> Client:
        """A client with the admin key; to be used as a context manager."""
        return Client.connect(self.grpc_address, self.api_key)

    def command(self, *arguments: str) -> list[str]:
        """How to start `dirsync` with warnings as errors."""
        return [sys.executable, "-W", "error", "-m", "directorysync.cli", *arguments]

    def dirsync(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Runs the command against this server and waits for its end."""
        done = subprocess.run(
            self.command(*arguments), env=self.environ, check=False, capture_output=True, text=True, timeout=60
        )
        if check and done.returncode:
            raise ServeError(f"dirsync {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        return done

    def start(self) -> None:
        """Returns once every part has said that it is ready."""
        self._launch()
        give_up = time.monotonic() + READY_SECONDS
        while not all(part in self.ready for part in PARTS):
            try:
                line = self._lines.get(timeout=max(0.0, min(0.2, give_up - time.monotonic())))
            except queue.Empty:
                if self._running().poll() is not None or time.monotonic() > give_up:
                    raise ServeError(self._story("did not become ready")) from None
                continue
            part, said, what = line.partition(" ready ")
            if said:
                self.ready[part] = what
        self.grpc_address = self.ready["grpc"]
        self.http_listen = self.ready["http"].removeprefix("http://")

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        process = self._running()
        process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Waits for the end and returns the exit status."""
        process = self._running()
        try:
            status = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServeError(self._story("did not end")) from None
        self._finish()
        return status

    def kill(self, *, leave_postgres: bool = False, leave_workers: bool = False) -> None:
        """SIGKILL, without a word to anybody: to the supervisor first, then to what it started."""
        process = self._running()
        os.kill(process.pid, signal.SIGSTOP)  # it must not replace what is killed
        family = descendants(process.pid)
        process.kill()
        process.wait()
        doomed = [pid for pid in family if not (leave_postgres if is_postgres(pid) else leave_workers)]
        for pid in doomed:
            kill(pid)
        while any(map(alive, doomed)):
            time.sleep(0.01)
        self._finish()

    def restart(self) -> None:
        """Starts again over the same data and ports. Stops it first when it runs."""
        if self._process is not None:
            self.stop()
        self.start()

    def close(self) -> None:
        """Ends whatever is left."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.terminate()
                self.wait()
            else:
                self._finish()
        self._end_orphan()

    def _launch(self) -> None:
        command = self.command("serve", "--data-dir", str(self.data_dir), "--workers", str(self._workers))
        command += ["--grpc-listen", self.grpc_address, "--http-listen", self.http_listen, *self._arguments]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("DIRSYNC_")}
        environ |= {"PYTHONWARNINGS": "error"} | self._environ
        if self._database_url:
            environ["DIRSYNC_DATABASE_URL"] = self._database_url
        self.ready, self.output, self.logs = {}, [], []
        self._lines: queue.Queue[str] = queue.Queue()
        self._process = subprocess.Popen(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._readers = [
            threading.Thread(target=self._read, args=(self._process.stdout, self.output), daemon=True),
            threading.Thread(target=self._read, args=(self._process.stderr, self.logs), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: Iterator[str], kept: list[str]) -> None:
        for line in stream:
            kept.append(line.rstrip("\n"))
            if kept is self.output:
                self._lines.put(kept[-1])

    def _finish(self) -> None:
        process = self._running()
        for reader in self._readers:
            reader.join(STOP_SECONDS)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        self._process = None

    def _end_orphan(self) -> None:
        lock_file = self.data_dir / "postgres/postmaster.pid"
        if lock_file.exists():
            pid = int(lock_file.read_text().split()[0])
            if is_postgres(pid):
                kill(pid, signal.SIGINT)
                while alive(pid):
                    time.sleep(0.02)

    def _running(self) -> "subprocess.Popen[str]":
        if self._process is None:
            raise ServeError("it does not run")
        return self._process

    def _story(self, what: str) -> str:
        return "\n".join([f"dirsync serve {what}", *self.output, *self.logs])


@contextmanager
def running_serve(data_dir: Path, **options: object) -> Iterator[RunningServe]:
    """A server that is ready when the block begins and gone when it has ended. Options are those of RunningServe."""
    server = RunningServe(data_dir, **options)  # type: ignore[arg-type]
    try:
        server.start()
        yield server
    finally:
        server.close()
