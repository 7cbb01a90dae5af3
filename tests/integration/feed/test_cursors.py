"""DESIGN section 4, promise 4: a cursor continues exactly, or ends with CURSOR_EXPIRED or CURSOR_DIVERGED."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from service.storage.database import open_pool
from tests.integration.feed.lab import GROUP, USER, Log, Process, Seen, connect, follow, process
from tests.support.postgres import Server


@pytest.fixture
async def log(database_url: str) -> AsyncIterator[Log]:
    async with open_pool(database_url, 4) as pool:
        yield Log(pool)


@pytest.fixture
async def replica(database_url: str) -> AsyncIterator[Process]:
    async with process(database_url) as one:
        yield one


async def age(pool: Any, days: int) -> None:
    """Everything in the log becomes this many days older, as if the sequencer had run on the days after, too."""
    today = datetime.now(UTC).date()
    for offset in (0, 1):
        day = today - timedelta(days=days + offset)
        await pool.execute(
            f"CREATE TABLE event_{day:%Y%m%d} PARTITION OF event"
            f" FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"
        )
    await pool.execute(
        "UPDATE event SET day = day - $1::int, created_at = created_at - $1::int * interval '1 day'", days
    )
    await pool.execute("UPDATE feed SET day = day - $1::int", days)
    await pool.execute("DELETE FROM feed_day")
    for later in (1, 2):
        day = today - timedelta(days=days - later)
        await pool.execute("INSERT INTO feed_day VALUES ($1, (SELECT max(pos) FROM feed))", day)


async def retain(replica: Process, url: str) -> None:
    connection = await connect(url)
    await replica.sequencer.maintain_once(connection, timedelta(0))
    await connection.close()


async def write(log: Log, replica: Process, directory: str, count: int) -> Seen:
    """Events and the messages they came in."""
    reading = asyncio.create_task(replica.collect(count, batch=1))
    await asyncio.sleep(0.05)
    for _ in range(count):
        await log.append(directory)
        replica.sequencer.hint()
    return await reading


async def test_expired_behind_retention_and_exact_at_its_edge(replica: Process, log: Log, database_url: str) -> None:
    directory = await log.directory("directory_a")
    old = await write(log, replica, directory, 10)
    cursors = [message.cursor for message in old.messages if message.events]
    numbers = [replica.feed.cursor_of(directory, seq) for seq in range(1, 11)]
    await age(log.pool, 40)
    await write(log, replica, directory, 5)
    kept = [(directory, seq) for seq in range(11, 16)]

    await retain(replica, database_url)
    assert (await replica.collect(5, cursor=cursors[9])).numbers == kept
    assert (await replica.collect(5, beginning=True)).numbers == kept
    seen = await replica.collect(1, cursor=cursors[8])
    assert seen.failure.reason == "CURSOR_EXPIRED"
    assert (await replica.collect(5, cursor=seen.failure.metadata["oldest_cursor"])).numbers == kept

    await retain(replica, database_url)
    assert await log.pool.fetchval("SELECT count(*) FROM event") == 5
    narrow: dict[str, Any] = {"directory_ids": [directory]}
    assert (await replica.collect(5, cursor=numbers[9], **narrow)).numbers == kept
    assert (await replica.collect(5, beginning=True, **narrow)).numbers == kept
    seen = await replica.collect(1, cursor=numbers[8], **narrow)
    assert seen.failure.reason == "CURSOR_EXPIRED"
    assert (await replica.collect(5, cursor=seen.failure.metadata["oldest_cursor"], **narrow)).numbers == kept

    seen = await replica.collect(1, time=datetime.now(UTC) - timedelta(days=35))
    assert seen.failure.reason == "CURSOR_EXPIRED"


async def test_an_idle_directory_keeps_its_cursor_for_ever(replica: Process, log: Log, database_url: str) -> None:
    directory = await log.directory("directory_a")
    await write(log, replica, directory, 3)
    cursor = replica.feed.cursor_of(directory, 3)
    await age(log.pool, 40)
    await retain(replica, database_url)
    await retain(replica, database_url)
    assert await log.pool.fetchval("SELECT count(*) FROM event") == 0
    await log.append(directory)
    assert (await replica.collect(1, cursor=cursor, directory_ids=[directory])).numbers == [(directory, 4)]


@pytest.mark.parametrize("narrow", [True, False])
async def test_a_reader_overtaken_by_retention_ends_without_a_gap(database_url: str, log: Log, narrow: bool) -> None:
    directory = await log.directory("directory_a")
    async with process(database_url, ring_events=100) as replica:
        for _ in range(25):
            await log.append(directory, [USER] * 100)
        filters = {"directory_ids": [directory]} if narrow else {}
        await replica.collect(2_500, beginning=True)
        call, seen = replica.watch(beginning=True, **filters), Seen()
        await anext(call)
        seen.messages.append(await anext(call))
        await age(log.pool, 40)
        await retain(replica, database_url)
        await retain(replica, database_url)
        assert await log.pool.fetchval("SELECT count(*) FROM event") == 0
        await follow(call, seen, 2_500)
        assert seen.failure.reason == "CURSOR_EXPIRED"
        assert [seq for _, seq in seen.numbers] == list(range(1, len(seen.numbers) + 1))


@pytest.mark.parametrize("token", ["nonsense", "AAAA", "A" * 600, "ä", "=", "AQEQMDAxMTIyMzM0NDU1NjY3NwEBBQ"])
async def test_garbage_is_refused(replica: Process, token: str) -> None:
    assert (await replica.collect(1, cursor=token)).failure.reason == "CURSOR_INVALID"


async def test_a_cursor_from_the_future_diverged(replica: Process, log: Log) -> None:
    directory = await log.directory("directory_a")
    await write(log, replica, directory, 3)
    cursor = replica.feed.cursor_of(directory, 4)
    assert (await replica.collect(1, cursor=cursor, directory_ids=[directory])).failure.reason == "CURSOR_DIVERGED"


class Twin:
    """A database restored from a copy of another: what both have in common, and what only the first one has."""

    def __init__(self, server: Server, url: str) -> None:
        self.server = server
        self.url = url
        self.name = "twin_" + urlsplit(url).path.removeprefix("/")
        self.twin_url = urlunsplit(urlsplit(url)._replace(path=f"/{self.name}"))
        self.common: list[str] = []
        self.lost: list[str] = []
        self.lost_number = ""
        self.common_number = ""

    async def make(self) -> None:
        async with open_pool(self.url, 2) as pool:
            log = Log(pool)
            directory = await log.directory("directory_a")
            async with process(self.url) as first:
                seen = await write(log, first, directory, 10)
                self.common = [message.cursor for message in seen.messages if message.events]
                self.common_number = first.feed.cursor_of(directory, 10)
            # Committed, and without a position when the copy is taken.
            await log.append(directory, [GROUP])
            await log.append(directory, [GROUP])
        await self.server.execute(f'CREATE DATABASE "{self.name}" TEMPLATE "{urlsplit(self.url).path[1:]}"')
        async with open_pool(self.url, 2) as pool, process(self.url) as first:
            log = Log(pool)
            log.adopt(directory, "org_1")
            await first.collect(2, cursor=self.common[-1])
            seen = await write(log, first, directory, 5)
            self.lost = [message.cursor for message in seen.messages if message.events]
            self.lost_number = first.feed.cursor_of(directory, 15)

    async def drop(self) -> None:
        await self.server.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')


@pytest.fixture
async def twin(postgres_server: Server, database_url: str) -> AsyncIterator[Twin]:
    made = Twin(postgres_server, database_url)
    await made.make()
    yield made
    await made.drop()


@pytest.mark.parametrize("other_cluster", [True, False])
async def test_a_restored_database_continues_what_it_has_and_refuses_what_it_lost(
    twin: Twin, other_cluster: bool
) -> None:
    directory = "directory_a"
    narrow: dict[str, Any] = {"directory_ids": [directory]}
    async with open_pool(twin.twin_url, 2) as pool:
        log = Log(pool)
        log.adopt(directory, "org_1")
        if other_cluster:
            # Transaction ids of a cluster that was far ahead of this one.
            await pool.execute("UPDATE event SET xid = '4000000000'")
            await pool.execute("UPDATE feed_tick SET snap = '4000000100:4000000100:'")
            await pool.execute("UPDATE feed_state SET system_identifier = 1")
        async with process(twin.twin_url) as replica:
            for place, cursor in enumerate(twin.common, 1):
                seen = await replica.collect(12 - place, cursor=cursor)
                assert [seq for _, seq in seen.numbers] == list(range(place + 1, 13))
            assert (await replica.collect(2, cursor=twin.common_number, **narrow)).numbers[0] == (directory, 11)
            # Its own history goes on over the numbers that the other one gave out.
            await write(log, replica, directory, 5)
            for cursor in twin.lost:
                assert (await replica.collect(1, cursor=cursor)).failure.reason == "CURSOR_DIVERGED"
            seen = await replica.collect(1, cursor=twin.lost_number, **narrow)
            assert seen.failure.reason == "CURSOR_DIVERGED"
            seen = await replica.collect(17, beginning=True)
            assert [seq for _, seq in seen.numbers] == list(range(1, 18))


async def test_a_promotion_under_a_running_watch_loses_nothing(replica: Process, log: Log) -> None:
    directory = await log.directory("directory_a")
    call, seen = replica.watch(beginning=True), Seen()
    seen.messages.append(await anext(call))
    await log.append(directory)
    seen.messages.append(await anext(call))
    epoch = replica.feed.epoch
    await log.pool.execute("UPDATE feed_state SET timeline = timeline + 7")
    await log.pool.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND query LIKE '%sequence_feed_v1%' AND pid <> pg_backend_pid()"
    )
    await follow(call, seen, 1_000)
    assert seen.failure.reason == "STORAGE_UNAVAILABLE"
    assert replica.feed.epoch != epoch
    await log.append(directory)
    rest = await replica.collect(1, cursor=seen.messages[-1].cursor)
    assert rest.numbers == [(directory, 2)]


async def test_a_time_begins_at_the_first_event_committed_then(replica: Process, log: Log) -> None:
    directory, other = await log.directory("directory_a"), await log.directory("directory_b")
    base = datetime.now(UTC) - timedelta(hours=5)
    for minute in range(50):
        await log.append(directory if minute % 2 else other, at=base + timedelta(minutes=minute))
    await replica.collect(50, beginning=True)
    seen = await replica.collect(20, time=base + timedelta(minutes=30))
    assert seen.numbers[0] == (other, 16)
    assert len(seen.numbers) == 20
    narrow = await replica.collect(10, time=base + timedelta(minutes=30, seconds=1), directory_ids=[directory])
    assert narrow.numbers == [(directory, seq) for seq in range(16, 26)]
    first = await replica.collect(50, time=base - timedelta(days=1))
    assert len(first.numbers) == 50
