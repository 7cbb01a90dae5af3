"""Lengths of time and moments that lie behind, as they are typed."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import typer
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

_SPAN = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class Span:
    """`90d`, `12h`, `30m`, `0s`."""

    length: timedelta

    @staticmethod
    def parse(text: str) -> "Span":
        """BadParameter for anything else."""
        found = _SPAN.fullmatch(text)
        if found is None:
            raise typer.BadParameter("give a span such as 90d or 12h")
        return Span(timedelta(**{_UNITS[found[2]]: int(found[1])}))


@dataclass(frozen=True, slots=True)
class Moment:
    """So long ago, or an RFC 3339 time (without an offset: UTC)."""

    time: datetime

    @staticmethod
    def parse(text: str) -> "Moment":
        """BadParameter for anything else."""
        if _SPAN.fullmatch(text):
            return Moment(datetime.now(UTC) - Span.parse(text).length)
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            detail = "give a time such as 2031-01-31T00:00:00Z, or how long ago: 2h"
            raise typer.BadParameter(detail) from None
        return Moment(time if time.tzinfo else time.replace(tzinfo=UTC))


def as_duration(span: Span | None) -> Duration | None:
    """The contract's form."""
    if span is None:
        return None
    duration = Duration()
    duration.FromTimedelta(span.length)
    return duration


def as_moment(moment: Moment | None) -> Timestamp | None:
    """The contract's form."""
    if moment is None:
        return None
    time = Timestamp()
    time.FromDatetime(moment.time)
    return time
