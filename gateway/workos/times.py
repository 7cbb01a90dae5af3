"""Times as WorkOS writes them: ISO 8601 in UTC, milliseconds, `Z`."""

from datetime import UTC, datetime
from functools import lru_cache

from google.protobuf.timestamp_pb2 import Timestamp


def time_text(value: Timestamp) -> str:
    """`2026-01-15T12:00:00.000Z`; what is finer than a millisecond is cut off."""
    return f"{_second(value.seconds)}{value.nanos // 1_000_000:03d}Z"


# What is shown together mostly happened together.
@lru_cache(maxsize=4_096)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}."


def optional_time(message: object, field: str) -> str | None:
    """The time in a field of a message; None when it is unset."""
    return time_text(getattr(message, field)) if message.HasField(field) else None  # type: ignore[attr-defined]
