"""Names of providers."""

from pathlib import Path

import pytest

from directorysync.cli.providers import KNOWN, warn_if_unknown

RECORDED = {path.name for path in (Path(__file__).parents[2] / "providers").iterdir() if path.is_dir()}


def test_every_recorded_provider_is_known() -> None:
    assert {name for name in RECORDED if not name.startswith((".", "_"))} == set(KNOWN)


def test_an_unknown_name_gets_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    warn_if_unknown("oktaa")
    hint = capsys.readouterr().err
    assert "`oktaa`" in hint
    assert "mean `okta`" in hint
    assert all(name in hint for name in KNOWN)
    warn_if_unknown("zzzzzz")
    assert "mean" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["okta", "generic", ""])
def test_a_known_name_gets_none(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    warn_if_unknown(name)
    assert capsys.readouterr() == ("", "")
