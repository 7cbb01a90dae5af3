"""A whole product of one's own: durable PostgreSQL, `dirsync serve` over it, and directories to work in."""

import asyncio
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import asyncpg
import grpc

from benchmarks import processes
from benchmarks.results import Cpu
from benchmarks.scim_work import ScimBase
from directorysync.cli.embedded import EmbeddedPostgres
from directorysync.v1 import directory_admin_pb2 as admin
from directorysync.v1 import directory_admin_pb2_grpc, directory_sync_pb2_grpc
from directorysync.v1 import directory_sync_pb2 as sync

LIMIT_DATABASE = "bench"
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class BenchDirectory:
    """A directory and the way to it."""

    id: str
    organization_id: str
    base: ScimBase


class Postgres:
    """The server that both the product and its limit use, each with a database of its own."""

    def __init__(self, embedded: EmbeddedPostgres) -> None:
        self._embedded = embedded

    def url(self, database: str) -> str:
        """URL of a database."""
        return self._embedded.url(database)

    @property
    def pid(self) -> int:
        """Of the postmaster."""
        return int((self._embedded.data / "postmaster.pid").read_text().split()[0])

    def execute(self, database: str, script: str, *arguments: object) -> None:
        """Run SQL: a script without arguments, or one statement with them."""
        asyncio.run(_execute(self.url(database), script, arguments))

    def value(self, database: str, query: str, *arguments: object) -> int:
        """One number."""
        return asyncio.run(_value(self.url(database), query, arguments))


class Deployment:
    """A running product. `host` and `port` are of HTTP; `grpc_address` is for channels."""

    def __init__(self, postgres: Postgres, server: subprocess.Popen[str], addresses: Sequence[str], key: str) -> None:
        self.postgres = postgres
        self.pid = server.pid
        self.grpc_address, http_url = addresses
        self.host, _, port = http_url.removeprefix("http://").rpartition(":")
        self.port = int(port)
        self.metadata = (("authorization", f"Bearer {key}"),)
        self._channel = cast("Any", grpc.insecure_channel(self.grpc_address))
        # The generated types speak of grpc.aio only; over this channel calls return their answer.
        self.admin: Any = directory_admin_pb2_grpc.DirectoryAdminStub(self._channel)
        self.sync: Any = directory_sync_pb2_grpc.DirectorySyncStub(self._channel)

    def cpu(self) -> Cpu:
        """CPU seconds used so far."""
        return Cpu(processes.cpu_seconds(self.pid), processes.cpu_seconds(self.postgres.pid))

    def make_directory(self, name: str) -> BenchDirectory:
        """A new directory in an organization of its own."""
        organization = self.admin.CreateOrganization(
            admin.CreateOrganizationRequest(name=name), metadata=self.metadata
        ).organization
        made = self.admin.CreateDirectory(
            admin.CreateDirectoryRequest(organization_id=organization.id, name=name, provider="okta"),
            metadata=self.metadata,
        )
        base = ScimBase(f"/scim/v2/{made.directory.scim_key}", made.secret)
        return BenchDirectory(made.directory.id, organization.id, base)

    def sequence(self, directory: BenchDirectory) -> int:
        """Number of the directory's newest event."""
        request = sync.GetDirectoryRequest(id=directory.id)
        return int(self.sync.GetDirectory(request, metadata=self.metadata).directory.sequence)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


@contextmanager
def running_postgres(directory: Path) -> Iterator[Postgres]:
    """Durable: what the limit and the product commit is flushed."""
    embedded = EmbeddedPostgres(directory / "postgres", durable=True, max_connections=200)
    embedded.start()
    try:
        postgres = Postgres(embedded)
        postgres.execute("postgres", f"CREATE DATABASE {LIMIT_DATABASE} TEMPLATE template0")
        yield postgres
    finally:
        embedded.stop()


@contextmanager
def running_product(
    postgres: Postgres, directory: Path, *, workers: int, profile: Path | None = None
) -> Iterator[Deployment]:
    """`dirsync serve`, or with `profile` one worker under cProfile that leaves its figures there."""
    command = _serve(postgres, directory, workers) if profile is None else _profiled(postgres, directory, profile)
    log = directory / "server.log"
    with log.open("w") as errors:
        server = subprocess.Popen(
            command.arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=command.env
        )
    try:
        addresses = _ready_lines(server, log) if command.addresses is None else command.addresses
        if command.addresses is not None:
            _first_line(server, log)
        deployment = Deployment(postgres, server, addresses, (directory / "admin.key").read_text().strip())
        try:
            yield deployment
        finally:
            deployment.close()
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


@contextmanager
def workspace() -> Iterator[Path]:
    """A directory on a real disk, removed in the end."""
    path = Path(tempfile.mkdtemp(prefix="dirsync-bench-", dir=os.environ.get("BENCH_DIR")))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Command:
    arguments: list[str]
    env: dict[str, str]
    addresses: tuple[str, str] | None = None


def _serve(postgres: Postgres, directory: Path, workers: int) -> _Command:
    arguments = [sys.executable, "-m", "directorysync.cli", "serve", "--data-dir", str(directory)]
    arguments += ["--database-url", postgres.url("dirsync"), "--workers", str(workers)]
    arguments += ["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]
    return _Command(arguments, _environment())


def _profiled(postgres: Postgres, directory: Path, profile: Path) -> _Command:
    from service import bootstrap  # noqa: PLC0415 - only to do for a lone worker what the supervisor does

    url, key = postgres.url("dirsync"), "sk_" + secrets.token_urlsafe(32)
    asyncio.run(bootstrap.migrate(url))
    asyncio.run(bootstrap.ensure_admin_key(url, key))
    (directory / "admin.key").write_text(key)
    grpc_address, http_address = f"127.0.0.1:{_free_port()}", f"127.0.0.1:{_free_port()}"
    env = _environment() | {
        "DIRSYNC_DATABASE_URL": url,
        "DIRSYNC_GRPC_LISTEN": grpc_address,
        "DIRSYNC_HTTP_LISTEN": http_address,
    }
    arguments = [sys.executable, "-m", "benchmarks.profiled_worker", str(profile)]
    return _Command(arguments, env, (grpc_address, f"http://{http_address}"))


def _environment() -> dict[str, str]:
    """No setting of the caller's: a run measures the defaults, with webhooks to receivers on this machine."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("DIRSYNC_")}
    return given | {"DIRSYNC_WEBHOOK_ALLOW_HTTP": "true", "DIRSYNC_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _ready_lines(server: subprocess.Popen[str], log: Path) -> tuple[str, str]:
    found: dict[str, str] = {}
    while len(found) < 2:
        words = _first_line(server, log).split()
        if len(words) == 3 and words[1] == "ready" and words[0] in {"grpc", "http"}:
            found[words[0]] = words[2]
    return found["grpc"], found["http"]


def _first_line(server: subprocess.Popen[str], log: Path) -> str:
    assert server.stdout is not None
    alarm = threading.Timer(_START_SECONDS, server.kill)
    alarm.start()
    try:
        line = server.stdout.readline()
    finally:
        alarm.cancel()
    if not line:
        raise RuntimeError(f"the server did not start:\n{log.read_text()[-2000:]}")
    return line


async def _execute(url: str, script: str, arguments: Sequence[object]) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(script, *arguments)
    finally:
        await connection.close()


async def _value(url: str, query: str, arguments: Sequence[object]) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval(query, *arguments))
    finally:
        await connection.close()
