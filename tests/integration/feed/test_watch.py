"""DESIGN section 4: resumable, atomic, at least once, isolated; and what one stream says when."""

import asyncio
from typing import Any

import grpc
import pytest

from directorysync.v1 import directory_sync_pb2_grpc
from service.domain.caller import Caller, Scope
from service.domain.cursor import FeedCursor, decode
from tests.integration.feed.lab import GROUP, MEMBER, PATIENCE, USER, Log, Process, Seen, eventually, follow, process

WATCH = frozenset({Scope.WATCH})


async def fill(replica: Process, log: Log, directories: list[str], commands: int) -> list[tuple[str, int]]:
    """Commands of one to three events, in turn over the directories; what was written, in order."""
    written = []
    for index in range(commands):
        directory = directories[index % len(directories)]
        count = index % 3 + 1
        newest = await log.append(directory, [USER] * count)
        written += [(directory, seq) for seq in range(newest - count + 1, newest + 1)]
        replica.sequencer.hint()
    return written


async def test_resumable_at_every_cursor_of_a_watch(replica: Process, log: Log) -> None:
    directories = [await log.directory(f"directory_{index}") for index in range(3)]
    written = await fill(replica, log, directories, 12)
    whole = await replica.collect(len(written), beginning=True, batch=2)
    assert whole.numbers == written
    covered = 0
    for message in whole.messages:
        covered += len(message.events)
        if covered == len(written):
            break
        rest = await replica.collect(len(written) - covered, cursor=message.cursor)
        assert rest.numbers == written[covered:]


async def test_resumable_on_another_replica_and_while_events_come(replica: Process, log: Log, shared_url: str) -> None:
    directory = await log.directory("directory_a")
    writing = asyncio.create_task(fill(replica, log, [directory], 60))
    first = await replica.collect(20, beginning=True)
    async with process(shared_url) as other:
        rest = await other.collect(120 - len(first.events), cursor=first.messages[-1].cursor)
    written = await writing
    assert first.numbers + rest.numbers == written


async def test_resumable_within_one_directory_by_its_own_numbers(replica: Process, log: Log) -> None:
    directory, other = await log.directory("directory_a"), await log.directory("directory_b")
    await fill(replica, log, [directory, other], 20)
    seen = await replica.collect(19, beginning=True, directory_ids=[directory], batch=3)
    assert [seq for _, seq in seen.numbers] == list(range(1, len(seen.numbers) + 1))
    covered = 0
    for message in seen.messages[:-1]:
        covered += len(message.events)
        rest = await replica.collect(19 - covered, cursor=message.cursor, directory_ids=[directory])
        assert rest.numbers[0] == (directory, covered + 1)


async def test_a_watch_goes_on_behind_the_cursor_of_a_write_at_once(replica: Process, log: Log) -> None:
    directory = await log.directory("directory_a")
    for _ in range(20):
        # No hint: the write may have no position yet when its cursor is used.
        written = await log.append(directory)
        cursor = replica.feed.cursor_of(directory, written)
        reading = asyncio.create_task(replica.collect(1, cursor=cursor, directory_ids=[directory]))
        await log.append(directory)
        assert (await reading).numbers == [(directory, written + 1)]


async def test_a_cursor_of_one_directory_is_refused_elsewhere(replica: Process, log: Log) -> None:
    directory, other = await log.directory("directory_a"), await log.directory("directory_b")
    cursor = replica.feed.cursor_of(directory, await log.append(directory))
    for filters in ({}, {"directory_ids": [other]}, {"directory_ids": [directory, other]}):
        seen = await replica.collect(1, cursor=cursor, **filters)
        assert seen.failure.reason == "CURSOR_INVALID"
        assert "one directory" in str(seen.failure)


async def test_a_cursor_of_a_wide_watch_holds_in_a_narrow_one(replica: Process, log: Log) -> None:
    directory, other = await log.directory("directory_a"), await log.directory("directory_b")
    written = await fill(replica, log, [directory, other], 10)
    seen = await replica.collect(6, beginning=True, batch=1)
    covered = len(seen.events)
    expected = [event for event in written[covered:] if event[0] == other]
    rest = await replica.collect(len(expected), cursor=seen.messages[-1].cursor, directory_ids=[other])
    assert rest.numbers == expected


async def test_now_begins_behind_everything_that_was_committed(replica: Process, log: Log) -> None:
    directory = await log.directory("directory_a")
    await fill(replica, log, [directory], 6)
    await replica.collect(12, beginning=True)
    for filters in ({}, {"directory_ids": [directory]}):
        seen, call = Seen(), replica.watch(**filters)
        first = await anext(call)
        assert (first.started, first.caught_up, list(first.events)) == (True, True, [])
        newest = await log.append(directory)
        replica.sequencer.hint()
        await follow(call, seen, 1)
        assert seen.numbers == [(directory, newest)]


async def test_atomic_a_command_is_never_parted_up_to_a_thousand_events(replica: Process, log: Log) -> None:
    directory = await log.directory("directory_a")
    live = asyncio.create_task(replica.collect(1_330, beginning=True, batch=10))
    for count in (3, 9, 12, 300, 1, 1, 4, 1000):
        await log.append(directory, [MEMBER] * count)
        replica.sequencer.hint()
    for seen in (await live, await replica.collect(1_330, beginning=True, batch=10)):
        messages = [message for message in seen.messages if message.events]
        assert all(message.events[-1].transaction_end for message in messages)
        assert not any(message.continues for message in messages)
        for message in messages:
            commands = {event.transaction_id for event in message.events}
            assert len(message.events) <= 10 or len(commands) == 1


@pytest.mark.parametrize("narrow", [True, False])
@pytest.mark.parametrize("at_hand", [True, False])
async def test_atomic_a_larger_command_says_that_it_continues(
    replica: Process, shared_url: str, log: Log, narrow: bool, at_hand: bool
) -> None:
    directory = await log.directory("directory_a")
    filters = {"directory_ids": [directory]} if narrow else {}
    origin = replica.origin
    async with process(shared_url, ring_events=20_000 if at_hand else 100) as replica:
        replica.begin(origin)
        live = asyncio.create_task(replica.collect(2_502, beginning=True, **filters))
        await log.append(directory)
        await log.append(directory, [MEMBER] * 2_500)
        await log.append(directory)
        for seen in (await live, await replica.collect(2_502, beginning=True, **filters)):
            assert [seq for _, seq in seen.numbers] == list(range(1, 2_503))
            parts = [message for message in seen.messages if message.continues]
            assert len(parts) == 2
            # A watch that breaks inside the command gets all of it again.
            for part in parts:
                again = await replica.collect(2_501, cursor=part.cursor, **filters)
                assert again.numbers[0] == (directory, 2)
                assert len(again.numbers) == 2_501


async def test_a_command_of_which_only_the_beginning_is_wanted_is_left_behind_whole(replica: Process, log: Log) -> None:
    directory = await log.directory("directory_a")
    for filters in ({}, {"directory_ids": [directory]}):
        live = asyncio.create_task(replica.collect(1, types=[GROUP], **filters))
        await asyncio.sleep(0.05)
        newest = await log.append(directory, [GROUP, MEMBER, MEMBER])
        replica.sequencer.hint()
        seen = await live
        assert [event.type for event in seen.events] == [GROUP]
        after = await log.append(directory, [USER])
        rest = await replica.collect(1, cursor=seen.messages[-1].cursor, **filters)
        assert rest.numbers == [(directory, newest + 1)]
        assert after == newest + 1


async def test_a_huge_command_that_is_filtered_away_ends_what_it_began(replica: Process, log: Log) -> None:
    directory = await log.directory("directory_a")
    live = asyncio.create_task(replica.collect(1_201, types=[GROUP], beginning=True))
    await log.append(directory, [GROUP] * 1_200 + [MEMBER] * 1_500)
    await log.append(directory, [GROUP])
    for seen in (await live, await replica.collect(1_201, types=[GROUP], beginning=True)):
        assert len(seen.events) == 1_201
        assert [message.continues for message in seen.messages].count(True) == 1
        assert seen.messages[-1].continues is False


@pytest.mark.parametrize("bound", ["directories", "organization"])
async def test_a_huge_command_of_others_holds_nobody_up(
    replica: Process, log: Log, shared_url: str, bound: str
) -> None:
    ours, empty = [await log.directory(f"directory_{name}", "org_ours") for name in "ab"]
    theirs = await log.directory("directory_c", "org_theirs")
    await log.append(ours)
    await log.append(theirs, [MEMBER] * 5_500)
    await log.append(ours)
    await log.append(theirs)
    await eventually(log.all_sequenced)
    filters = {"organization_ids": ["org_ours" + log.suffix]} if bound == "organization" else {}
    async with process(shared_url, ring_events=1) as other:
        other.begin(replica.origin)
        await other.collect(5_503, beginning=True)
        seen = await other.collect(2, beginning=True, **(filters or {"directory_ids": [ours, empty]}))
    assert seen.numbers == [(ours, 1), (ours, 2)]


async def test_two_subscribers_with_different_filters_get_what_each_asked_for(replica: Process, log: Log) -> None:
    one, two = await log.directory("directory_a", "org_1"), await log.directory("directory_b", "org_2")
    kinds = [USER, GROUP, MEMBER]
    users = asyncio.create_task(replica.collect(20, types=["dsync.user.*"]))
    exact = asyncio.create_task(replica.collect(20, types=[GROUP, MEMBER]))
    organization = asyncio.create_task(replica.collect(30, organization_ids=["org_2" + log.suffix]))
    directory = asyncio.create_task(replica.collect(10, directory_ids=[one], types=["dsync.group.user_added"]))
    await asyncio.sleep(0.1)
    for _ in range(10):
        await log.append(one, kinds)
        await log.append(two, kinds)
        replica.sequencer.hint()
    assert {event.type for event in (await users).events} == {USER}
    assert {event.type for event in (await exact).events} == {GROUP, MEMBER}
    assert (await organization).numbers == [(two, seq) for seq in range(1, 31)]
    assert (await directory).numbers == [(one, seq) for seq in range(3, 31, 3)]


async def test_isolated_a_bounded_caller_gets_its_own_and_learns_nothing_else(replica: Process, log: Log) -> None:
    one, two = await log.directory("directory_a", "org_1"), await log.directory("directory_b", "org_2")
    replica.callers["of_org_2"] = Caller("1", WATCH, organization_ids=frozenset({"org_2" + log.suffix}))
    replica.callers["of_a"] = Caller("2", WATCH, directory_ids=frozenset({one}))
    for _ in range(5):
        await log.append(one)
        await log.append(two)
    for caller, own in (("of_org_2", two), ("of_a", one)):
        assert (await replica.collect(5, caller=caller, beginning=True)).numbers == [(own, seq) for seq in range(1, 6)]
        page = await replica.page(caller=caller)
        assert {event.directory_id for event in page.events} == {own}
    foreign = [
        {"directory_ids": [one]},
        {"organization_ids": ["org_1" + log.suffix]},
        {"directory_ids": ["directory_x"]},
    ]
    for filters in foreign:
        seen = await replica.collect(1, caller="of_org_2", **filters)
        assert seen.failure.reason == "RESOURCE_NOT_FOUND"
    seen = await replica.collect(1, caller="of_a", organization_ids=["org_2" + log.suffix])
    assert seen.failure.reason == "RESOURCE_NOT_FOUND"


async def test_what_cannot_be_asked_for_is_refused(replica: Process) -> None:
    asked: list[dict[str, Any]] = [
        {"types": ["*"]},
        {"types": ["dsync.*.created"]},
        {"types": [""]},
        {"directory_ids": ["x"] * 1001},
        {"interval": 0.5},
        {"interval": 301},
        {"batch": -1},
    ]
    for how in asked:
        seen = await replica.collect(1, **how)
        assert seen.failure.reason == "ARGUMENT_INVALID"
        assert seen.failure.metadata["field"]


async def test_bookmarks_move_the_cursor_of_a_reader_whose_filter_matches_nothing(replica: Process, log: Log) -> None:
    directory = await log.directory("directory_a")
    call = replica.watch(types=["dsync.deleted"], interval=1)
    origin = decode(replica.origin or "")
    assert isinstance(origin, FeedCursor)
    places = []
    async with asyncio.timeout(PATIENCE):
        async for message in call:
            cursor = decode(message.cursor)
            assert isinstance(cursor, FeedCursor)
            places.append(cursor.position - origin.position)
            if not message.started:
                assert message.caught_up
                assert not message.events
            if len(places) == 3:
                break
            await log.append(directory)
            replica.sequencer.hint()
    await call.aclose()
    assert places == [0, 1, 2]


@pytest.mark.parametrize("at_hand", [True, False])
async def test_a_reader_is_told_at_once_that_it_caught_up(
    replica: Process, shared_url: str, log: Log, at_hand: bool
) -> None:
    directory, idle = await log.directory("directory_a"), await log.directory("directory_b")
    for _ in range(25):
        await log.append(directory, [USER] * 10)
    await eventually(log.all_sequenced)
    async with process(shared_url, ring_events=20_000 if at_hand else 100) as other:
        other.begin(replica.origin)
        for filters, count in (
            ({}, 250),
            ({"directory_ids": [directory]}, 250),
            ({"directory_ids": [directory, idle]}, 250),
            ({"directory_ids": [idle]}, 0),
            ({"types": ["dsync.deleted"]}, 0),
        ):
            call, seen = other.watch(beginning=True, interval=300, **filters), Seen()
            async with asyncio.timeout(PATIENCE):
                async for message in call:
                    seen.messages.append(message)
                    if message.caught_up:
                        break
            await call.aclose()
            assert len(seen.events) == count


async def test_a_revoked_credential_ends_a_running_watch(replica: Process) -> None:
    call = replica.watch(interval=300)
    await anext(call)
    replica.valid = False
    seen = Seen()
    await follow(call, seen, 1)
    assert seen.failure.reason == "CREDENTIALS_INVALID"


async def test_draining_ends_every_watch_and_nothing_is_lost_or_doubled(
    replica: Process, log: Log, shared_url: str
) -> None:
    directory = await log.directory("directory_a")
    async with process(shared_url) as other:
        other.begin(replica.origin)
        calls = [asyncio.create_task(other.collect(10_000, beginning=True)) for _ in range(5)]
        writing = asyncio.create_task(fill(replica, log, [directory], 60))
        await asyncio.sleep(0.15)
        other.feed.drain()
        ended = await asyncio.gather(*calls)
        written = await writing
        for seen in ended:
            assert seen.failure.reason == "SERVER_DRAINING"
            rest = await replica.collect(len(written) - len(seen.events), cursor=seen.messages[-1].cursor)
            assert seen.numbers + rest.numbers == written


async def test_the_same_over_grpc(replica: Process, log: Log) -> None:
    directory = await log.directory("directory_a")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{replica.server.port}") as channel:
        stub = directory_sync_pb2_grpc.DirectorySyncStub(channel)
        reading = asyncio.create_task(replica.collect(19, stub=stub, beginning=True))
        written = await fill(replica, log, [directory], 10)
        seen = await reading
        assert seen.numbers == written
        seen = await replica.collect(1, stub=stub, cursor="nonsense")
        assert seen.failure.reason == "CURSOR_INVALID"
