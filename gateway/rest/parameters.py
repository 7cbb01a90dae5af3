"""Query parameters, and the paging that every list has (workos.com/docs/reference/pagination)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from google.protobuf.timestamp_pb2 import Timestamp

from directorysync.v1.directory_sync_pb2 import PageWindow
from gateway.rest.errors import invalid

DEFAULT_LIMIT: Final = 10
MAX_LIMIT: Final = 1_000
_MAX_ID: Final = 256
_ULID: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_ORDERS: Final = frozenset({"asc", "desc", "normal"})


class Parameters:
    """The query of a URL. An empty value counts as none; of one given twice the last counts, but for lists."""

    def __init__(self, query_string: bytes) -> None:
        self._values: dict[str, list[str]] = {}
        for part in query_string.split(b"&"):
            raw_name, _, raw_value = part.partition(b"=")
            name = _decoded(raw_name, "query")
            self._values.setdefault(name, []).append(_decoded(raw_value, name))

    def text(self, name: str) -> str:
        """The value, or an empty text."""
        return self._values.get(name, [""])[-1]

    def texts(self, name: str) -> list[str]:
        """Values joined by commas, repeated, or under `name[]`."""
        given = [*self._values.get(name, ()), *self._values.get(f"{name}[]", ())]
        return [stripped for value in given for one in value.split(",") if (stripped := one.strip())]

    def identifier(self, name: str) -> str:
        """An id, or an empty text. Raises 422."""
        value = self.text(name).strip()
        if len(value) > _MAX_ID or "\0" in value:
            raise invalid(name, f"{name} is not an id.")
        return value

    def time(self, name: str) -> Timestamp | None:
        """ISO 8601; without an offset it is UTC. Raises 422."""
        return read_time(name, self.text(name))

    def page(self, *prefixes: str) -> "Page":
        """`limit`, `after`, `before`, `order`; the ids are of these kinds, whether they exist or not. Raises 422.

        Without prefixes: what they are is the service's to say.
        """
        limit = self.text("limit") or str(DEFAULT_LIMIT)
        if _NUMBER.fullmatch(limit) is None or not 1 <= int(limit) <= MAX_LIMIT:
            raise invalid("limit", f"limit is a whole number from 1 to {MAX_LIMIT}.")
        order = self.text("order").lower() or "desc"
        if order not in _ORDERS:
            raise invalid("order", "order is asc, desc or normal.")
        return Page(int(limit), self._place("after", prefixes), self._place("before", prefixes), order)

    def _place(self, name: str, prefixes: Sequence[str]) -> str:
        value = self.identifier(name)
        # Ids are compared as texts, so that what is none would be a place in the list too.
        if value and prefixes and not any(_is_id(value, prefix) for prefix in prefixes):
            raise invalid(name, f"{name} is not an id of this list.")
        return value

    @property
    def has_order(self) -> bool:
        """Whether an order is asked for."""
        return bool(self.text("order"))


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a list, as it is asked for."""

    limit: int
    after: str
    before: str
    order: str

    @property
    def window(self) -> PageWindow:
        """As the service reads it. In the order `normal` the two ids change places."""
        after, before = (self.before, self.after) if self.order == "normal" else (self.after, self.before)
        return PageWindow(after_id=after, before_id=before, descending=self.order != "asc")

    def envelope(self, data: Sequence[Any], ids: Sequence[str], *, more: bool) -> dict[str, Any]:
        """The list with its metadata. `more`: there is more in the direction in which the page was read."""
        window = self.window
        behind = more or bool(window.before_id)
        ahead = bool(window.after_id) or (more and bool(window.before_id))
        first = ids[0] if ids and ahead else None
        last = ids[-1] if ids and behind else None
        before, after = (last, first) if self.order == "normal" else (first, last)
        return {"object": "list", "data": list(data), "list_metadata": {"before": before, "after": after}}

    def of(self, found: Sequence[tuple[str, Any]]) -> tuple[list[tuple[str, Any]], bool]:
        """This page of a short list that is all here, as (id, value), oldest first; and whether there is more."""
        window = self.window
        ordered = sorted(found, key=lambda pair: pair[0], reverse=window.descending)
        low, high = (window.before_id, window.after_id) if window.descending else (window.after_id, window.before_id)
        within = [pair for pair in ordered if pair[0] > low and (not high or pair[0] < high)]
        taken = within[-self.limit :] if window.before_id else within[: self.limit]
        return taken, len(within) > len(taken)


def read_time(name: str, text: str) -> Timestamp | None:
    """ISO 8601 as a time; None for an empty text. Raises 422."""
    text = text.strip()
    if not text:
        return None
    if "T" in text:
        # In a query a plus sign means a space, so that of an offset may be lost.
        text = text.replace(" ", "+")
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        stamp = Timestamp()
        stamp.FromDatetime(moment)
    except (ValueError, OverflowError):
        raise invalid(name, f"{name} is an ISO 8601 time in UTC, such as 2026-01-15T12:00:00.000Z.") from None
    return stamp


def unpaged(data: Sequence[Any]) -> dict[str, Any]:
    """A list that is always whole."""
    return {"object": "list", "data": list(data), "list_metadata": {"before": None, "after": None}}


def _is_id(value: str, prefix: str) -> bool:
    return value.startswith(prefix) and _ULID.fullmatch(value, len(prefix)) is not None


def _decoded(raw: bytes, name: str) -> str:
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise invalid(name, "A query parameter is not UTF-8.") from None
