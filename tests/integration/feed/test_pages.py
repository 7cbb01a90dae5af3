"""ListEvents: pages of whole commands, and a cursor that always moves on."""

import asyncpg
import grpc
import pytest

from directorysync import errors
from service.rpc.events import EventWire
from tests.integration.feed.lab import GROUP, MEMBER, USER, Log, Process, process


@pytest.mark.parametrize("narrow", [True, False])
async def test_pages_hold_everything_once_and_only_whole_commands(replica: Process, log: Log, narrow: bool) -> None:
    directory = await log.directory("directory_a")
    for index in range(40):
        await log.append(directory, [MEMBER] * (index % 5 + 1))
    await replica.collect(120, beginning=True)
    filters = {"directory_ids": [directory]} if narrow else {}
    cursor, numbers, more = ("" if narrow else replica.origin or ""), [], True
    while more:
        page = await replica.page(cursor=cursor, size=10, **filters)
        assert len(page.events) <= 10
        assert not page.events or page.events[-1].transaction_end
        numbers += [event.directory_sequence for event in page.events]
        cursor, more = page.cursor, page.more
    assert numbers == list(range(1, 121))
    await log.append(directory)
    page = await replica.page(cursor=cursor, **filters)
    assert [event.directory_sequence for event in page.events] == ([121] if page.events else [])


async def test_a_command_larger_than_a_page_comes_whole(replica: Process, log: Log) -> None:
    directory = await log.directory("directory_a")
    await log.append(directory, [MEMBER] * 30)
    await log.append(directory, [MEMBER] * 1_700)
    await log.append(directory, [USER])
    await replica.collect(1_731, beginning=True)
    sizes, cursor = [], replica.origin or ""
    for _ in range(3):
        page = await replica.page(cursor=cursor, size=20)
        sizes.append((len(page.events), page.more))
        cursor = page.cursor
    assert sizes == [(30, True), (1_700, True), (1, False)]


async def test_the_cursor_of_an_empty_page_moves_on(replica: Process, log: Log) -> None:
    directory = await log.directory("directory_a")
    await log.append(directory, [USER] * 50)
    await replica.collect(50, beginning=True)
    page = await replica.page(cursor=replica.origin or "", types=["dsync.deleted"])
    assert (list(page.events), page.more) == ([], False)
    await log.append(directory, [GROUP])
    await replica.collect(51, beginning=True)
    rest = await replica.page(cursor=page.cursor)
    assert [event.directory_sequence for event in rest.events] == [51]


async def test_pages_and_watches_take_each_others_cursors(replica: Process, shared_url: str, log: Log) -> None:
    directory = await log.directory("directory_a")
    for _ in range(20):
        await log.append(directory)
    await replica.collect(20, beginning=True)
    page = await replica.page(cursor=replica.origin or "", size=5)
    async with process(shared_url) as other:
        seen = await other.collect(15, cursor=page.cursor)
        assert seen.numbers[0] == (directory, 6)
        rest = await other.page(cursor=seen.messages[0].cursor, size=5)
        assert [event.directory_sequence for event in rest.events] == [6, 7, 8, 9, 10]


async def test_refused_as_a_watch_would_be(replica: Process) -> None:
    for how, reason in (
        ({"cursor": "nonsense"}, "CURSOR_INVALID"),
        ({"directory_ids": ["directory_x"]}, "RESOURCE_NOT_FOUND"),
        ({"size": -1}, "ARGUMENT_INVALID"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await replica.page(**how)  # type: ignore[arg-type]
        assert errors.from_rpc_error(raised.value).reason == reason


@pytest.mark.parametrize("length", [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
async def test_the_database_frames_events_as_the_service_does(database_url: str, length: int) -> None:
    payload = b"x" * length
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("SELECT frame_start_v1($1)", length) + payload == EventWire().frame(payload)
    finally:
        await connection.close()
