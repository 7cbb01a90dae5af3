"""Query parameters of RFC 7644 3.4.2 and RFC 9865, and the SearchRequest of 3.4.3, both into one value."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from directorysync.v1.directory_ingest_pb2 import Projection
from directorysync.v1.errors_pb2 import ErrorReason
from gateway.problems import Problem, invalid_syntax, invalid_value, problem

_INTEGER: Final = re.compile(r"([+-]?[0-9]+)(?:\.0*)?")
_INT32: Final = 2**31 - 1
_LISTS: Final = frozenset({"attributes", "excludedattributes"})
_ORDERS: Final = {"": False, "ascending": False, "asc": False, "descending": True, "desc": True}


@dataclass(slots=True)
class Query:
    """What a client asks of a list, and of the shape of every resource in an answer."""

    filter: str = ""
    sort_by: str = ""
    sort_descending: bool = False
    start_index: int | None = None
    count: int | None = None
    attributes: tuple[str, ...] = ()
    excluded_attributes: tuple[str, ...] = ()
    cursor: str | None = None

    def projection(self) -> Projection | None:
        """As a message; None when everything is wanted."""
        if not self.attributes and not self.excluded_attributes:
            return None
        return Projection(attributes=self.attributes, excluded_attributes=self.excluded_attributes)


def parse_query(query_string: bytes) -> Query:
    """Parameters of a URL. Names in any case, unknown ones ignored, `+` and `%20` are spaces. Raises 400."""
    if not query_string:
        return Query()
    seen: dict[str, bytes] = {}
    given: list[tuple[str, Any]] = []
    for part in query_string.split(b"&"):
        raw_name, _, raw_value = part.partition(b"=")
        name = raw_name.decode("latin-1").lower()
        if name not in _PARAMETERS:
            continue
        if name in seen and name not in _LISTS:
            if seen[name] == raw_value:
                continue
            raise invalid_value(f"The parameter {name} is given twice.")
        seen[name] = raw_value
        given.append((name, _decoded(name, raw_value)))
    return _query(given)


def parse_search(text: str) -> Query:
    """A SearchRequest. A missing `schemas` is tolerated, null means absent. Raises 400."""
    try:
        body = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise invalid_syntax("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise invalid_syntax("A SearchRequest is a JSON object.")
    return _query([(key.lower(), value) for key, value in body.items() if value is not None])


def _query(given: list[tuple[str, Any]]) -> Query:
    query = Query()
    # What is wrong with a count is said in other words where there is a cursor (RFC 9865 2).
    for name, value in sorted(given, key=lambda pair: pair[0] != "cursor"):
        read = _PARAMETERS.get(name)
        if read is not None:
            read(query, value)
    return query


def _decoded(name: str, raw: bytes) -> str:
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise invalid_value(f"The parameter {name} is not UTF-8.") from None


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise invalid_value(f"{name} must be text.")
    return value.strip()


def _integer(name: str, value: Any) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        # More digits than an int32 has are only a way of saying "very many".
        found = _INTEGER.fullmatch(text)
        if found is None:
            raise invalid_value(f"{name} must be a whole number.")
        value = int(found[1][:20])
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid_value(f"{name} must be a whole number.")
    return max(-_INT32, min(_INT32, value))


def _paths(name: str, value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise invalid_value(f"{name} must be a list of attribute names.")
    return tuple(stripped for part in parts if (stripped := part.strip()))


def _filter(query: Query, value: Any) -> None:
    query.filter = _text("filter", value)


def _sort_by(query: Query, value: Any) -> None:
    query.sort_by = _text("sortBy", value)


def _sort_order(query: Query, value: Any) -> None:
    descending = _ORDERS.get(_text("sortOrder", value).lower())
    if descending is None:
        raise invalid_value("sortOrder must be ascending or descending.")
    query.sort_descending = descending


def _start_index(query: Query, value: Any) -> None:
    query.start_index = _integer("startIndex", value)


def _count(query: Query, value: Any) -> None:
    try:
        query.count = _integer("count", value)
    except Problem as refused:
        if query.cursor is None:
            raise
        raise problem(ErrorReason.ERROR_REASON_SCIM_INVALID_COUNT, refused.detail) from None


def _cursor(query: Query, value: Any) -> None:
    if not isinstance(value, str):
        raise problem(ErrorReason.ERROR_REASON_SCIM_INVALID_CURSOR, "cursor must be text.")
    query.cursor = value.strip()


def _attributes(query: Query, value: Any) -> None:
    query.attributes += _paths("attributes", value)


def _excluded_attributes(query: Query, value: Any) -> None:
    query.excluded_attributes += _paths("excludedAttributes", value)


_PARAMETERS: Final[dict[str, Callable[[Query, Any], None]]] = {
    "filter": _filter,
    "sortby": _sort_by,
    "sortorder": _sort_order,
    "startindex": _start_index,
    "count": _count,
    "cursor": _cursor,
    "attributes": _attributes,
    "excludedattributes": _excluded_attributes,
}
