"""The service as the dispatcher needs it: endpoints, the log, subscriptions, and a place for what was done."""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from directorysync.v1 import directory_sync_pb2 as sync_pb
from directorysync.v1 import events_pb2, resources_pb2, subscriptions_pb2
from directorysync.v1 import webhooks_pb2 as pb
from gateway.problems import Problem, problem_of
from gateway.upstream import Upstream

_Q = TypeVar("_Q")
_R = TypeVar("_R")

_USER_TYPES: Final = frozenset({resources_pb2.MEMBER_TYPE_USER, resources_pb2.MEMBER_TYPE_UNSPECIFIED})
_MAX_MOMENTS: Final = 1_000
LEASE_ENDED: Final = frozenset({"LEASE_LOST", "SUBSCRIPTION_HELD"})
CURSOR_LOST: Final = frozenset({"CURSOR_EXPIRED", "CURSOR_DIVERGED"})


class Entry(NamedTuple):
    """An event, with what a membership event refers to."""

    event: events_pb2.Event
    membership: sync_pb.ResolvedMembership | None


@dataclass(frozen=True, slots=True)
class Page:
    """Events behind a cursor, oldest first."""

    entries: list[Entry]
    cursor: str
    more: bool


class Service:
    """Calls of scope `deliver`. Without a key the channel itself says who calls. Everything raises Problem."""

    def __init__(self, channel: grpc.aio.Channel, deadline: float, api_key: str | None = None) -> None:
        self._upstream = Upstream(channel, deadline)
        self._metadata = () if api_key is None else (("authorization", f"Bearer {api_key}"),)

    async def targets(
        self, version: str = "", after_id: str = "", endpoint_ids: Sequence[str] = ()
    ) -> pb.ListWebhookTargetsResponse:
        """One page."""
        request = pb.ListWebhookTargetsRequest(version=version, after_id=after_id, endpoint_ids=endpoint_ids)
        return await self._call(self._upstream.admin.ListWebhookTargets, request)

    async def record(self, request: pb.RecordWebhookAttemptsRequest) -> None:
        """Keep what was done."""
        await self._call(self._upstream.admin.RecordWebhookAttempts, request)

    async def page(
        self,
        wanted: events_pb2.EventFilter,
        cursor: str,
        size: int,
        *,
        start: Timestamp | None = None,
        end: Timestamp | None = None,
        exact: bool = False,
    ) -> Page:
        """Events behind a cursor, or of a stretch of time. `exact`: never more than `size`."""
        request = sync_pb.ListEventsRequest(
            filter=wanted,
            cursor=cursor,
            page_size=size,
            start_time=None if cursor else start,
            end_time=end,
            exact=exact,
        )
        answer = await self._call(self._upstream.sync.ListEvents, request)
        return Page(await self.resolved(answer.events), answer.cursor, answer.more)

    async def resolved(self, events: Sequence[events_pb2.Event]) -> list[Entry]:
        """The events with what they refer to."""
        moments = [event for event in events if _of_user(event)]
        found: dict[str, sync_pb.ResolvedMembership] = {}
        for first in range(0, len(moments), _MAX_MOMENTS):
            part = moments[first : first + _MAX_MOMENTS]
            request = sync_pb.ResolveMembershipsRequest(moments=map(_moment, part))
            answer = await self._call(self._upstream.sync.ResolveMemberships, request)
            found.update(zip((event.id for event in part), answer.memberships, strict=True))
        return [Entry(event, found.get(event.id)) for event in events]

    async def subscribe(
        self, requests: AsyncIterable[subscriptions_pb2.SubscribeRequest]
    ) -> AsyncGenerator[subscriptions_pb2.SubscribeResponse]:
        """Messages until the requests end; closing the generator ends the call."""
        method: Any = self._upstream.sync.Subscribe
        call = method(requests, metadata=self._metadata)
        try:
            async for message in call:
                yield message
        except grpc.RpcError as error:
            raise problem_of(error) from error
        finally:
            # A channel's call is cancelled, one that stays in the process is a generator.
            if hasattr(call, "cancel"):
                call.cancel()
            else:
                await call.aclose()

    async def _call(self, method: grpc.aio.UnaryUnaryMultiCallable[_Q, _R], request: _Q) -> _R:
        try:
            return await method(request, metadata=self._metadata, timeout=self._upstream.deadline)
        except grpc.RpcError as error:
            raise problem_of(error) from error


def lease_ended(error: BaseException) -> bool:
    """Whether the endpoint is another dispatcher's now, or gone."""
    return isinstance(error, Problem) and (error.reason in LEASE_ENDED or error.reason == "RESOURCE_NOT_FOUND")


def cursor_lost(error: BaseException) -> bool:
    """Whether the log does not reach back to a cursor."""
    return isinstance(error, Problem) and error.reason in CURSOR_LOST


def _of_user(event: events_pb2.Event) -> bool:
    return event.WhichOneof("data") == "membership" and event.membership.member_type in _USER_TYPES


def _moment(event: events_pb2.Event) -> sync_pb.MembershipMoment:
    return sync_pb.MembershipMoment(
        directory_id=event.directory_id,
        directory_sequence=event.directory_sequence,
        group_id=event.membership.group_id,
        user_id=event.membership.member_id,
    )
