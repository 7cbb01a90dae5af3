"""Types of events that are typed."""

import pytest

from directorysync.cli.event_types import KNOWN, warn_if_unknown
from service.domain.change import ChangeType


def test_every_type_of_event_is_known() -> None:
    assert set(KNOWN) == {str(kind) for kind in ChangeType}


def test_a_slip_gets_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    warn_if_unknown(["dsync.user.create", "user.*"])
    first, second = capsys.readouterr().err.splitlines()
    assert "`dsync.user.create`" in first
    assert "mean `dsync.user.created`" in first
    assert "`user.*`" in second


@pytest.mark.parametrize("types", [None, ["dsync.*"], ["*"], ["dsync.user.*", "dsync.deleted"]])
def test_what_chooses_events_gets_none(types: list[str] | None, capsys: pytest.CaptureFixture[str]) -> None:
    warn_if_unknown(types)
    assert capsys.readouterr() == ("", "")
