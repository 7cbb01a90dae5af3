"""Webhook endpoints as WorkOS shows them, and deliveries and replays, which it does not show, in the same style."""

import base64
from typing import Any, Final

from directorysync.v1 import events_pb2
from directorysync.v1 import webhooks_pb2 as pb
from gateway.workos.times import optional_time, time_text

_STATES: Final = {
    pb.WEBHOOK_DELIVERY_STATE_RETRYING: "retrying",
    pb.WEBHOOK_DELIVERY_STATE_SUCCEEDED: "succeeded",
    pb.WEBHOOK_DELIVERY_STATE_FAILED: "failed",
}
DELIVERY_STATES: Final = {name: state for state, name in _STATES.items()}


def webhook_endpoint(message: pb.WebhookEndpoint) -> dict[str, Any]:
    """A WebhookEndpoint. `secret` is the newest one; `secrets` are all that sign now."""
    enabled = message.status == pb.WEBHOOK_ENDPOINT_STATUS_ENABLED
    return {
        "object": "webhook_endpoint",
        "id": message.id,
        "endpoint_url": message.endpoint_url,
        "secret": message.secrets[0].value if message.secrets else "",
        "status": "enabled" if enabled else "disabled",
        "events": list(message.filter.types),
        "created_at": time_text(message.create_time),
        "updated_at": time_text(message.update_time),
        "organization_ids": list(message.filter.organization_ids),
        "directory_ids": list(message.filter.directory_ids),
        "description": message.description,
        "status_reason": message.status_reason or None,
        "failing_since": optional_time(message, "failing_since_time"),
        "secrets": [_secret(secret) for secret in message.secrets],
    }


def disabled_endpoint(event: events_pb2.Event) -> dict[str, Any]:
    """The `data` of `webhook_endpoint.disabled`. The directory is that whose event had waited longest."""
    message = event.webhook_endpoint
    return {
        "object": "webhook_endpoint",
        "id": message.id,
        "status": "disabled",
        "status_reason": message.status_reason,
        "failing_since": optional_time(message, "failing_since_time"),
        "directory_id": event.directory_id,
        "organization_id": event.organization_id,
    }


def webhook_delivery(message: pb.WebhookDelivery, *, attempts: bool = False) -> dict[str, Any]:
    """A delivery; `attempts`: with each attempt."""
    shown: dict[str, Any] = {
        "object": "webhook_delivery",
        "id": message.id,
        "webhook_endpoint_id": message.endpoint_id,
        "event_id": message.event_id,
        "event": message.event_type,
        "directory_id": message.directory_id or None,
        "state": _STATES.get(message.state, "retrying"),
        "attempt_count": message.attempt_count,
        "response_status": message.response_status or None,
        "error": message.error or None,
        "next_attempt_at": optional_time(message, "next_attempt_time"),
        "created_at": time_text(message.create_time),
        "updated_at": time_text(message.update_time),
    }
    if attempts:
        shown["attempts"] = [_attempt(attempt) for attempt in message.attempts]
    return shown


def webhook_replay(message: pb.WebhookReplay) -> dict[str, Any]:
    """Events on their way to one endpoint once more."""
    stretch = message.range if message.HasField("range") else None
    return {
        "object": "webhook_replay",
        "id": message.id,
        "webhook_endpoint_id": message.endpoint_id,
        "event_id": message.event_id or None,
        "test_event": message.test_event_type or None,
        "range_start": optional_time(stretch, "start_time") if stretch else None,
        "range_end": optional_time(stretch, "end_time") if stretch else None,
        "delivered_count": message.delivered_count,
        "error": message.error or None,
        "created_at": time_text(message.create_time),
        "completed_at": optional_time(message, "complete_time"),
    }


def _secret(message: pb.WebhookSecret) -> dict[str, Any]:
    return {
        "secret": message.value,
        "created_at": time_text(message.create_time),
        "expires_at": optional_time(message, "expire_time"),
    }


def _attempt(message: pb.WebhookAttempt) -> dict[str, Any]:
    return {
        "number": message.number,
        "endpoint_url": message.endpoint_url,
        "response_status": message.response_status or None,
        "error": message.error or None,
        "duration_ms": message.duration.seconds * 1000 + message.duration.nanos // 1_000_000,
        "created_at": time_text(message.create_time),
        **_body(message.response_body),
    }


def _body(body: bytes) -> dict[str, Any]:
    """The beginning of an answer: as text, or in base64 where it is none. A character cut at the end is left out."""
    try:
        return {"response_body": body.decode("utf-8")}
    except UnicodeDecodeError as error:
        if error.start >= len(body) - 3 and error.reason == "unexpected end of data":
            return {"response_body": body[: error.start].decode("utf-8")}
    return {"response_body": None, "response_body_base64": base64.b64encode(body).decode("ascii")}
