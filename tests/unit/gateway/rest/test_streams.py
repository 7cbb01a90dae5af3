"""`/events` as a stream."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import grpc
import httpx
import pytest

from directorysync.v1 import directory_sync_pb2 as pb
from gateway.app import Gateway
from tests.unit.gateway.conftest import TOKEN, MakeApp, Serving
from tests.unit.gateway.fake_upstream import FakeChannel, rpc_error
from tests.unit.gateway.rest.test_events import event

STREAM = {"authorization": f"Bearer {TOKEN}", "accept": "text/event-stream"}
STARTED = pb.WatchEventsResponse(started=True, cursor="c")


class Feed:
    """A stream of the service that a test fills."""

    def __init__(self, channel: FakeChannel) -> None:
        self.queue: asyncio.Queue[pb.WatchEventsResponse | Exception] = asyncio.Queue()
        self.queue.put_nowait(STARTED)
        self.closed = asyncio.Event()
        channel.streams["WatchEvents"] = self._read

    async def _read(self, _request: Any) -> AsyncGenerator[pb.WatchEventsResponse]:
        try:
            while True:
                message = await self.queue.get()
                if isinstance(message, Exception):
                    raise message
                yield message
        finally:
            self.closed.set()

    def events(self, *numbers: int) -> None:
        self.queue.put_nowait(pb.WatchEventsResponse(events=[event(number) for number in numbers], cursor="c"))


@pytest.fixture
def feed(channel: FakeChannel) -> Feed:
    return Feed(channel)


@pytest.fixture
def app(make_app: MakeApp) -> Gateway:
    return make_app()


async def read_until(lines: Any, end: str) -> list[str]:
    found: list[str] = []
    async for line in lines:
        found.append(line)
        if line == end:
            return found
    raise AssertionError(f"{end!r} did not come, only {found}")


async def test_events_arrive_as_they_happen_with_id_and_type(app: Gateway, feed: Feed, serving: Serving) -> None:
    async with serving(app) as server, httpx.AsyncClient(headers=STREAM) as client:
        async with client.stream("GET", f"http://127.0.0.1:{server.port}/events") as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "text/event-stream"
            assert answer.headers["x-request-id"]
            lines = answer.aiter_lines()
            assert await anext(lines) == "retry: 1000"
            feed.events(1)
            first = await read_until(lines, "")
            assert first[:2] == ["id: event_1", "event: dsync.user.created"]
            assert first[2].startswith('data: {"object":"event","id":"event_1","event":"dsync.user.created","data":{')
            # An idle stream says so, in a line that no client takes for an event.
            feed.queue.put_nowait(pb.WatchEventsResponse(cursor="c", caught_up=True))
            assert await anext(lines) == ": heartbeat"
            feed.events(2, 3)
            assert (await read_until(lines, ""))[0] == "id: event_2"
            assert (await read_until(lines, ""))[0] == "id: event_3"
        await asyncio.wait_for(feed.closed.wait(), 10)


@pytest.mark.parametrize(
    ("query", "headers", "start"),
    [
        ("", {}, pb.WatchStart(now=pb.WatchStart.Now())),
        ("?after=event_7", {}, pb.WatchStart(event_id="event_7")),
        ("?after=event_7", {"last-event-id": "event_9"}, pb.WatchStart(event_id="event_9")),
        ("?range_start=1970-01-01T00:00:05Z", {}, pb.WatchStart(time={"seconds": 5})),
        ("?range_start=1970-01-01T00:00:05Z", {"last-event-id": "event_9"}, pb.WatchStart(event_id="event_9")),
    ],
)
async def test_where_a_stream_begins(
    app: Gateway, feed: Feed, channel: FakeChannel, query: str, headers: dict[str, str], start: pb.WatchStart
) -> None:
    feed.queue.put_nowait(rpc_error(grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING", "gone"))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, headers=STREAM | headers) as client:
        answer = await client.get(f"http://gateway.test/events{query}")
    assert (answer.status_code, answer.text) == (200, "retry: 1000\n")
    request = channel.calls[0].request
    assert request.start == start
    assert request.bookmark_interval.seconds == 15
    assert channel.calls[0].timeout is None


@pytest.mark.parametrize(
    ("reason", "code", "status"),
    [
        ("CREDENTIALS_INVALID", grpc.StatusCode.UNAUTHENTICATED, 401),
        ("CURSOR_EXPIRED", grpc.StatusCode.OUT_OF_RANGE, 422),
        ("CURSOR_INVALID", grpc.StatusCode.INVALID_ARGUMENT, 422),
    ],
)
async def test_a_stream_that_cannot_begin_is_an_ordinary_error(
    app: Gateway, channel: FakeChannel, reason: str, code: grpc.StatusCode, status: int
) -> None:
    async def refused(_request: Any) -> AsyncGenerator[pb.WatchEventsResponse]:
        raise rpc_error(code, reason, "no")
        yield STARTED

    channel.streams["WatchEvents"] = refused
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), headers=STREAM) as client:
        answer = await client.get("http://gateway.test/events?after=event_1")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")


async def test_a_stream_has_no_end_to_ask_for(app: Gateway, channel: FakeChannel) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), headers=STREAM) as client:
        answer = await client.get("http://gateway.test/events?range_end=2026-01-01T00:00:00Z")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "range_end")
    assert not channel.calls


async def test_a_drain_ends_streams_between_events_and_opens_no_more(
    app: Gateway, feed: Feed, serving: Serving
) -> None:
    async with serving(app) as server, httpx.AsyncClient(headers=STREAM) as client:
        url = f"http://127.0.0.1:{server.port}/events"
        async with client.stream("GET", url) as answer:
            lines = answer.aiter_lines()
            feed.events(1)
            await read_until(lines, "")
            app.drain()
            assert [line async for line in lines] == []
        assert feed.closed.is_set()
        again = await client.get(url)
        assert (again.status_code, again.headers["retry-after"]) == (503, "1")


async def test_what_the_service_ends_ends_after_a_whole_event(app: Gateway, feed: Feed) -> None:
    feed.events(1)
    feed.queue.put_nowait(rpc_error(grpc.StatusCode.RESOURCE_EXHAUSTED, "CONSUMER_TOO_SLOW", "slow"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), headers=STREAM) as client:
        answer = await client.get("http://gateway.test/events")
    assert answer.text.endswith("}\n\n")


async def test_head_answers_without_opening_a_stream(app: Gateway, channel: FakeChannel) -> None:
    channel.replies["ListEvents"] = pb.ListEventsResponse()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), headers=STREAM) as client:
        assert (await client.head("http://gateway.test/events")).status_code == 200
