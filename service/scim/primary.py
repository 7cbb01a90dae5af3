"""Which of a user's e-mail addresses speaks for the user."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

_MAX_LENGTH: Final = 320


def primary_email(document: Mapping[str, Any]) -> str | None:
    """The user's address, as it was sent; malformed ones are passed over, as WorkOS does.

    It is the one flagged primary, else the first for work, else the first for home, else a ``userName`` that is an
    address (row E23), else the first of any kind.
    """
    entries = list(_entries(document))
    for entry in entries:
        if entry.get("primary") is True:
            return str(entry["value"])
    for kind in ("work", "home"):
        for entry in entries:
            if _is_of_type(entry, kind):
                return str(entry["value"])
    user_name = document.get("userName")
    if is_email(user_name):
        return str(user_name)
    return str(entries[0]["value"]) if entries else None


def is_email(value: object) -> bool:
    """Whether a value has the shape of an address: one ``@`` with something on both sides, and no space."""
    # A text without any white space is all that splitting leaves of it.
    if not isinstance(value, str) or len(value) > _MAX_LENGTH or value.split() != [value]:
        return False
    local, at, domain = value.partition("@")
    return bool(local and at and domain) and "@" not in domain


def _entries(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    emails = document.get("emails")
    for entry in emails if isinstance(emails, list) else ():
        if isinstance(entry, dict) and is_email(entry.get("value")):
            yield entry


def _is_of_type(entry: dict[str, Any], kind: str) -> bool:
    value = entry.get("type")
    return isinstance(value, str) and value.lower() == kind
