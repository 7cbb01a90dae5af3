"""A watch delivers whole commands, once each, through every kind of break."""

import asyncio
from contextlib import aclosing

import grpc
import pytest

from directorysync import Client, EventFilter, WatchStart, errors
from tests.support.proxy import tcp_proxy
from tests.unit.client.fake_service import (
    CLEAN,
    DRAINING,
    STAYS_OPEN,
    TOO_SLOW,
    UNAVAILABLE,
    End,
    FakeDirectorySync,
    batch,
    started,
)


async def numbers(client: Client, count: int, **options: object) -> list[int]:
    """Numbers of the first `count` events of a watch."""
    seen: list[int] = []
    async with aclosing(client.watch(**options)) as batches:
        async for one in batches:
            seen += [event.directory_sequence for event in one.events]
            if len(seen) >= count:
                break
    return seen


async def test_first_batch_says_where_the_watch_began(service: FakeDirectorySync, client: Client) -> None:
    service.script = [([started("c0", caught_up=True)], STAYS_OPEN)]
    async with aclosing(client.watch()) as batches:
        first = await anext(batches)
    assert (first.events, first.cursor, first.caught_up) == ((), "c0", True)


async def test_bookmarks_refresh_the_cursor(service: FakeDirectorySync, client: Client) -> None:
    service.script = [([started("c0"), batch("c9", caught_up=True)], STAYS_OPEN)]
    async with aclosing(client.watch()) as batches:
        await anext(batches)
        bookmark = await anext(batches)
    assert (bookmark.events, bookmark.cursor, bookmark.caught_up) == ((), "c9", True)


@pytest.mark.parametrize(
    "end",
    [
        UNAVAILABLE,
        DRAINING,
        TOO_SLOW,
        CLEAN,
        End(grpc.StatusCode.CANCELLED),
        End(grpc.StatusCode.DEADLINE_EXCEEDED),
        End(grpc.StatusCode.ABORTED),
        End(grpc.StatusCode.INTERNAL),
        End(grpc.StatusCode.UNKNOWN),
        End(grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE"),
        End(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", retry=0.01),
    ],
    ids=lambda end: end.reason or end.code.name,
)
async def test_break_is_resumed_behind_the_last_batch(service: FakeDirectorySync, client: Client, end: End) -> None:
    service.script = [
        ([started("c0"), batch("c2", 1, 2)], end),
        ([started("c2"), batch("c3", 3)], STAYS_OPEN),
    ]
    start = WatchStart(beginning=WatchStart.Beginning())
    assert await numbers(client, 3, start=start) == [1, 2, 3]
    assert service.starts == ["beginning", "c2"]


async def test_break_before_the_first_event_resumes_where_the_watch_began(
    service: FakeDirectorySync, client: Client
) -> None:
    service.script = [([started("c7")], UNAVAILABLE), ([started("c7"), batch("c8", 8)], STAYS_OPEN)]
    assert await numbers(client, 1) == [8]
    assert service.starts == ["unset", "c7"]


async def test_resuming_is_not_announced_again(service: FakeDirectorySync, client: Client) -> None:
    service.script = [([started("c0"), batch("c1", 1)], UNAVAILABLE), ([started("c1"), batch("c2", 2)], STAYS_OPEN)]
    async with aclosing(client.watch()) as batches:
        seen = [(await anext(batches)).cursor for _ in range(3)]
    assert seen == ["c0", "c1", "c2"]


async def test_command_in_several_messages_is_delivered_whole(service: FakeDirectorySync, client: Client) -> None:
    parts = [batch("c0", 1, continues=True), batch("c0", 2, continues=True), batch("c3", 3)]
    service.script = [([started("c0"), *parts], STAYS_OPEN)]
    async with aclosing(client.watch()) as batches:
        await anext(batches)
        command = await anext(batches)
    assert [event.directory_sequence for event in command.events] == [1, 2, 3]
    assert command.cursor == "c3"


async def test_command_cut_in_the_middle_is_delivered_once_and_whole(
    service: FakeDirectorySync, client: Client
) -> None:
    service.script = [
        ([started("c0"), batch("c1", 1), batch("c1", 2, continues=True)], UNAVAILABLE),
        ([started("c1"), batch("c1", 2, continues=True), batch("c3", 3)], STAYS_OPEN),
    ]
    assert await numbers(client, 3) == [1, 2, 3]
    assert service.starts == ["unset", "c1"]


async def test_filter_and_settings_are_sent_with_every_call(service: FakeDirectorySync, client: Client) -> None:
    service.script = [([started("c0")], UNAVAILABLE), ([started("c0"), batch("c1", 1)], STAYS_OPEN)]
    wanted = EventFilter(directory_ids=["directory_1"], types=["dsync.user.*"])
    await numbers(client, 1, filter=wanted, max_batch_size=7, bookmark_interval=20)
    for request in service.watched:
        assert request.filter == wanted
        assert request.max_batch_size == 7
        assert request.bookmark_interval.ToMilliseconds() == 20_000
    assert service.credentials == ["Bearer sk_test", "Bearer sk_test"]


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (End(grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED", oldest_cursor="c5"), errors.CursorExpired),
        (End(grpc.StatusCode.OUT_OF_RANGE, "CURSOR_DIVERGED"), errors.CursorDiverged),
        (End(grpc.StatusCode.INVALID_ARGUMENT, "CURSOR_INVALID"), errors.CursorInvalid),
        (End(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"), errors.CredentialsInvalid),
        (End(grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING", scope="watch"), errors.ScopeMissing),
        (End(grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED", limit="streams"), errors.LimitExceeded),
        (End(grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND"), errors.NotFound),
        (End(grpc.StatusCode.UNIMPLEMENTED), errors.DirectorySyncError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
async def test_error_that_resuming_cannot_heal_is_raised(
    service: FakeDirectorySync, client: Client, end: End, kind: type[errors.DirectorySyncError]
) -> None:
    service.script = [([started("c1"), batch("c2", 1)], UNAVAILABLE), ([], end)]
    with pytest.raises(kind) as raised:
        await numbers(client, 2)
    assert raised.value.reason == end.reason
    assert raised.value.code is end.code
    assert raised.value.metadata == end.metadata
    assert len(service.watched) == 2


async def test_fault_that_comes_back_each_time_is_raised_in_the_end(service: FakeDirectorySync, client: Client) -> None:
    fault = End(grpc.StatusCode.INTERNAL, "INTERNAL", request_id="req_1")
    service.script = [([started("c1")], fault)] * 20
    with pytest.raises(errors.ServiceFault) as raised:
        await numbers(client, 1)
    assert raised.value.request_id == "req_1"
    assert 1 < len(service.watched) < 20


async def test_cut_connection_is_resumed(service: FakeDirectorySync, port: int) -> None:
    service.script = [([started("c0"), batch("c1", 1)], STAYS_OPEN), ([started("c1"), batch("c2", 2)], STAYS_OPEN)]
    async with (
        tcp_proxy("127.0.0.1", port) as proxy,
        Client.connect(proxy.address, "sk_test") as client,
        aclosing(client.watch()) as batches,
    ):
        await anext(batches)
        await anext(batches)
        proxy.cut()
        after = await anext(batches)
    assert [event.directory_sequence for event in after.events] == [2]
    assert service.starts == ["unset", "c1"]


async def test_silent_stream_is_replaced(service: FakeDirectorySync, client: Client) -> None:
    service.script = [([started("c0")], STAYS_OPEN), ([started("c0"), batch("c1", 1)], STAYS_OPEN)]
    assert await numbers(client, 1, bookmark_interval=0.1) == [1]
    assert service.starts == ["unset", "c0"]


async def test_server_that_comes_back_later_is_found(service: FakeDirectorySync, port: int) -> None:
    service.script = [([started("c0"), batch("c1", 1)], STAYS_OPEN), ([started("c1"), batch("c2", 2)], STAYS_OPEN)]
    async with (
        tcp_proxy("127.0.0.1", port) as proxy,
        Client.connect(proxy.address, "sk_test") as client,
        aclosing(client.watch()) as batches,
    ):
        await anext(batches)
        await anext(batches)
        proxy.refuse()
        proxy.cut()
        waiting = asyncio.ensure_future(anext(batches))
        while proxy.connections < 3:
            await asyncio.sleep(0.01)
        proxy.accept()
        assert [event.directory_sequence for event in (await waiting).events] == [2]
    assert service.starts == ["unset", "c1"]


async def test_unreachable_server_is_given_up_when_asked(unused_port: int) -> None:
    async with Client.connect(f"127.0.0.1:{unused_port}", "sk_test") as client:
        with pytest.raises(errors.Unavailable):
            await numbers(client, 1, give_up_after=0)
