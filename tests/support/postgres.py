"""PostgreSQL for tests: one server a session, one migrated template, one clone of it for each test that asks."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from directorysync.cli.embedded import EmbeddedPostgres

TEMPLATE = "template_directorysync"
IMAGE = "postgres:18"


class Server:
    """A running PostgreSQL in which databases come and go."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)

    def url(self, database: str) -> str:
        """URL of one database."""
        return urlunsplit(self._url._replace(path=f"/{database}"))

    @property
    def maintenance_url(self) -> str:
        """URL of a database that always exists."""
        return self.url("postgres")

    @asynccontextmanager
    async def database(self, *, template: str = "template0") -> AsyncIterator[str]:
        """URL of a new database, which is dropped in the end, also under open connections."""
        name = f"test_{secrets.token_hex(6)}"
        await self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield self.url(name)
        finally:
            await self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def make_template(self) -> None:
        """A database with the newest schema, to be cloned."""
        from service.bootstrap import migrate  # noqa: PLC0415 - tests that need no database do without the service

        await self.execute(f'DROP DATABASE IF EXISTS "{TEMPLATE}"')
        await self.execute(f'CREATE DATABASE "{TEMPLATE}" TEMPLATE template0')
        await migrate(self.url(TEMPLATE))

    async def execute(self, statement: str) -> None:
        """Runs one statement outside a transaction."""
        connection = await asyncpg.connect(self.maintenance_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def running(*, durable: bool = False) -> Iterator[Server]:
    """A server for as long as the block lasts. Without `durable` it forgets everything when the machine fails, and is
    fast. A container where Docker answers and has the image; the embedded one elsewhere. DIRSYNC_TEST_POSTGRES names
    another server by its URL, to try another release of PostgreSQL, or is `embedded`.
    """
    given = os.environ.get("DIRSYNC_TEST_POSTGRES", "")
    if not durable and given.startswith("postgres"):
        yield Server(given)
        return
    if not durable and _docker_has_image():
        with _container() as server:
            yield server
        return
    directory = Path(tempfile.mkdtemp(prefix="dirsync-test-"))
    embedded = EmbeddedPostgres(directory / "postgres", durable=durable, max_connections=300)
    try:
        embedded.start()
        yield Server(embedded.url())
    finally:
        embedded.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _docker_has_image() -> bool:
    docker = shutil.which("docker")
    if docker is None or os.environ.get("DIRSYNC_TEST_POSTGRES") == "embedded":
        return False
    found = subprocess.run([docker, "image", "inspect", IMAGE], check=False, capture_output=True, timeout=10)
    return found.returncode == 0


@contextmanager
def _container() -> Iterator[Server]:
    from testcontainers.postgres import PostgresContainer  # noqa: PLC0415 - needed only where Docker is

    with PostgresContainer(IMAGE, driver=None).with_command("-c fsync=off -c max_connections=300") as container:
        yield Server(container.get_connection_url())
