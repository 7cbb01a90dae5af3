"""Comparison keys: two names are the same name when their keys are equal."""

from unicodedata import normalize


def fold(text: str) -> str:
    """The text without its differences of case and of Unicode composition (NFKC and case folding)."""
    if text.isascii():
        return text.lower()
    # Folding can undo the composition of a few characters, so it is composed once more.
    return normalize("NFKC", normalize("NFKC", text).casefold())


def user_key(user_name: str) -> str:
    """The key under which a ``userName`` is unique in its directory (RFC 7643 section 4.1.1: caseExact is false)."""
    return fold(user_name)


def email_key(email: str) -> str:
    """The key under which an e-mail address is looked up."""
    return fold(email)


def group_key(display_name: str) -> str:
    """The key under which a group's ``displayName`` is looked up (row P03)."""
    return fold(display_name)
