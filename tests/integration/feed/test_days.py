"""Pages are looked for in the day where the one before ended: nothing is missed where the log goes on elsewhere."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from service.app import tail_pages
from service.storage.database import open_pool
from tests.integration.feed.lab import USER, Log, append, process

# (day, counted from today; events of one command). The clock goes on, stands still, is set back, and jumps.
WRITTEN = [
    (-1, 5),
    (0, 1),
    (0, 7),
    *[(0, 1)] * 7,
    *[(-1, 1)] * 3,
    *[(0, 1)] * 6,
    (2, 6),
    (1, 2),
    (0, 1),
    (0, 9),
    (1, 1),
    (0, 3),
]
COUNT = sum(count for _, count in WRITTEN)


@pytest.fixture
async def log(database_url: str) -> AsyncIterator[Log]:
    async with open_pool(database_url, 8) as pool:
        yield Log(pool)


async def write(log: Log, directory: str, day: int, count: int) -> None:
    async with log.pool.acquire() as connection, connection.transaction():
        newest = await append(connection, directory, [USER] * count)
        await connection.execute(
            "UPDATE event SET day = day + $3::int WHERE directory_id = $1 AND seq > $2", directory, newest - count, day
        )


@pytest.mark.parametrize("narrow", [True, False])
@pytest.mark.parametrize("batch", [1, 100])
async def test_a_log_whose_days_go_back_and_forth_is_read_whole_and_in_order(
    database_url: str, log: Log, monkeypatch: pytest.MonkeyPatch, *, narrow: bool, batch: int
) -> None:
    monkeypatch.setattr(tail_pages, "_PAGE_EVENTS", 4)
    monkeypatch.setattr(tail_pages, "_LARGE_PAGE_EVENTS", 4)
    directories = [await log.directory("directory_a"), await log.directory("directory_b")]
    filters = {"directory_ids": [directories[0]]} if narrow else {}
    expected = {name: list(range(1, COUNT + 1)) for name in (directories[:1] if narrow else directories)}
    async with process(database_url, ring_events=2) as replica:
        total = COUNT * len(expected)
        live = asyncio.create_task(replica.collect(total, beginning=True, batch=batch, **filters))
        for day, count in WRITTEN:
            for directory in directories:
                await write(log, directory, day, count)
            replica.sequencer.hint()
            await asyncio.sleep(0.01)
        seen = await live
        for found in (seen, await replica.collect(total, beginning=True, batch=batch, **filters)):
            assert found.error is None
            for name, numbers in expected.items():
                assert [seq for directory, seq in found.numbers if directory == name] == numbers


@pytest.mark.parametrize("narrow", [True, False])
async def test_every_cursor_goes_on_across_days(
    database_url: str, log: Log, monkeypatch: pytest.MonkeyPatch, *, narrow: bool
) -> None:
    monkeypatch.setattr(tail_pages, "_PAGE_EVENTS", 4)
    directory = await log.directory("directory_a")
    for day, count in WRITTEN:
        await write(log, directory, day, count)
    filters = {"directory_ids": [directory]} if narrow else {}
    async with process(database_url, ring_events=2) as replica:
        seen = await replica.collect(COUNT, beginning=True, batch=1, **filters)
        assert [seq for _, seq in seen.numbers] == list(range(1, COUNT + 1))
        counts = itertools.accumulate(len(message.events) for message in seen.messages)
        for covered, message in zip(counts, seen.messages, strict=True):
            if 0 < covered < COUNT:
                rest = await replica.collect(COUNT - covered, cursor=message.cursor, batch=1, **filters)
                assert [seq for _, seq in rest.numbers] == list(range(covered + 1, COUNT + 1))
