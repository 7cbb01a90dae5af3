"""`/events` as server-sent events (HTML Living Standard 9.2), over the service's own stream."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final

from directorysync.v1 import directory_sync_pb2 as pb
from gateway.exchange import Exchange
from gateway.problems import Problem
from gateway.rest.errors import RestProblem, as_rest, invalid
from gateway.rest.events import event_filter, render
from gateway.rest.parameters import Parameters
from gateway.rest.request import RestRequest

EVENT_STREAM: Final = b"text/event-stream"
_LAST_EVENT_ID: Final = "Last-Event-ID"
_HEARTBEAT_SECONDS: Final = 15
_BATCH: Final = 100
# A comment on a line of its own: clients that take a blank line behind it for an event see none.
_HEARTBEAT: Final = b": heartbeat\n"
_RETRY: Final = b"retry: 1000\n"
_HEADERS: Final = [
    (b"content-type", EVENT_STREAM),
    (b"cache-control", b"no-store"),
    # nginx would hold events back until its buffer is full.
    (b"x-accel-buffering", b"no"),
]


class EventStream:
    """An open stream: `send` writes it until the client, the server or the service ends it."""

    def __init__(self, request: RestRequest, messages: AsyncGenerator[pb.WatchEventsResponse], draining: asyncio.Event):
        self._request = request
        self._messages = messages
        self._draining = draining

    async def send(self, exchange: Exchange) -> None:
        """Write the stream. It ends with a whole event, so that the client resumes behind the last one it saw."""
        await exchange.send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await _chunk(exchange, _RETRY)
        writing = asyncio.create_task(self._write(exchange))
        ends = [writing, asyncio.create_task(_gone(exchange)), asyncio.create_task(self._draining.wait())]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in ends:
                task.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
            await self._messages.aclose()
        if not writing.cancelled() and (error := writing.exception()) is not None and not isinstance(error, Problem):
            raise error
        await exchange.send({"type": "http.response.body", "body": b""})

    async def _write(self, exchange: Exchange) -> None:
        try:
            async for message in self._messages:
                # Waits while the client does not read; the service ends a reader that is too slow.
                await _chunk(exchange, await self._frames(message) if message.events else _HEARTBEAT)
        except Problem as failure:
            exchange.reason = failure.reason
            raise

    async def _frames(self, message: pb.WatchEventsResponse) -> bytes:
        rendered = await render(self._request, message.events)
        frames = zip(message.events, rendered, strict=True)
        return b"".join(
            b"id: %s\nevent: %s\ndata: %s\n\n" % (event.id.encode(), event.type.encode(), data)
            for event, data in frames
        )


async def open_stream(request: RestRequest, draining: asyncio.Event) -> EventStream:
    """A stream whose beginning the service has accepted. Raises Problem."""
    parameters = request.parameters()
    message = pb.WatchEventsRequest(filter=event_filter(parameters), start=_start(request, parameters))
    message.max_batch_size = _BATCH
    message.bookmark_interval.seconds = _HEARTBEAT_SECONDS
    if parameters.text("range_end") or parameters.text("before"):
        raise invalid("range_end" if parameters.text("range_end") else "before", "A stream has no end.")
    messages = request.upstream.stream(request.upstream.sync.WatchEvents, message, request.caller)
    try:
        await anext(messages)
    except Problem as failure:
        raise _named(request, failure) from None
    return EventStream(request, messages, draining)


def wants_stream(exchange: Exchange) -> bool:
    """Whether the request asks for `text/event-stream`."""
    accept = exchange.headers.get(b"accept", b"").lower()
    return any(part.partition(b";")[0].strip() == EVENT_STREAM for part in accept.split(b","))


def _named(request: RestRequest, failure: Problem) -> Problem:
    """The failure with the header at fault, where the place to begin came from it."""
    shown = as_rest(failure)
    if not _last_event_id(request) or not shown.fields or {field for _, field in shown.fields} - {"after"}:
        return failure
    fields = [(code, _LAST_EVENT_ID) for code, _ in shown.fields]
    # The service speaks of its own field, which the request does not have.
    message = shown.detail.replace("after_event_id", _LAST_EVENT_ID).replace("event_id", _LAST_EVENT_ID)
    return RestProblem(shown.rule.status, message, code=shown.code, fields=fields, origin=failure)


def _last_event_id(request: RestRequest) -> str:
    return request.exchange.headers.get(b"last-event-id", b"").strip().decode("latin-1")


def _start(request: RestRequest, parameters: Parameters) -> pb.WatchStart:
    """Behind `Last-Event-ID`, else behind `after`, else from `range_start` on, else now."""
    after = _last_event_id(request) or parameters.identifier("after")
    if len(after) > 256:
        raise invalid(_LAST_EVENT_ID, "Last-Event-ID is not the id of an event.")
    if after:
        return pb.WatchStart(event_id=after)
    time = parameters.time("range_start")
    return pb.WatchStart(now=pb.WatchStart.Now()) if time is None else pb.WatchStart(time=time)


async def _chunk(exchange: Exchange, body: bytes) -> None:
    await exchange.send({"type": "http.response.body", "body": body, "more_body": True})


async def _gone(exchange: Exchange) -> None:
    with contextlib.suppress(OSError):
        while (await exchange.receive())["type"] != "http.disconnect":
            pass
