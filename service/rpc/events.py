"""DirectorySync: ListEvents and WatchEvents, and how events are put into their messages."""

from collections.abc import AsyncGenerator
from typing import Any

from directorysync.v1 import directory_sync_pb2 as pb
from directorysync.v1 import events_pb2
from service.app.event_list import EventList, Query
from service.app.feed import Feed
from service.app.sealed import Sealed
from service.app.tail_scope import EventFilter
from service.app.tail_start import Content, Edge, EventId, Start
from service.domain.caller import Scope
from service.domain.errors import ArgumentError
from service.rpc.arguments import moment, optional_id, required_id
from service.rpc.edge import Call, Method
from service.rpc.framing import delimited
from service.rpc.paging import page_size
from service.rpc.snapshot import StateFrames

_DEFAULT_BATCH = 100
_MAX_BATCH = 1000
_DEFAULT_INTERVAL = 15.0
_SHORTEST_INTERVAL = 1.0
_LONGEST_INTERVAL = 300.0
_MAX_CURSOR = 1024

# Tags of WatchEventsResponse: field number and wire type.
_EVENTS, _CURSOR, _CAUGHT_UP, _STARTED, _CONTINUES = b"\x0a", b"\x12", b"\x18\x01", b"\x20\x01", b"\x28\x01"
_SNAPSHOT = b"\x32"
# Of SnapshotPart.
_COMPLETE = b"\x28\x01"


class EventWire(StateFrames):
    """Messages by concatenation: stored events go out as they are, and are never parsed on the way.

    WatchEventsResponse and ListEventsResponse both have `repeated Event events = 1`.
    """

    def frame(self, payload: bytes) -> bytes:
        """An element of `events`."""
        return delimited(_EVENTS, payload)

    def message(self, body: bytes, cursor: str, *, caught_up: bool, started: bool, continues: bool) -> Sealed:
        """A WatchEventsResponse."""
        tail = delimited(_CURSOR, cursor.encode())
        if caught_up:
            tail += _CAUGHT_UP
        if started:
            tail += _STARTED
        if continues:
            tail += _CONTINUES
        return Sealed(body + tail, cursor)

    def part(self, body: bytes, cursor: str, *, started: bool, complete: bool) -> Sealed:
        """A WatchEventsResponse with a part of a snapshot."""
        message = delimited(_SNAPSHOT, body + _COMPLETE if complete else body)
        if cursor:
            message += delimited(_CURSOR, cursor.encode())
        return Sealed(message + _STARTED if started else message, cursor)


class EventHandlers:
    """Check, convert, call, convert."""

    def __init__(self, feed: Feed, events: EventList) -> None:
        self._feed = feed
        self._list = events

    def methods(self) -> list[Method]:
        """ListEvents and WatchEvents."""
        path = f"/{pb.DESCRIPTOR.services_by_name['DirectorySync'].full_name}"
        scopes = (Scope.WATCH,)
        return [
            Method(f"{path}/ListEvents", pb.ListEventsRequest, pb.ListEventsResponse, scopes, unary=self.list_events),
            Method(
                f"{path}/WatchEvents", pb.WatchEventsRequest, pb.WatchEventsResponse, scopes, stream=self.watch_events
            ),
        ]

    async def list_events(self, request: pb.ListEventsRequest, call: Call) -> pb.ListEventsResponse:
        """ListEvents."""
        query = Query(
            page_size(request.page_size),
            cursor=_cursor(request.cursor),
            after=optional_id(request.after_event_id, "after_event_id"),
            since=moment(request, "start_time"),
            until=moment(request, "end_time"),
            descending=request.descending,
            exact=request.exact,
        )
        page = await self._list.page(call.caller, _filter(request.filter), query)
        response = pb.ListEventsResponse.FromString(page.body)
        response.cursor, response.more = page.cursor, page.more
        return response

    def watch_events(self, request: pb.WatchEventsRequest, call: Call) -> AsyncGenerator[Sealed]:
        """WatchEvents."""
        return self._feed.watch(
            call.caller,
            _filter(request.filter),
            _start(request.start),
            limit=_batch_size(request.max_batch_size),
            interval=_interval(request),
        )


def _filter(value: events_pb2.EventFilter) -> EventFilter:
    return EventFilter(tuple(value.directory_ids), tuple(value.organization_ids), tuple(value.types))


def _cursor(value: str) -> str:
    if len(value) > _MAX_CURSOR:
        raise ArgumentError("cursor is too long", field="cursor")
    return value


def _start(start: pb.WatchStart) -> Start:
    position = start.WhichOneof("position")
    if position == "beginning":
        return Edge.BEGINNING
    if position == "cursor":
        return _cursor(start.cursor)
    if position == "event_id":
        return EventId(required_id(start.event_id, "event_id"))
    if position == "snapshot":
        asked = start.snapshot
        return Content(not asked.without_groups, not asked.without_users, not asked.without_memberships)
    time = moment(start, "time")
    return Edge.NOW if time is None else time


def _batch_size(value: int) -> int:
    if value < 0:
        raise ArgumentError("max_batch_size is negative", field="max_batch_size")
    return min(value or _DEFAULT_BATCH, _MAX_BATCH)


def _interval(request: Any) -> float:
    if not request.HasField("bookmark_interval"):
        return _DEFAULT_INTERVAL
    seconds = float(request.bookmark_interval.seconds + request.bookmark_interval.nanos / 1e9)
    if not _SHORTEST_INTERVAL <= seconds <= _LONGEST_INTERVAL:
        detail = f"bookmark_interval must be from {_SHORTEST_INTERVAL:g} s to {_LONGEST_INTERVAL:g} s"
        raise ArgumentError(detail, field="bookmark_interval")
    return seconds
