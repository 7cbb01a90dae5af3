"""One database and one process a module; each test has directories of its own and begins where the feed is then."""

import itertools
from collections.abc import AsyncIterator

import pytest

from service.domain.cursor import feed_cursor
from service.storage.database import open_pool
from tests.integration.feed.lab import Log, Process, eventually, process
from tests.support.postgres import Server

_tests = itertools.count(1)


@pytest.fixture(scope="module")
async def shared_url(postgres_server: Server, database_template: str) -> AsyncIterator[str]:
    async with postgres_server.database(template=database_template) as url:
        yield url


@pytest.fixture(scope="module")
async def shared_process(shared_url: str) -> AsyncIterator[Process]:
    async with process(shared_url) as one:
        yield one


@pytest.fixture(scope="module")
async def shared_log(shared_url: str) -> AsyncIterator[Log]:
    async with open_pool(shared_url, 8) as pool:
        yield Log(pool)


@pytest.fixture
async def log(shared_log: Log) -> Log:
    return Log(shared_log.pool, f"_{next(_tests)}")


@pytest.fixture
async def replica(shared_process: Process, log: Log) -> Process:
    await eventually(log.all_sequenced)
    newest = await log.pool.fetchval("SELECT pos FROM feed_tick ORDER BY tick DESC LIMIT 1")
    shared_process.begin(feed_cursor(shared_process.feed.epoch, newest))
    return shared_process
