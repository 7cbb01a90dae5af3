"""DESIGN section 4, Atomic: a snapshot is one consistent state and says the position from which to follow."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.commit.conftest import Directories, committing
from tests.integration.feed.copies import Copy, differences, stored, write
from tests.integration.feed.lab import Process, process

NAMES = ("d1", "d2", "d3")


@pytest.fixture
async def directories(database_url: str) -> AsyncIterator[Directories]:
    async with committing(database_url) as made:
        await made.make(*NAMES)
        yield made


@pytest.fixture
async def replica(database_url: str, directories: Directories) -> AsyncIterator[Process]:
    async with process(database_url) as one:
        yield one


@pytest.mark.parametrize(
    "filters",
    [{"directory_ids": ["d1"]}, {"organization_ids": ["org_1"]}, {"directory_ids": ["d1", "d3"]}, {}],
    ids=str,
)
async def test_atomic_under_writers_a_snapshot_and_what_follows_equal_the_tables(
    replica: Process, directories: Directories, filters: dict[str, Any]
) -> None:
    reached = filters.get("directory_ids", NAMES)
    stop = asyncio.Event()
    writers = [asyncio.create_task(write(directories, NAMES[seed % 3], seed, stop)) for seed in range(8)]
    read = []
    for _ in range(6):
        await asyncio.sleep(0.15)
        call, copy = replica.watch(snapshot=True, **filters), Copy()
        await copy.read(call)
        # The cursor alone is as good as the stream: it repeats nothing that the snapshot holds.
        read += [(copy, call), (copy.at_its_cursor(), replica.watch(cursor=copy.cursor, **filters))]
    stop.set()
    assert sum(await asyncio.gather(*writers)) > 50
    truth = await stored(directories, *reached)
    for copy, call in read:
        await copy.read(call, truth.directories)
        assert differences(copy, truth) == []
        await call.aclose()
