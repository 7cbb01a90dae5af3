"""What administrators may call things. Pure."""

import re
import unicodedata

from service.domain.errors import ArgumentError

MAX_LENGTH = 256
DEFAULT_PROVIDER = "generic"
_PROVIDER = re.compile(r"[a-z0-9-]{1,64}")


def check_name(name: str, field: str = "name") -> str:
    """A name for people: 1 to 256 characters, not only blanks, no control characters."""
    if not name.strip():
        raise ArgumentError(f"{field} is needed", field=field)
    return _check_text(name, field)


def check_external_id(external_id: str) -> str | None:
    """The application's own id, as long as a name; None when there is none."""
    return _check_text(external_id, "external_id") if external_id else None


def check_search(text: str) -> str:
    """A text to be found in names."""
    return _check_text(text, "search")


def check_provider(provider: str) -> str:
    """A slug of lower-case letters, digits and `-`; empty: `generic`."""
    if not provider:
        return DEFAULT_PROVIDER
    if not _PROVIDER.fullmatch(provider):
        raise ArgumentError("provider is 1 to 64 lower-case letters, digits or '-'", field="provider")
    return provider


def _check_text(text: str, field: str) -> str:
    if len(text) > MAX_LENGTH:
        raise ArgumentError(f"{field} has more than {MAX_LENGTH} characters", field=field)
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise ArgumentError(f"{field} holds a control character", field=field)
    return text
