"""One database and one replica a module; each test has directories and subscriptions of its own."""

import itertools
from collections.abc import AsyncIterator

import pytest

from service.storage.database import open_pool
from tests.integration.feed.lab import Log
from tests.integration.subscriptions.lab import Replica, replica
from tests.support.postgres import Server

_tests = itertools.count(1)


@pytest.fixture(scope="module")
async def shared_url(postgres_server: Server, database_template: str) -> AsyncIterator[str]:
    async with postgres_server.database(template=database_template) as url:
        yield url


@pytest.fixture(scope="module")
async def one(shared_url: str) -> AsyncIterator[Replica]:
    async with replica(shared_url) as running:
        yield running


@pytest.fixture(scope="module")
async def shared_log(shared_url: str) -> AsyncIterator[Log]:
    async with open_pool(shared_url, 4) as pool:
        yield Log(pool)


@pytest.fixture
async def log(shared_log: Log) -> Log:
    return Log(shared_log.pool, f"_{next(_tests)}")


@pytest.fixture
async def directory(log: Log) -> str:
    return await log.directory("directory")


@pytest.fixture(params=["local", "grpc"])
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)
