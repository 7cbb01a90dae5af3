"""What may be in a link to the portal."""

from datetime import UTC, datetime, timedelta

import pytest

from service.domain.errors import ArgumentError
from service.domain.portal_link import INTENTS, check_contacts, check_intent, check_person, check_url, link_expiry

NOW = datetime(2031, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://app.example",
        "https://app.example:8443/done?x=1#top",
        "http://localhost",
        "http://localhost:3000/done",
        "http://127.0.0.1:3000",
        "http://[::1]:3000/",
        "HTTPS://App.example/",
    ],
)
def test_urls_that_people_are_sent_to(url: str) -> None:
    assert check_url(url, "return_url") == url


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example", "http://localhost.evil.example", "https://", "https:///path", "//app.example",
        "app.example",
        "javascript:alert(1)", "ftp://app.example", "https://user:word@app.example", "https://app.example@evil.example",
        "https://app.example/a b", "https://app.example/\n", "https://[::1", "https://app.example:99999",
        "https://evil.example\\@app.example", "https://app.example/ü", "https://app.example/" + "a" * 2_048,
    ],
)  # fmt: skip
def test_urls_that_nobody_is_sent_to(url: str) -> None:
    with pytest.raises(ArgumentError) as refused:
        check_url(url, "success_url")
    assert refused.value.metadata == {"field": "success_url"}


def test_the_portal_is_for_directories() -> None:
    assert check_intent("dsync") == "dsync"
    for intent in (*INTENTS[1:], "", "DSYNC", "other"):
        with pytest.raises(ArgumentError, match="dsync"):
            check_intent(intent)


def test_who_sends_a_link_on() -> None:
    assert check_contacts(["it@acme.example"] * 20) == ("it@acme.example",) * 20
    for addresses in (["it@acme.example"] * 21, ["nobody"], ["a@b\nc"], ["a" * 65 + "@b"]):
        with pytest.raises(ArgumentError):
            check_contacts(addresses)


def test_whom_a_link_is_for() -> None:
    assert (check_person(""), check_person("p" * 256)) == ("", "p" * 256)
    for person, needed in (("", True), ("p" * 257, False), ("\0", False)):
        with pytest.raises(ArgumentError):
            check_person(person, needed=needed)


def test_how_long_a_link_can_be_opened() -> None:
    assert link_expiry(None, NOW) == NOW + timedelta(minutes=5)
    for life in (timedelta(seconds=1), timedelta(days=30)):
        assert link_expiry(NOW + life, NOW) == NOW + life
    for life in (timedelta(0), timedelta(days=30, seconds=1)):
        with pytest.raises(ArgumentError):
            link_expiry(NOW + life, NOW)
