"""What retention leaves of the log and of the history, and what operators see of it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from directorysync import errors
from directorysync.v1 import directory_admin_pb2 as admin_pb
from service.domain.caller import Caller, Scope
from service.storage import directories
from service.storage.database import open_pool
from tests.integration.feed.lab import Log, Process, connect, eventually, process

ADMIN = frozenset({Scope.ADMIN})
OLD = datetime.now(UTC) - timedelta(days=40)


@pytest.fixture
async def log(database_url: str) -> AsyncIterator[Log]:
    async with open_pool(database_url, 2) as pool:
        made = Log(pool)
        made.url = database_url
        yield made


@pytest.fixture
async def replica(database_url: str) -> AsyncIterator[Process]:
    async with process(database_url) as one:
        one.callers["admin"] = Caller("admin", ADMIN)
        one.callers["bound"] = Caller("bound", ADMIN, organization_ids=frozenset(["org_1"]))
        yield one


async def old_and_new(log: Log, replica: Process, directory: str) -> list[str]:
    """Ids of three events out of reach and of two within, when retention has gone by."""
    for _ in range(3):
        await log.append(directory, at=OLD)
    await eventually(log.all_sequenced)
    await log.pool.execute("UPDATE event SET day = $1", OLD.date())
    await log.pool.execute("UPDATE feed SET day = $1", OLD.date())
    for later in (1, 2):
        day = OLD.date() + timedelta(days=later)
        await log.pool.execute("INSERT INTO feed_day VALUES ($1, (SELECT max(pos) FROM feed))", day)
    for _ in range(2):
        await log.append(directory)
    await eventually(log.all_sequenced)
    ids = [row["id"] for row in await log.pool.fetch("SELECT id FROM event ORDER BY seq")]
    await retain(log, replica)
    return ids


async def retain(log: Log, replica: Process) -> None:
    connection = await connect(log.url)
    await replica.sequencer.maintain_once(connection, timedelta(0))
    await connection.close()


async def test_an_id_out_of_reach_has_expired_and_says_where_to_go_on(replica: Process, log: Log) -> None:
    directory = await log.directory("directory_a")
    ids = await old_and_new(log, replica, directory)
    for _ in range(2):
        for filters in ({}, {"directory_ids": [directory]}):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await replica.list("all", filters, after_event_id=ids[0])
            error = errors.from_rpc_error(raised.value)
            assert error.reason == "CURSOR_EXPIRED"
            if not filters:
                assert (await replica.collect(1, event=ids[1])).failure.reason == "CURSOR_EXPIRED"
            page = await replica.list("all", cursor=error.metadata["oldest_cursor"])
            assert [event.id for event in page.events] == ids[3:]
        # The partition goes in a second round only.
        await retain(log, replica)
    assert await log.pool.fetchval("SELECT count(*) FROM event") == 2
    assert (await replica.collect(1, event=ids[1], directory_ids=[directory])).failure.reason == "CURSOR_EXPIRED"


async def test_a_cursor_of_a_directory_goes_on_exactly_at_the_edge_and_expires_beyond(
    replica: Process, log: Log
) -> None:
    directory = await log.directory("directory_a")
    ids = await old_and_new(log, replica, directory)
    narrow = {"directory_ids": [directory]}
    for _ in range(2):
        page = await replica.list("all", narrow, cursor=replica.feed.cursor_of(directory, 3))
        assert [event.id for event in page.events] == ids[3:]
        for number in (0, 2):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await replica.list("all", narrow, cursor=replica.feed.cursor_of(directory, number))
            assert errors.from_rpc_error(raised.value).reason == "CURSOR_EXPIRED"
        await retain(log, replica)


async def test_a_time_out_of_reach_begins_with_the_oldest_kept(replica: Process, log: Log) -> None:
    directory = await log.directory("directory_a")
    ids = await old_and_new(log, replica, directory)
    for filters in ({}, {"directory_ids": [directory]}):
        for how in ({"start_time": OLD}, {"exact": True}, {"descending": True}):
            page = await replica.list("all", filters, **how)
            assert sorted(event.id for event in page.events) == ids[3:]


async def test_history_of_memberships_goes_with_the_log(replica: Process, log: Log) -> None:
    directory = await log.directory("directory_a")
    for number, ended in enumerate([OLD, OLD + timedelta(hours=1), datetime.now(UTC)]):
        await log.pool.execute(
            "INSERT INTO ended_membership VALUES ($1, 'g', $2, 5, 1, 'User', $3, $3)", directory, f"u{number}", ended
        )
    await retain(log, replica)
    assert await log.pool.fetchval("SELECT count(*) FROM ended_membership") == 3, "the log still reaches back"
    await old_and_new(log, replica, directory)
    rows = await log.pool.fetch("SELECT member_id FROM ended_membership")
    assert [row["member_id"] for row in rows] == ["u2"]


async def test_history_of_memberships_goes_with_its_directory(log: Log) -> None:
    names = [await log.directory(f"directory_{letter}") for letter in "ab"]
    for name in names:
        for number in range(5):
            await log.pool.execute(
                "INSERT INTO ended_membership VALUES ($1, 'g', $2, 5, 1, 'User', $3, $3)", name, f"u{number}", OLD
            )
    await log.pool.execute("UPDATE directory SET state = 'deleted' WHERE id = $1", names[0])
    assert await directories.unpurged(log.pool) == [names[0]]
    await directories.purge(log.pool, names[0], 2)
    assert await directories.unpurged(log.pool) == []
    rows = await log.pool.fetch("SELECT DISTINCT directory_id FROM ended_membership")
    assert [row["directory_id"] for row in rows] == [names[1]]


async def test_operators_see_size_and_reach(replica: Process, log: Log) -> None:
    directory = await log.directory("directory_a")
    before = datetime.now(UTC)
    for _ in range(4):
        await log.append(directory, ["dsync.user.created"] * 5)
    await eventually(log.all_sequenced)
    await log.pool.execute("ANALYZE event")

    async def counted() -> bool:
        return bool((await event_log(replica)).event_count == 20)

    await eventually(counted)
    found = await event_log(replica)
    assert found.retention.seconds == 30 * 86_400
    assert before <= found.oldest_time.ToDatetime(UTC) <= found.newest_time.ToDatetime(UTC)
    assert [(day.event_count, day.size_bytes > 0) for day in found.days] == [(20, True)]
    assert found.size_bytes > found.days[0].size_bytes
    assert len((await replica.list(cursor=found.oldest_cursor)).events) == found.positions == 20
    assert not (await replica.list(cursor=found.newest_cursor)).events


async def test_an_empty_log_has_no_times(replica: Process) -> None:
    found = await event_log(replica)
    assert not found.HasField("oldest_time")
    assert (found.event_count, found.positions, list(found.days)) == (0, 0, [])


@pytest.mark.parametrize("caller", ["bound", "all"])
async def test_the_log_is_shown_to_unbounded_administrators_only(replica: Process, caller: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await event_log(replica, caller)
    assert errors.from_rpc_error(raised.value).reason == "SCOPE_MISSING"


async def event_log(replica: Process, caller: str = "admin") -> Any:
    return await replica.admin.GetEventLog(
        admin_pb.GetEventLogRequest(), metadata=(("authorization", f"Bearer {caller}"),)
    )
