import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

# Before gRPC is imported. Tests start programs while its threads are at work; its fork handlers are for children that
# stay in this program, and crash those that do not.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

from tests.support import postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """The PostgreSQL of the session: fast, not durable."""
    with postgres.running() as server:
        yield server


@pytest.fixture(scope="session")
async def database_template(postgres_server: postgres.Server) -> str:
    """Name of a migrated database, to be cloned."""
    await postgres_server.make_template()
    return postgres.TEMPLATE


@pytest.fixture
async def database_url(postgres_server: postgres.Server, database_template: str) -> AsyncIterator[str]:
    """URL of a database of this test alone, with the newest schema and nothing in it."""
    async with postgres_server.database(template=database_template) as url:
        yield url


@pytest.fixture
async def empty_database_url(postgres_server: postgres.Server) -> AsyncIterator[str]:
    """URL of a database of this test alone, without a schema."""
    async with postgres_server.database() as url:
        yield url


@pytest.fixture(scope="session")
def durable_postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL with the durability of production, for tests about it."""
    with postgres.running(durable=True) as server:
        yield server


@pytest.fixture
async def durable_database_url(durable_postgres_server: postgres.Server) -> AsyncIterator[str]:
    """URL of an empty database that survives a crash."""
    async with durable_postgres_server.database() as url:
        yield url


@pytest.fixture(scope="session")
def server_dirs() -> Iterator[Path]:
    """Where servers of the session keep their data. Not below `tmp_path`: each pytest session of a user closes the
    directory above those of all his others, and root's PostgreSQL runs as another user.
    """
    directory = Path(tempfile.mkdtemp(prefix="dirsync-test-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)
