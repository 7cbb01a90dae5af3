"""Fields of a JSON body. Unknown ones are ignored; of a known one the type must be right."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.rest.errors import RestProblem, invalid, missing
from gateway.rest.parameters import read_time


def parse_body(text: str) -> "Body":
    """A JSON object. Raises 400."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise RestProblem(400, "The body is not JSON.", code="invalid_request_body") from None
    if not isinstance(value, dict):
        raise RestProblem(400, "The body must be a JSON object.", code="invalid_request_body")
    return Body(value)


class Body:
    """The fields of one JSON object. `null` counts as absent unless `given` is asked. All raise 422."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields

    def given(self, name: str) -> bool:
        """Whether the field is there, be it null."""
        return name in self._fields

    def require(self, *names: str) -> None:
        """Fields that must be there and not be empty."""
        absent = [name for name in names if self._fields.get(name) in (None, "", [])]
        if absent:
            raise missing(absent)

    def text(self, name: str) -> str | None:
        """A text."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, str):
            raise invalid(name, f"{name} must be text.")
        return value

    def flag(self, name: str) -> bool | None:
        """true or false."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, bool):
            raise invalid(name, f"{name} must be true or false.")
        return value

    def number(self, name: str) -> int | None:
        """A whole number of at most nine digits."""
        value = self._fields.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**9:
            raise invalid(name, f"{name} must be a whole number.")
        return value

    def texts(self, name: str) -> list[str] | None:
        """A list of texts."""
        value = self._fields.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise invalid(name, f"{name} must be a list of texts.")
        return value

    def objects(self, name: str) -> "list[Body] | None":
        """A list of objects."""
        value = self._fields.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise invalid(name, f"{name} must be a list of objects.")
        return [Body(one) for one in value]

    def object(self, name: str) -> "Body | None":
        """An object."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, dict):
            raise invalid(name, f"{name} must be an object.")
        return None if value is None else Body(value)

    def time(self, name: str) -> Timestamp | None:
        """A time."""
        return read_time(name, self.text(name) or "")

    def text_items(self) -> Iterable[tuple[str, str | None]]:
        """All fields of an object whose values are texts or null."""
        for name in self._fields:
            yield name, self.text(name)
