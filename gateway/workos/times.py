"""Times as WorkOS writes them: ISO 8601 in UTC, milliseconds, `Z`."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp


def time_text(value: Timestamp) -> str:
    """`2026-01-15T12:00:00.000Z`; what is finer than a millisecond is cut off."""
    moment = datetime.fromtimestamp(value.seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{value.nanos // 1_000_000:03d}Z"


def optional_time(message: object, field: str) -> str | None:
    """The time in a field of a message; None when it is unset."""
    return time_text(getattr(message, field)) if message.HasField(field) else None  # type: ignore[attr-defined]
