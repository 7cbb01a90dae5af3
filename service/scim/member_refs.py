"""References to the members of a group as providers write them (RFC 7643 section 4.2)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from service.scim.coercion import Diagnostic, Notes
from service.scim.errors import InvalidValue
from service.scim.limits import MAX_MEMBERS, MAX_STRING_LENGTH, check_string, is_key

_TYPES: Final[dict[str, Literal["User", "Group"]]] = {"user": "User", "group": "Group"}
_REF_TYPES: Final[dict[str, Literal["User", "Group"]]] = {"users": "User", "groups": "Group"}
_LOCATION: Final = re.compile(r"https?://\S+/(?:Users|Groups)/[^/\s]+/?\Z", re.IGNORECASE)
_MAX_ID_LENGTH: Final = 1024
_MAX_NOTES: Final = 20


@dataclass(frozen=True, slots=True)
class MemberRef:
    """A member by its id. ``type`` is None when the provider does not say (row O08); the id decides then."""

    value: str
    type: Literal["User", "Group"] | None = None
    display: str | None = None


def read_members(value: object, notes: Notes) -> tuple[MemberRef, ...]:
    """The members named by the value of ``members``, each once, in order.

    Understands a list of objects or ids, one object or id, ``{"members": […]}`` (row W02) and any of it as a JSON
    string. ``$ref`` counts only where ``value`` is missing (rows E05, Y01); a URL as ``value`` is one.
    """
    refs: dict[str, MemberRef] = {}
    elements = _elements(value)
    if len(elements) > MAX_MEMBERS:
        raise InvalidValue(f"the request names more than {MAX_MEMBERS} members")
    for index, element in enumerate(elements):
        ref = _read_member(element)
        if ref is not None:
            refs.setdefault(ref.value, ref)
        elif element is not None and len(notes) < _MAX_NOTES:
            notes.append(Diagnostic(f"members[{index}]", "no usable id"))
    return tuple(refs.values())


def _elements(value: object) -> list[Any]:
    if isinstance(value, str) and value[:1] in {"[", "{"}:
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return [value]
    if isinstance(value, dict) and len(value) < 8:
        for name, inner in value.items():
            if isinstance(name, str) and name.lower() == "members":
                value = inner
                break
    if value is None:
        return []
    elements = value if isinstance(value, list) else [value]
    if any(map(_holds_several, elements)):
        return [one for element in elements for one in _spread(element)]
    return elements


def _holds_several(element: Any) -> bool:
    return type(element) is list or (type(element) is dict and type(element.get("value")) is list)


def _spread(element: Any) -> list[Any]:
    """What a list stands for in the place of one member: each of its own, or of the ids it has as ``value``."""
    if isinstance(element, dict) and isinstance(ids := element.get("value"), list):
        return [{"type": element.get("type"), "value": one} for one in ids]
    return element if isinstance(element, list) else [element]


def referred_id(reference: Mapping[str, Any]) -> str | None:
    """The id in a reference to a user, such as that to the manager: its ``value``, or the end of a URL."""
    value = reference.get("value")
    if isinstance(value, str) and value and _LOCATION.match(value) is None:
        return value
    ref = _read_member(dict(reference))
    return ref.value if ref else None


def id_in_location(location: str) -> str:
    """The id at the end of the URL of a user or group; other text as it is."""
    return location.rstrip("/").rsplit("/", 1)[-1] if _LOCATION.match(location) else location


def _read_member(element: object) -> MemberRef | None:
    if not isinstance(element, dict):
        element = {"value": element}
    # The common spelling costs three dictionary reads; only odd ones are lower-cased.
    elif "value" not in element:
        element = _renamed(element)
    value = element.get("value")
    ref = element.get("$ref")
    if isinstance(value, str) and "://" in value and (found := _LOCATION.match(value)) is not None:
        value, ref = None, found[0]
    segments = ref.rstrip("/").rsplit("/", 2) if isinstance(ref, str) else []
    member_id = _id(value) or (_id(segments[-1]) if segments else None)
    if member_id is None:
        return None
    kind = element.get("type")
    member_type = _TYPES.get(kind.lower()) if isinstance(kind, str) else None
    if member_type is None and len(segments) > 1:
        member_type = _REF_TYPES.get(segments[-2].lower())
    display = element.get("display")
    if not isinstance(display, str) or not display:
        return MemberRef(member_id, member_type)
    if len(display) > MAX_STRING_LENGTH or "\0" in display or not display.isascii():
        check_string(display)
    return MemberRef(member_id, member_type, display)


def _renamed(element: dict[Any, Any]) -> dict[str, Any]:
    """An element without ``value`` under lower-cased names; ``id`` and ``ref`` stand for what they must mean."""
    fields = {name.lower(): inner for name, inner in element.items() if isinstance(name, str)}
    for written, meant in (("id", "value"), ("ref", "$ref")):
        if written in fields:
            fields.setdefault(meant, fields[written])
    return fields


def _id(value: object) -> str | None:
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if value.bit_length() < 128 else None
    if not isinstance(value, str) or len(value) > _MAX_ID_LENGTH:
        return None
    value = value.strip()
    if not value:
        return None
    if "\0" in value or not value.isascii():
        check_string(value)
        return value if is_key(value) else None
    return value
