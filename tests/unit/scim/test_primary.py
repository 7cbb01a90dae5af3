from typing import Any

import pytest

from service.scim.primary import is_email, primary_email


def mail(value: object, kind: str | None = None, *, primary: object = None) -> dict[str, Any]:
    return {"value": value} | ({"type": kind} if kind else {}) | ({"primary": primary} if primary is not None else {})


@pytest.mark.parametrize(
    ("emails", "user_name", "expected"),
    [
        ([mail("w@x", "work"), mail("h@x", "home", primary=True)], "u@x", "h@x"),
        ([mail("h@x", "home"), mail("w@x", "Work")], "u@x", "w@x"),
        ([mail("w1@x", "work"), mail("w2@x", "work")], "u@x", "w1@x"),
        ([mail("o@x", "other"), mail("h@x", "home")], "u@x", "h@x"),
        pytest.param([mail("o@x", "other")], "u@x", "u@x", id="E23"),
        pytest.param([], "u@x", "u@x", id="E23-no-mail"),
        pytest.param([mail("o@x", "other", primary=True)], "u@x", "o@x", id="K02"),
        ([mail("o@x", "other"), mail("p@x")], "ada", "o@x"),
        ([mail("broken", primary=True), mail("w@x", "work")], "ada", "w@x"),
        ([mail("w@x", "work"), mail("h@x", primary="yes")], "ada", "w@x"),
        ([mail(7), "x@y", None], "ada", None),
        ([mail("Ada@X.Org")], "ada", "Ada@X.Org"),
        ("broken", "ada", None),
        (None, None, None),
    ],
)
def test_the_primary_address(emails: object, user_name: object, expected: str | None) -> None:
    assert primary_email({"emails": emails, "userName": user_name}) == expected


@pytest.mark.parametrize("value", ["", "a", "@x", "a@", "a@b@c", "a b@c", "a@b\n", None, 7, "a" * 400 + "@x"])
def test_malformed_addresses(value: object) -> None:
    assert not is_email(value)
