"""Checks of single fields of a request, and their way into domain values."""

from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from service.domain.errors import ArgumentError

MAX_ID = 256


def required_id(value: str, field: str) -> str:
    """An id that is there and can be one."""
    if not value:
        raise ArgumentError(f"{field} is needed", field=field)
    return optional_id(value, field)


def optional_id(value: str, field: str) -> str:
    """An id that can be one, or an empty text."""
    if len(value) > MAX_ID or "\0" in value:
        raise ArgumentError(f"{field} is not an id", field=field)
    return value


def moment(request: Any, field: str) -> datetime | None:
    """A google.protobuf.Timestamp field as an aware time; None when it is unset."""
    if not request.HasField(field):
        return None
    value: Timestamp = getattr(request, field)
    try:
        return value.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ArgumentError(f"{field} is not a time", field=field) from None
