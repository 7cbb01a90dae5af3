"""The data directory of `dirsync serve`: one owner at a time, the admin key, and where the HTTP side is."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from directorysync.cli.failure import Failure
from directorysync.credentials import ADMIN_KEY_FILE

HTTP_URL_FILE = "http.url"
DEFAULT_HTTP_URL = "http://127.0.0.1:8080"
KEY_PREFIX = "sk_"
KEY_BYTES = 32


class DataDirError(Failure):
    """The data directory cannot be used; the message says why."""


class DataDir:
    """`path` and what is in it: `admin.key`, `http.url`, `serve.lock`, `postgres/`, `metrics/`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.postgres = path / "postgres"
        self.metrics = path / "metrics"

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Makes the directory when it is missing and owns it for as long as the block lasts. The lock is the kernel's:
        it ends with the process, however that ends.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.path / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DataDirError(f"{self.path}: {error.strerror}") from None
        try:
            self._lock(lock)
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(lock)

    def admin_key(self, given: str | None = None) -> str:
        """The admin key; made the first time. `given` takes its place, so that commands on this machine find it.

        It is on disk before anybody stores its hash: a crash in between leaves a key that the next start registers,
        never one that nobody knows.
        """
        path = self.path / ADMIN_KEY_FILE
        try:
            key: str | None = path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            key = None
        if key is None or (given and key != given):
            key = given or KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
            self._write(path, key + "\n")
        if not key.startswith(KEY_PREFIX):
            raise DataDirError(f"{path} holds no key: delete it to have a new one made")
        return key

    def set_http_url(self, url: str) -> None:
        """Tells `dirsync directory create` where SCIM clients reach this service."""
        self._write(self.path / HTTP_URL_FILE, url + "\n")

    def http_url(self) -> str:
        """What `set_http_url` was told last, else the default."""
        try:
            return (self.path / HTTP_URL_FILE).read_text(encoding="utf-8").strip() or DEFAULT_HTTP_URL
        except OSError:
            return DEFAULT_HTTP_URL

    def knows_http_url(self) -> bool:
        """Whether a gateway was ever told of here."""
        return (self.path / HTTP_URL_FILE).exists()

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 20, 0).decode(errors="replace") or "unknown"
            raise DataDirError(f"{self.path} is in use by another `dirsync serve` (process {owner})") from None

    def _write(self, path: Path, text: str) -> None:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        directory = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
