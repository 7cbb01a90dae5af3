"""`/events`: the log by pages, or as a stream where `text/event-stream` is asked for."""

from collections.abc import Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from directorysync.v1 import directory_sync_pb2 as pb
from directorysync.v1.events_pb2 import Event, EventFilter
from directorysync.v1.resources_pb2 import MEMBER_TYPE_USER
from gateway.exchange import Answer
from gateway.rest.errors import invalid
from gateway.rest.parameters import Page, Parameters
from gateway.rest.request import RestRequest
from gateway.workos.events import render_event

_JSON: Final = (b"content-type", b"application/json")


async def page_of_events(request: RestRequest) -> Answer:
    """GET: 200, oldest first unless another order is asked for."""
    parameters = request.parameters()
    page = parameters.page()
    if page.after and page.before:
        raise invalid("before", "Either after or before.")
    if not parameters.has_order:
        page = Page(page.limit, page.after, page.before, "asc")
    message, flipped = _list_request(parameters, page)
    reply = await request.call(request.upstream.sync.ListEvents, message)
    events, more = _since(parameters.time("range_start"), reply)
    rendered = await render(request, events)
    if flipped:
        rendered.reverse()
        events.reverse()
    ids = [event.id for event in events]
    return Answer(200, [_JSON], _envelope(rendered, page.envelope(ids, ids, more=more)["list_metadata"]["after"]))


def event_filter(parameters: Parameters) -> EventFilter:
    """Which events are wanted; WorkOS needs a type, here none means all. Raises 422."""
    return EventFilter(
        types=parameters.texts("events"),
        organization_ids=parameters.texts("organization_id"),
        directory_ids=parameters.texts("directory_id"),
    )


async def render(request: RestRequest, events: Sequence[Event]) -> list[bytes]:
    """Each event as JSON, with what its membership refers to."""
    moments = [
        pb.MembershipMoment(
            directory_id=event.directory_id,
            directory_sequence=event.directory_sequence,
            group_id=event.membership.group_id,
            user_id=event.membership.member_id,
        )
        for event in events
        if _is_membership(event)
    ]
    resolved: list[pb.ResolvedMembership] = []
    for start in range(0, len(moments), 1_000):
        message = pb.ResolveMembershipsRequest(moments=moments[start : start + 1_000])
        reply = await request.call(request.upstream.sync.ResolveMemberships, message)
        resolved.extend(reply.memberships)
    memberships = iter(resolved)
    return [render_event(event, next(memberships, None) if _is_membership(event) else None) for event in events]


def _is_membership(event: Event) -> bool:
    return event.HasField("membership") and event.membership.member_type == MEMBER_TYPE_USER


def _list_request(parameters: Parameters, page: Page) -> tuple[pb.ListEventsRequest, bool]:
    """The request, and whether its answer is in the reverse of the order asked for: the page that ends at an event is
    read from that event backwards.
    """
    window = page.window
    message = pb.ListEventsRequest(
        filter=event_filter(parameters),
        page_size=page.limit,
        after_event_id=window.after_id or window.before_id,
        descending=window.descending != bool(window.before_id),
        end_time=parameters.time("range_end"),
        exact=True,
    )
    start = parameters.time("range_start")
    # The official clients repeat range_start on every page, where the service takes one or the other; see `_since`.
    if start is not None and not message.after_event_id:
        message.start_time.CopyFrom(start)
    return message, bool(window.before_id)


def _since(start: Timestamp | None, reply: pb.ListEventsResponse) -> tuple[list[Event], bool]:
    """Events from a time on, and whether there are more: what is older ends a page that is read backwards."""
    if start is None:
        return list(reply.events), reply.more
    least = (start.seconds, start.nanos)
    kept = [event for event in reply.events if (event.create_time.seconds, event.create_time.nanos) >= least]
    ended = bool(reply.events) and reply.events[-1] not in kept[-1:]
    return kept, reply.more and not ended


def _envelope(rendered: Sequence[bytes], after: str | None) -> bytes:
    cursor = b"null" if after is None else b'"%s"' % after.encode()
    data = b",".join(rendered)
    return b'{"object":"list","data":[%s],"list_metadata":{"before":null,"after":%s}}' % (data, cursor)
