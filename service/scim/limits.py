"""Ceilings on what a request may hold, and the one walk that enforces them on decoded JSON."""

import re
from collections.abc import Collection
from math import isfinite
from typing import Any, Final
from unicodedata import category, combining

from service.scim.errors import InvalidSyntax, InvalidValue
from service.scim.keys import fold

MAX_DEPTH: Final = 20
"""Levels of objects and arrays in one resource."""
MAX_ATTRIBUTES: Final = 5000
"""Values of every kind in one resource, members of a group apart."""
MAX_NAME_LENGTH: Final = 1024
"""Characters of an attribute name."""
MAX_STRING_LENGTH: Final = 256 * 1024
"""Characters of one string."""
MAX_MARKS: Final = 100
"""Combining characters in a row: putting n of them in order costs n² here and in PostgreSQL, where nothing ends it.
Languages need fewer than 30 (UAX #15, Stream-Safe Text Format)."""
MAX_KEY_BYTES: Final = 2000
"""UTF-8 bytes of what resources are found by, as it is and as a key; an index cannot hold many more."""
MAX_MEMBERS: Final = 100_000
"""Members named by one request."""

_DECOMPOSED_MARKS: Final = "\u0f73\u0f75\u0f81\uff9e\uff9f"
_IDEOGRAPHS: Final = "\U00020000"


def check_values(root: object, *, max_values: int | None = MAX_ATTRIBUTES) -> int:
    """The number of values in ``root``, after checking that all of it can be stored and sent again.

    Raises InvalidValue for NUL characters, broken surrogates, numbers that are not finite, or a ceiling passed.
    """
    count = 0
    depth = 0
    level: list[Any] = [root]
    names: list[Any] = []
    texts: list[str] = []
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise InvalidValue(f"the body is nested deeper than {MAX_DEPTH} levels")
        below: list[Any] = []
        for node in level:
            values: Collection[Any]
            if type(node) is dict:
                names += node
                values = node.values()
            elif type(node) is list:
                values = node
            else:
                values = (node,)
            count += len(values)
            for value in values:
                kind = type(value)
                if kind is str:
                    texts.append(value)
                elif kind is dict or kind is list:
                    below.append(value)
                elif kind is float and not isfinite(value):
                    raise InvalidValue("a number is not finite")
        if max_values is not None and count > max_values:
            raise InvalidValue(f"the resource holds more than {max_values} values")
        level = below
    _check_names(names)
    _check_texts(texts)
    return count


def _check_texts(texts: list[str]) -> None:
    if not _are_plain(texts, MAX_STRING_LENGTH):
        for text in texts:
            check_string(text)


def _check_names(names: list[Any]) -> None:
    try:
        plain = _are_plain(names, MAX_NAME_LENGTH)
    except TypeError:
        raise InvalidSyntax("the body is not a JSON object") from None
    if not plain:
        for name in names:
            if len(name) > MAX_NAME_LENGTH:
                raise InvalidValue(f"an attribute name is longer than {MAX_NAME_LENGTH} characters")
            check_string(name)


def _are_plain(texts: list[str], longest: int) -> bool:
    """Whether all texts are short ASCII without NUL: one look at all of them together settles the usual case."""
    joined = "".join(texts)
    return joined.isascii() and "\0" not in joined and (len(joined) <= longest or max(map(len, texts)) <= longest)


def check_string(text: str) -> None:
    """Raise InvalidValue unless the text can be stored, sent and compared: length, NUL, surrogates, runs of marks."""
    if len(text) > MAX_STRING_LENGTH:
        raise InvalidValue(f"a string is longer than {MAX_STRING_LENGTH} characters")
    if "\0" in text:
        raise InvalidValue("a string holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidValue("a string holds half of a surrogate pair") from None
    if len(text) > MAX_MARKS and has_too_many_marks(text):
        raise InvalidValue(f"a string holds more than {MAX_MARKS} combining characters in a row")


def has_too_many_marks(text: str) -> bool:
    """Whether more than MAX_MARKS characters in a row combine with the one before them."""
    if text.isascii():
        return False
    marks = "".join(filter(_is_mark, set(text)))
    return bool(marks) and re.search(f"[{re.escape(marks)}]{{{MAX_MARKS + 1}}}", text) is not None


def _is_mark(character: str) -> bool:
    # Some are marks only once they are decomposed. What is unassigned here may be a mark to a newer PostgreSQL; the
    # planes of ideographs have none.
    return (
        combining(character) != 0
        or character in _DECOMPOSED_MARKS
        or (character < _IDEOGRAPHS and category(character) == "Cn")
    )


def is_key(text: str) -> bool:
    """Whether resources can be found by this text."""
    if text.isascii():
        return len(text) <= MAX_KEY_BYTES
    return len(text.encode()) <= MAX_KEY_BYTES and len(fold(text).encode()) <= MAX_KEY_BYTES
