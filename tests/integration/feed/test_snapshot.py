"""DESIGN section 4, Atomic: a snapshot is one consistent state and says the position from which to follow."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest

from directorysync import errors
from directorysync.v1 import directory_sync_pb2 as pb
from directorysync.v1 import directory_sync_pb2_grpc
from service.app import snapshot as app
from service.domain.caller import Caller, Scope
from service.storage import snapshot as table
from tests.integration.commit.conftest import Directories, committing
from tests.integration.feed.copies import Copy, differences, stored, write
from tests.integration.feed.lab import PATIENCE, Process, Seen, eventually, follow, process

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


async def one_of_each(directories: Directories) -> dict[str, list[str]]:
    """Two users, a group inside a group, in d1; a user in d2."""
    ada = await directories.create_user("d1", "ada@example.com", title="Countess")
    bob = await directories.create_user("d1", "bob@example.com")
    inner = await directories.create_group("d1", "Inner", [ada, bob])
    outer = await directories.create_group("d1", "Outer", [inner])
    eve = await directories.create_user("d2", "eve@example.com")
    return {"users": [ada, bob, eve], "groups": [inner, outer]}


async def parts(replica: Process, **how: Any) -> list[pb.WatchEventsResponse]:
    """The messages of a snapshot up to its last."""
    call = replica.watch(**{"snapshot": True, **how})
    found = []
    async with asyncio.timeout(PATIENCE):
        async for message in call:
            found.append(message)
            if message.snapshot.complete:
                break
    await call.aclose()
    return found


def joined(messages: list[pb.WatchEventsResponse]) -> pb.SnapshotPart:
    whole = pb.SnapshotPart()
    for message in messages:
        whole.MergeFrom(message.snapshot)
    return whole


async def test_a_snapshot_says_what_look_ups_and_events_say(replica: Process, directories: Directories) -> None:
    ids = await one_of_each(directories)
    messages = await parts(replica, directory_ids=["d1"])
    assert [(bool(one.cursor), one.started, one.snapshot.complete) for one in (messages[0], messages[-1])] == [
        (False, True, False),
        (True, False, True),
    ]
    assert not any(one.cursor for one in messages[:-1])
    whole = joined(messages)
    events = {(event.user.id or event.group.id): event for event in await directories.events("d1")}
    told = [events[user].user for user in sorted(ids["users"][:2])]
    for one in (*whole.users, *told):
        one.raw_attributes_json = json.dumps(json.loads(one.raw_attributes_json), sort_keys=True)
    assert list(whole.users) == told
    assert [(one.id, one.name) for one in whole.groups] == [(ids["groups"][0], "Inner"), (ids["groups"][1], "Outer")]
    told = [event.membership for event in await directories.events("d1") if event.HasField("membership")]
    for one in told:
        one.ClearField("group_version")  # of the change, not of the state
    assert list(whole.memberships) == sorted(told, key=lambda one: (one.group_id, one.member_id))
    assert [(one.id, one.sequence) for one in whole.directories] == [("d1", len(await directories.events("d1")))]


@pytest.mark.parametrize("kind", ["users", "groups", "memberships"])
async def test_kinds_of_no_interest_are_left_out(replica: Process, directories: Directories, kind: str) -> None:
    await one_of_each(directories)
    everything, asked = joined(await parts(replica)), pb.WatchStart.Snapshot(**{f"without_{kind}": True})
    without = joined(await parts(replica, snapshot=asked))
    everything.ClearField(kind)
    assert without == everything


@pytest.mark.parametrize("kept", [0, 2, 3])
async def test_memberships_bear_their_names_however_few_are_kept(
    replica: Process, directories: Directories, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    ids = await one_of_each(directories)
    await directories.fetch("UPDATE directory_user SET hidden = true WHERE id = $1", ids["users"][1])
    everything = joined(await parts(replica)).memberships
    named = [(one.group_name, one.member_name) for one in everything]
    assert sorted(named) == [("Inner", "ada@example.com"), ("Outer", "Inner")]
    monkeypatch.setattr(table, "_NAMES", kept)
    monkeypatch.setattr(app, "_MEMBERSHIPS", 1)
    alone = pb.WatchStart.Snapshot(without_users=True, without_groups=True)
    assert joined(await parts(replica)).memberships == everything
    assert joined(await parts(replica, snapshot=alone)).memberships == everything


async def test_what_applications_do_not_see_is_not_in_it(replica: Process, directories: Directories) -> None:
    ids = await one_of_each(directories)
    await directories.fetch("UPDATE directory_user SET hidden = true WHERE id = $1", ids["users"][0])
    await directories.fetch("UPDATE directory SET state = 'disabled' WHERE id = 'd1'")
    await directories.fetch("UPDATE directory SET state = 'deleted' WHERE id = 'd2'")
    whole = joined(await parts(replica))
    assert [one.id for one in whole.directories] == ["d1", "d3"]
    assert [one.id for one in whole.users] == [ids["users"][1]]
    assert [one.member_id for one in whole.memberships] == [ids["users"][1], ids["groups"][0]]
    assert joined(await parts(replica, directory_ids=["d2"])) == pb.SnapshotPart(complete=True)


async def test_bounds_of_the_credential_and_the_filter_hold(replica: Process, directories: Directories) -> None:
    await one_of_each(directories)
    now = datetime.now(UTC)
    await directories.fetch(
        "INSERT INTO organization (id, name, created_at, updated_at) VALUES ('org_2', 'y', $1, $1)", now
    )
    await directories.fetch("UPDATE directory SET organization_id = 'org_2' WHERE id = 'd2'")
    watch = frozenset({Scope.WATCH})
    replica.callers |= {
        "d1": Caller("d1", watch, directory_ids=frozenset(["d1", "d3"])),
        "org_2": Caller("org_2", watch, organization_ids=frozenset(["org_2"])),
    }
    for caller, filters, wanted in (
        ("all", {}, ["d1", "d2", "d3"]),
        ("d1", {}, ["d1", "d3"]),
        ("d1", {"directory_ids": ["d1"]}, ["d1"]),
        ("org_2", {}, ["d2"]),
        ("all", {"organization_ids": ["org_1"]}, ["d1", "d3"]),
        ("all", {"organization_ids": ["org_1"], "directory_ids": ["d2", "d3"]}, ["d3"]),
        ("all", {"types": ["dsync.group.*"], "directory_ids": ["d2"]}, ["d2"]),
    ):
        whole = joined(await parts(replica, caller=caller, **filters))
        assert [one.id for one in whole.directories] == wanted
        assert {one.directory_id for one in (*whole.users, *whole.groups)} <= set(wanted)
        assert len(whole.users) == 2 * ("d1" in wanted) + ("d2" in wanted)
        assert len(whole.memberships) == 3 * ("d1" in wanted)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await parts(replica, caller="org_2", directory_ids=["d1"])
    assert errors.from_rpc_error(raised.value).reason == "RESOURCE_NOT_FOUND"


async def many(directories: Directories, count: int) -> None:
    """Users in d1, by plain SQL, and a group of all of them."""
    await directories.fetch(
        "INSERT INTO directory_user (directory_id, id, organization_id, user_name, user_key, email_keys, active,"
        " version, document, created_at, updated_at) SELECT 'd1', 'directory_user_' || lpad(n::text, 26, '0'),"
        " 'org_1', 'u' || n, 'u' || n, '{}', true, 1,"
        " jsonb_build_object('userName', 'u' || n, 'x', repeat('y', 3000)), now(), now()"
        " FROM generate_series(1, $1) n",
        count,
    )
    group = await directories.create_group("d1", "Everyone")
    await directories.fetch(
        "INSERT INTO membership (directory_id, group_id, member_id, member_type, created_at)"
        " SELECT 'd1', $1, id, 'User', now() FROM directory_user",
        group,
    )


async def test_parts_are_small_and_in_order_and_a_cut_one_begins_anew(
    replica: Process, directories: Directories
) -> None:
    await many(directories, 3_000)
    call = replica.watch(snapshot=True)
    for _ in range(4):
        await anext(call)
    await call.aclose()
    messages = await parts(replica)
    assert all(message.ByteSize() < 2 * 1024 * 1024 for message in messages)
    whole = joined(messages)
    assert [one.id for one in whole.users] == [f"directory_user_{number:026}" for number in range(1, 3_001)]
    assert [one.member_id for one in whole.memberships] == [one.id for one in whole.users]
    kinds = [next((field.name for field, _ in one.snapshot.ListFields()), "") for one in messages]
    order = ["directories", "groups", "users", "memberships"]
    assert [kind for kind in kinds if kind in order] == sorted(filter(order.__contains__, kinds), key=order.index)


async def test_an_open_snapshot_holds_up_no_writer_and_shows_nothing_of_what_it_writes(
    replica: Process, directories: Directories
) -> None:
    await many(directories, 3_000)
    call, copy = replica.watch(snapshot=True), Copy()
    for _ in range(3):
        copy.take(await anext(call))
    async with asyncio.timeout(PATIENCE):
        late = await directories.create_user("d1", "late")
        first = "directory_user_" + "1".zfill(26)
        await directories.patch("d1", first, {"op": "replace", "path": "title", "value": "changed"})
        await directories.delete("d1", "directory_user_" + "3000".zfill(26))
        # Others go on reading what is written meanwhile.
        seen = await replica.collect(3, beginning=True, directory_ids=["d1"])
    assert len(seen.events) >= 3
    await copy.read(call)
    assert (late in copy.users, copy.users[first], len(copy.users)) == (False, 1, 3_000)
    truth = await stored(directories, *NAMES)
    await copy.read(call, truth.directories)
    assert differences(copy, truth) == []
    await call.aclose()


async def test_a_reader_of_a_snapshot_that_does_not_read_is_ended(database_url: str, directories: Directories) -> None:
    await many(directories, 6_000)
    reading = "SELECT pid FROM pg_stat_activity WHERE state LIKE 'idle in%' AND query LIKE '%directory_user x%'"
    pids: set[int] = set()

    async def begun() -> bool:
        pids.update(row["pid"] for row in await directories.fetch(reading))
        return bool(pids)

    async def over() -> bool:
        # It reads on a connection of its own, which ends with it.
        return not await directories.fetch("SELECT FROM pg_stat_activity WHERE pid = ANY ($1::int[])", pids)

    async with process(database_url, patience=0.5) as replica:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{replica.server.port}") as channel:
            stub = directory_sync_pb2_grpc.DirectorySyncStub(channel)
            call, slow = aiter(replica.watch(stub=stub, snapshot=True)), Seen()
            slow.messages.append(await anext(call))
            # Nothing is read until its transaction is over.
            await eventually(begun)
            await eventually(over)
            await follow(call, slow, 1)
            assert slow.failure.reason == "CONSUMER_TOO_SLOW"
            assert not any(message.snapshot.complete for message in slow.messages)
        assert joined(await parts(replica)).complete


async def test_few_snapshots_are_read_at_once_and_others_wait(
    replica: Process, directories: Directories, monkeypatch: pytest.MonkeyPatch
) -> None:
    await many(directories, 2_000)
    open_calls = [replica.watch(snapshot=True) for _ in range(2)]
    for call in open_calls:
        for _ in range(2):
            await anext(call)
    waiting = replica.watch(snapshot=True, interval=1)
    first, second = await anext(waiting), await anext(waiting)
    assert (first.started, second.started) == (True, False)
    assert second.snapshot == pb.SnapshotPart(), "a sign of life"
    await open_calls.pop().aclose()
    copy = Copy()
    copy.started = True
    await copy.read(waiting)
    assert len(copy.users) == 2_000
    monkeypatch.setattr(replica.feed._snapshots, "_patience", 0.2)
    other, late = replica.watch(snapshot=True), replica.watch(snapshot=True)
    for _ in range(2):
        await anext(other)
    await anext(late)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await anext(late)
    error = errors.from_rpc_error(raised.value)
    assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
    for call in (*open_calls, waiting, other):
        await call.aclose()


async def test_snapshots_of_one_credential_shut_out_no_other(replica: Process, directories: Directories) -> None:
    await many(directories, 2_000)
    replica.callers["other"] = Caller("other", frozenset({Scope.WATCH}))
    slow = [replica.watch(snapshot=True) for _ in range(4)]
    for call in slow:
        await anext(call)
    for call in slow[:2]:
        await anext(call)
    waiting = [asyncio.ensure_future(anext(call)) for call in slow[2:]]
    copy, theirs = Copy(), replica.watch(snapshot=True, caller="other")
    await copy.read(theirs)
    assert len(copy.users) == 2_000
    assert not any(one.done() for one in waiting)
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for call in (*slow, theirs):
        await call.aclose()
