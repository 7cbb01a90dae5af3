"""Moments as people type them."""

from datetime import UTC, datetime, timedelta

import pytest
import typer

from directorysync.cli.moments import AsOf


def test_a_number_a_time_and_a_cursor_are_told_apart() -> None:
    assert AsOf.parse("17").message.directory_sequence == 17
    assert AsOf.parse("0").message.WhichOneof("moment") == "directory_sequence"
    time = AsOf.parse("2031-01-31T10:00:00+02:00").message.time
    assert time.ToDatetime(tzinfo=UTC) == datetime(2031, 1, 31, 8, tzinfo=UTC)
    ago = AsOf.parse("2h").message.time.ToDatetime(tzinfo=UTC)
    assert timedelta(hours=2) <= datetime.now(UTC) - ago < timedelta(hours=3)
    assert AsOf.parse("AQEFZXBvY2g").message.cursor == "AQEFZXBvY2g"


def test_what_looks_like_a_time_and_is_none_is_refused() -> None:
    with pytest.raises(typer.BadParameter):
        AsOf.parse("2031-13-31")
