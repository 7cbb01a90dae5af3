"""Webhook values to protobuf and back, in one place."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration

from directorysync.v1 import events_pb2
from directorysync.v1 import webhooks_pb2 as pb
from service.app.tail_scope import EventFilter
from service.domain.errors import ArgumentError
from service.domain.webhook import (
    MAX_BODY,
    MAX_REASON,
    MAX_URL,
    Attempt,
    Delivery,
    DeliveryState,
    Endpoint,
    Lane,
    Record,
    Replay,
    Target,
)
from service.rpc.arguments import moment, optional_id, required_id
from service.rpc.convert import timestamp

_STATES = {
    DeliveryState.RETRYING: pb.WEBHOOK_DELIVERY_STATE_RETRYING,
    DeliveryState.SUCCEEDED: pb.WEBHOOK_DELIVERY_STATE_SUCCEEDED,
    DeliveryState.FAILED: pb.WEBHOOK_DELIVERY_STATE_FAILED,
}
_STATE_OF = {number: state for state, number in _STATES.items()}
_MAX_ATTEMPTS = 100
_MAX_RECORDED = 1_000
_MAX_CURSOR = 1_024
_MAX_WORD = 32
_MAX_TYPE = 128


def event_filter(message: events_pb2.EventFilter) -> EventFilter:
    """events.proto -> EventFilter."""
    return EventFilter(tuple(message.directory_ids), tuple(message.organization_ids), tuple(message.types))


def delivery_state(number: "pb.WebhookDeliveryState.ValueType") -> DeliveryState | None:
    """None for an unspecified one."""
    if number == pb.WEBHOOK_DELIVERY_STATE_UNSPECIFIED:
        return None
    if number not in _STATE_OF:
        raise ArgumentError("state is none of WebhookDeliveryState", field="state")
    return _STATE_OF[number]


def endpoint(value: Endpoint) -> pb.WebhookEndpoint:
    """Endpoint -> webhooks.proto."""
    return pb.WebhookEndpoint(
        id=value.id,
        endpoint_url=value.url,
        filter=events_pb2.EventFilter(
            directory_ids=value.directory_ids, organization_ids=value.organization_ids, types=value.types
        ),
        status=pb.WEBHOOK_ENDPOINT_STATUS_ENABLED if value.enabled else pb.WEBHOOK_ENDPOINT_STATUS_DISABLED,
        status_reason=value.status_reason,
        secrets=[
            pb.WebhookSecret(
                value=secret.value, create_time=timestamp(secret.created_at), expire_time=timestamp(secret.expires_at)
            )
            for secret in value.secrets
        ],
        create_time=timestamp(value.created_at),
        update_time=timestamp(value.updated_at),
        failing_since_time=timestamp(value.failing_since),
        subscription_id=value.subscription_id,
        description=value.description,
    )


def delivery(value: Delivery) -> pb.WebhookDelivery:
    """Delivery -> webhooks.proto."""
    return pb.WebhookDelivery(
        id=value.id,
        endpoint_id=value.endpoint_id,
        event_id=value.event_id,
        event_type=value.event_type,
        directory_id=value.directory_id,
        state=_STATES[value.state],
        attempt_count=value.attempt_count,
        create_time=timestamp(value.created_at),
        update_time=timestamp(value.updated_at),
        next_attempt_time=timestamp(value.next_attempt_at),
        response_status=value.response_status,
        attempts=[_attempt(one) for one in value.attempts],
        error=value.error,
    )


def replay(value: Replay) -> pb.WebhookReplay:
    """Replay -> webhooks.proto."""
    message = pb.WebhookReplay(
        id=value.id,
        endpoint_id=value.endpoint_id,
        create_time=timestamp(value.created_at),
        complete_time=timestamp(value.completed_at),
        delivered_count=value.delivered_count,
        cursor=value.cursor,
        error=value.error,
    )
    if value.event_id:
        message.event_id = value.event_id
    elif value.test_event_type:
        message.test_event_type = value.test_event_type
    else:
        message.range.CopyFrom(
            pb.WebhookReplayRange(start_time=timestamp(value.start_at), end_time=timestamp(value.end_at))
        )
    return message


def target(value: Target) -> pb.WebhookTarget:
    """Target -> webhooks.proto."""
    return pb.WebhookTarget(
        endpoint=endpoint(value.endpoint),
        lanes=[_lane(lane) for lane in value.lanes],
        replays=[replay(one) for one in value.replays],
        consumer=value.consumer,
        lease_expire_time=timestamp(value.lease_until),
    )


def wanted_replay(request: pb.ReplayWebhookRequest, replay_id: str, now: datetime) -> Replay:
    """What is asked for, as a value. A stretch without an end ends now."""
    what = request.WhichOneof("what")
    event_id = start_at = end_at = None
    if what == "event_id":
        event_id = required_id(request.event_id, "event_id")
    elif what == "range":
        start_at = moment(request.range, "start_time")
        if start_at is None:
            raise ArgumentError("range.start_time is needed", field="range.start_time")
        end_at = moment(request.range, "end_time") or now
    elif what != "test_event_type":
        raise ArgumentError("event_id, range or test_event_type is needed", field="what")
    return Replay(
        id=replay_id,
        endpoint_id=request.endpoint_id,
        created_at=now,
        event_id=event_id or "",
        start_at=start_at,
        end_at=end_at,
        test_event_type=required_id(request.test_event_type, "test_event_type") if what == "test_event_type" else "",
    )


def record(request: pb.RecordWebhookAttemptsRequest) -> Record:
    """RecordWebhookAttemptsRequest -> Record."""
    if len(request.deliveries) > _MAX_RECORDED or len(request.lanes) > _MAX_RECORDED:
        raise ArgumentError(f"more than {_MAX_RECORDED} deliveries or lanes", field="deliveries")
    endpoint_id = required_id(request.endpoint_id, "endpoint_id")
    return Record(
        endpoint_id=endpoint_id,
        lease_epoch=request.lease_epoch,
        deliveries=[_delivery_from(one) for one in request.deliveries],
        lanes=[_lane_from(one) for one in request.lanes],
        ended_lanes=[required_id(one, "ended_lanes") for one in request.ended_lanes],
        cursor=_short(request.cursor, _MAX_CURSOR, "cursor"),
        replays=[_replay_from(one, endpoint_id) for one in request.replays],
        disable_reason=request.disable_reason[:MAX_REASON],
        failing_since=moment(request, "failing_since_time"),
    )


def _attempt(value: Attempt) -> pb.WebhookAttempt:
    duration = Duration()
    duration.FromTimedelta(value.duration)
    return pb.WebhookAttempt(
        number=value.number,
        create_time=timestamp(value.at),
        duration=duration,
        response_status=value.status,
        error=value.error,
        response_body=value.body,
        endpoint_url=value.url,
    )


def _lane(value: Lane) -> pb.WebhookLane:
    return pb.WebhookLane(
        directory_id=value.directory_id,
        directory_sequence=value.directory_seq,
        attempt_count=value.attempt_count,
        next_attempt_time=timestamp(value.next_attempt_at),
        delivery_id=value.delivery_id,
        cursor=value.cursor,
    )


def _attempt_from(message: pb.WebhookAttempt) -> Attempt:
    return Attempt(
        number=message.number,
        at=_time(message, "create_time"),
        duration=message.duration.ToTimedelta() if message.HasField("duration") else timedelta(),
        status=message.response_status,
        error=_short(message.error, _MAX_WORD, "error"),
        body=message.response_body[:MAX_BODY],
        url=_short(message.endpoint_url, MAX_URL, "endpoint_url"),
    )


def _delivery_from(message: pb.WebhookDelivery) -> Delivery:
    state = delivery_state(message.state)
    if state is None:
        raise ArgumentError("a delivery needs a state", field="state")
    return Delivery(
        id=required_id(message.id, "id"),
        event_id=required_id(message.event_id, "event_id"),
        event_type=_short(message.event_type, _MAX_TYPE, "event_type"),
        directory_id=optional_id(message.directory_id, "directory_id"),
        state=state,
        attempt_count=message.attempt_count,
        created_at=_time(message, "create_time"),
        updated_at=_time(message, "update_time"),
        next_attempt_at=moment(message, "next_attempt_time"),
        response_status=message.response_status,
        attempts=_attempts_from(message.attempts),
    )


def _attempts_from(messages: Sequence[pb.WebhookAttempt]) -> tuple[Attempt, ...]:
    if len(messages) > _MAX_ATTEMPTS:
        raise ArgumentError(f"more than {_MAX_ATTEMPTS} attempts of one delivery", field="attempts")
    return tuple(_attempt_from(one) for one in messages)


def _lane_from(message: pb.WebhookLane) -> Lane:
    return Lane(
        directory_id=required_id(message.directory_id, "directory_id"),
        directory_seq=message.directory_sequence,
        attempt_count=message.attempt_count,
        next_attempt_at=_time(message, "next_attempt_time"),
        delivery_id=optional_id(message.delivery_id, "delivery_id"),
        cursor=_short(message.cursor, _MAX_CURSOR, "cursor"),
    )


def _replay_from(message: pb.WebhookReplay, endpoint_id: str) -> Replay:
    return Replay(
        id=required_id(message.id, "id"),
        endpoint_id=endpoint_id,
        created_at=_time(message, "create_time"),
        completed_at=moment(message, "complete_time"),
        delivered_count=message.delivered_count,
        cursor=_short(message.cursor, _MAX_CURSOR, "cursor"),
        error=message.error[:MAX_REASON],
    )


def _time(message: Any, field: str) -> datetime:
    return moment(message, field) or datetime.fromtimestamp(0, UTC)


def _short(text: str, most: int, field: str) -> str:
    if len(text) > most or "\0" in text:
        raise ArgumentError(f"{field} has more than {most} characters, or a broken one", field=field)
    return text
