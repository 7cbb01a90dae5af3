"""When a credential ends: `90d`, `12h`, `30m`, or an RFC 3339 time."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp

_SPAN = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_expiry(text: str) -> datetime:
    """From now on for a span. BadParameter for anything else, and for a time that is over."""
    now = datetime.now(UTC)
    try:
        if span := _SPAN.fullmatch(text):
            expires = now + timedelta(**{_UNITS[span[2]]: int(span[1])})
        else:
            expires = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter("give a span such as 90d or 12h, or a time such as 2031-01-31T00:00:00Z") from None
    if expires.tzinfo is None:
        expires = expires.replace(tzinfo=UTC)
    if expires <= now:
        raise typer.BadParameter("that is over already")
    return expires


Expires = Annotated[
    datetime | None,
    typer.Option(parser=parse_expiry, metavar="SPAN|TIME", help="`90d`, `12h`, or a time; without it: never."),
]


def as_timestamp(expires: datetime | None) -> Timestamp | None:
    """The contract's form."""
    if expires is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(expires.astimezone(UTC).replace(tzinfo=None))
    return timestamp
