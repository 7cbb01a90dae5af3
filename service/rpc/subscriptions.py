"""Named subscriptions: DirectoryAdmin makes and moves them, DirectorySync.Subscribe reads them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from google.protobuf.duration_pb2 import Duration

from directorysync.v1 import directory_admin_pb2 as admin_pb2
from directorysync.v1 import directory_sync_pb2 as sync_pb2
from directorysync.v1 import subscriptions_pb2 as pb
from directorysync.v1.events_pb2 import EventFilter as FilterMessage
from service.app.sealed import Sealed
from service.app.subscription_reader import Ack, Begin, Control, Credit, Marks, Nack, Readers
from service.app.subscriptions import Behind, Position, Subscriptions
from service.app.tail_scope import EventFilter
from service.app.tail_start import Edge
from service.domain.caller import Scope
from service.domain.errors import ArgumentError
from service.domain.naming import check_name
from service.domain.subscription import DEFAULT_CREDIT, MAX_CONSUMER, MAX_ERROR, Subscription, check_credit
from service.rpc.arguments import moment, required_id
from service.rpc.convert import timestamp
from service.rpc.edge import Call, Method, UnaryHandler
from service.rpc.methods import unary_methods
from service.rpc.paging import page_of

_DEFAULT_BATCH = 100
_MAX_BATCH = 1_000
_MAX_CURSOR = 1_024
_DEFAULT_INTERVAL = 15.0
_INTERVALS = (1.0, 300.0)
_WAITS = (0.0, 300.0)
_DELAYS = (0.0, 3_600.0)
_BEGIN_SECONDS = 30.0


class SubscriptionHandlers:
    """Check, convert, call, convert."""

    def __init__(self, subscriptions: Subscriptions, readers: Readers) -> None:
        self._subscriptions = subscriptions
        self._readers = readers

    def methods(self) -> list[Method]:
        """Five RPCs of DirectoryAdmin, and Subscribe. Subscribe checks its scopes itself: they depend on the kind."""
        handlers: dict[str, UnaryHandler] = {
            "CreateSubscription": self.create,
            "GetSubscription": self.get,
            "ListSubscriptions": self.list_page,
            "ResetSubscription": self.reset,
            "DeleteSubscription": self.delete,
        }
        path = f"/{sync_pb2.DESCRIPTOR.services_by_name['DirectorySync'].full_name}/Subscribe"
        subscribe = Method(path, pb.SubscribeRequest, pb.SubscribeResponse, (), duplex=self.subscribe)
        return [*unary_methods(admin_pb2.DESCRIPTOR, "DirectoryAdmin", (Scope.ADMIN,), handlers), subscribe]

    async def create(self, request: pb.CreateSubscriptionRequest, call: Call) -> pb.CreateSubscriptionResponse:
        """CreateSubscription."""
        made = await self._subscriptions.create(
            call.caller, request.name, _filter(request.filter), _position(request.position)
        )
        return pb.CreateSubscriptionResponse(subscription=_message(made))

    async def get(self, request: pb.GetSubscriptionRequest, call: Call) -> pb.GetSubscriptionResponse:
        """GetSubscription."""
        found = await self._subscriptions.get(call.caller, required_id(request.subscription, "subscription"))
        return pb.GetSubscriptionResponse(subscription=_message(found))

    async def list_page(self, request: pb.ListSubscriptionsRequest, call: Call) -> pb.ListSubscriptionsResponse:
        """ListSubscriptions."""
        page, token = await page_of(
            request,
            lambda after, limit: self._subscriptions.page(call.caller, after, limit),
            lambda subscription: subscription.id,
        )
        return pb.ListSubscriptionsResponse(
            subscriptions=[_message(subscription) for subscription in page], next_page_token=token
        )

    async def reset(self, request: pb.ResetSubscriptionRequest, call: Call) -> pb.ResetSubscriptionResponse:
        """ResetSubscription."""
        name = required_id(request.subscription, "subscription")
        if request.position.WhichOneof("position") is None:
            raise ArgumentError("position is needed", field="position")
        found = await self._subscriptions.reset(call.caller, name, _position(request.position))
        return pb.ResetSubscriptionResponse(subscription=_message(found))

    async def delete(self, request: pb.DeleteSubscriptionRequest, call: Call) -> pb.DeleteSubscriptionResponse:
        """DeleteSubscription."""
        await self._subscriptions.delete(call.caller, required_id(request.subscription, "subscription"))
        return pb.DeleteSubscriptionResponse()

    async def subscribe(self, requests: AsyncIterator[pb.SubscribeRequest], call: Call) -> AsyncGenerator[Sealed]:
        """Subscribe."""
        begin = _begin(await _first(requests))
        async with aclosing(self._readers.read(call.caller, begin, _controls(requests))) as messages:
            async for message in messages:
                yield message


class SubscribeWire:
    """Messages by concatenation: stored events go out as they are. `events` is field 1, as in frames of the feed."""

    def message(self, body: bytes, cursor: str, marks: Marks) -> Sealed:
        """A SubscribeResponse."""
        rest = pb.SubscribeResponse(
            cursor=cursor,
            caught_up=marks.caught_up,
            started=marks.started,
            continues=marks.continues,
            lease_epoch=marks.lease_epoch,
            redelivery_count=marks.redelivered,
        )
        return Sealed(body + rest.SerializeToString(), cursor)


async def _first(requests: AsyncIterator[pb.SubscribeRequest]) -> pb.SubscribeRequest:
    try:
        async with asyncio.timeout(_BEGIN_SECONDS):
            first = await anext(requests, None)
    except TimeoutError:
        first = None
    if first is None or first.WhichOneof("message") != "begin":
        raise ArgumentError("the first message has to be `begin`", field="begin")
    return first


def _begin(request: pb.SubscribeRequest) -> Begin:
    begin = request.begin
    if len(begin.consumer) > MAX_CONSUMER:
        raise ArgumentError(f"consumer has more than {MAX_CONSUMER} characters", field="consumer")
    if begin.max_batch_size < 0:
        raise ArgumentError("max_batch_size is negative", field="max_batch_size")
    return Begin(
        subscription=required_id(begin.subscription, "subscription"),
        consumer=check_name(begin.consumer, "consumer"),
        credit=check_credit(begin.credit or DEFAULT_CREDIT),
        batch=min(begin.max_batch_size or _DEFAULT_BATCH, _MAX_BATCH),
        takeover=begin.takeover,
        wait=_seconds(begin, "wait", 0.0, _WAITS),
        interval=_seconds(begin, "bookmark_interval", _DEFAULT_INTERVAL, _INTERVALS),
    )


async def _controls(requests: AsyncIterator[pb.SubscribeRequest]) -> AsyncGenerator[Control]:
    async for request in requests:
        match request.WhichOneof("message"):
            case "ack":
                yield Ack(_cursor(request.ack.cursor))
            case "nack":
                if len(request.nack.reason) > MAX_ERROR or "\0" in request.nack.reason:
                    raise ArgumentError(f"reason has more than {MAX_ERROR} characters, or NUL", field="nack.reason")
                yield Nack(_seconds(request.nack, "delay", 0.0, _DELAYS), request.nack.reason)
            case "credit":
                yield Credit(request.credit.events)
            case "begin":
                raise ArgumentError("`begin` comes once", field="begin")
            # What a newer client says besides is not for this release.


def _filter(value: FilterMessage) -> EventFilter:
    return EventFilter(tuple(value.directory_ids), tuple(value.organization_ids), tuple(value.types))


def _position(value: pb.SubscriptionPosition) -> Position:
    kind = value.WhichOneof("position")
    if kind in ("beginning", "now") and not getattr(value, kind):
        raise ArgumentError(f"position.{kind} can only be true", field=f"position.{kind}")
    match kind:
        case "beginning":
            return Edge.BEGINNING
        case "cursor":
            return _cursor(value.cursor)
        case "event_id":
            return Behind(required_id(value.event_id, "position.event_id"))
    return moment(value, "time") or Edge.NOW


def _cursor(value: str) -> str:
    if not value or len(value) > _MAX_CURSOR:
        raise ArgumentError("cursor is missing or too long", field="cursor")
    return value


def _seconds(message: Any, field: str, default: float, bounds: tuple[float, float]) -> float:
    if not message.HasField(field):
        return default
    value: Duration = getattr(message, field)
    seconds = float(value.seconds + value.nanos / 1e9)
    low, high = bounds
    if not low <= seconds <= high:
        raise ArgumentError(f"{field} must be from {low:g} s to {high:g} s", field=field)
    return seconds


def _message(value: Subscription) -> pb.Subscription:
    lag_time = Duration()
    lag_time.FromTimedelta(value.lag_time)
    return pb.Subscription(
        id=value.id,
        name=value.name,
        filter=FilterMessage(
            directory_ids=value.directory_ids, organization_ids=value.organization_ids, types=value.types
        ),
        cursor=value.cursor,
        create_time=timestamp(value.created_at),
        acknowledge_time=timestamp(value.acked_at),
        lag=value.lag,
        lag_time=lag_time,
        consumer=value.consumer,
        lease_expire_time=timestamp(value.lease_until),
        lease_epoch=value.lease_epoch,
        redelivery_count=value.redelivery_count,
        last_error=value.last_error,
        last_error_time=timestamp(value.last_error_at),
    )
