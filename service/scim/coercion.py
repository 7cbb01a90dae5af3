"""Values as providers send them, turned into what the schema says (dialect rules 3 to 5, rows E02 to E11, O17, L01).

``None`` means "no value": null, and for known attributes also blank strings, empty arrays and empty objects. What
cannot be understood is returned as it is, and noted.
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from service.scim.attributes import Attribute
from service.scim.dialects import FALSE_WORDS, SERIALIZED_VALUES, TRUE_WORDS
from service.scim.limits import check_values

MAX_SERIALIZED_LENGTH: Final = 64 * 1024
"""Characters of a JSON document inside a string."""
_WRITTEN_OUT: Final = 1e16
"""JSON writes floats from here on with an exponent; PostgreSQL's jsonb writes them out, which makes them integers."""
_SHELL: Final = frozenset({"type", "primary"})


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """Something that was kept as sent because it could not be understood. Holds no value of the request."""

    path: str
    reason: str


Notes = list[Diagnostic]


def coerce(attribute: Attribute, value: object, where: str, notes: Notes) -> Any:
    """The value of an attribute in the type its definition asks for, or None for no value."""
    if value is None:
        return None
    if attribute.multi_valued:
        return coerce_list(attribute, value, where, notes)
    if type(value) is list:
        # Microsoft's own example sends the manager as an array of one (row E09).
        values = [element for element in value if element is not None]
        if values and (type(values[0]) is list or (len(values) > 1 and attribute.type != "complex")):
            return _kept(values, where, "several values for an attribute that has one", notes)
        return coerce(attribute, values[0], where, notes) if values else None
    if attribute.type == "complex":
        return _complex(attribute, value, where, notes)
    if type(value) is dict:
        inner = _unwrapped(attribute, value)
        if type(inner) is dict or type(inner) is list:
            return _kept(value, where, "an object where a plain value is expected", notes)
        return coerce(attribute, inner, where, notes)
    if attribute.type == "boolean":
        return _boolean(value, where, notes)
    return _text(value, where, notes)


def coerce_list(attribute: Attribute, value: object, where: str, notes: Notes) -> Any:
    """The values of a multi-valued attribute; a single value becomes a list of one."""
    value = parse_serialized(value)
    if isinstance(value, dict):
        value = _unwrapped(attribute, value)
    elements = value if isinstance(value, list) else [value]
    result = []
    for index, element in enumerate(elements):
        coerced = coerce_element(attribute, element, f"{where}[{index}]", notes)
        if coerced is not None:
            result.append(coerced)
    return result or None


def coerce_element(attribute: Attribute, element: object, where: str, notes: Notes) -> Any:
    """One value of a multi-valued attribute; None when nothing but its type and primary flag would be left."""
    if element is None or attribute.type != "complex":
        return without_nulls(element)
    if type(element) is dict:
        coerced = coerce_object(attribute, element, where, notes)
    else:
        coerced = _complex(attribute, element, where, notes)
    if type(coerced) is dict:
        if attribute.name in SERIALIZED_VALUES:
            _unpack_value(coerced, attribute, where, notes)
        if is_shell(coerced):
            return None
    return coerced


def is_shell(element: object) -> bool:
    """Whether nothing but a type and a primary flag is left of a value."""
    return isinstance(element, dict) and len(element) < 3 and _SHELL.issuperset(element)


def coerce_object(attribute: Attribute, value: dict[str, object], where: str, notes: Notes) -> dict[str, Any]:
    """The sub-attributes of one complex value under their canonical names; unknown ones are kept as sent."""
    result: dict[str, Any] = {}
    lookup = attribute.lookup
    for name, inner in value.items():
        sub = lookup.get(name) or lookup.get(name.lower())
        if sub is None:
            if inner is not None:
                result[name] = without_nulls(inner)
        elif type(inner) is str and sub.plain_text:
            if inner and not inner.isspace() and (name == sub.name or sub.name not in result):
                result[sub.name] = inner
        elif (inner is True or inner is False) and sub.type == "boolean":
            result[sub.name] = inner
        else:
            coerced = coerce(sub, inner, f"{where}.{sub.name}", notes)
            if coerced is not None:
                result[sub.name] = coerced
    return result


def _complex(attribute: Attribute, value: object, where: str, notes: Notes) -> Any:
    if isinstance(value, str) and value[:1] == "{":
        value = _parsed(value)
    if type(value) is dict:
        return coerce_object(attribute, value, where, notes) or None
    # A name or an address that is only text is the whole of it, as a person would write it.
    main = attribute.value_attribute or attribute.find("formatted")
    if main is None or isinstance(value, bool | list | dict):
        return _kept(value, where, "an object is expected", notes)
    coerced = coerce(main, value, f"{where}.{main.name}", notes)
    return None if coerced is None else {main.name: coerced}


def _unpack_value(role: dict[str, Any], attribute: Attribute, where: str, notes: Notes) -> None:
    text = role.get("value")
    inner = _parsed(text) if isinstance(text, str) and text[:1] == "{" else None
    if isinstance(inner, dict) and "value" in inner:
        # Entra's id of the app role is dropped, so that its POST and PATCH forms are the same role (row E10).
        del role["value"]
        role |= coerce_object(attribute, {k: v for k, v in inner.items() if attribute.find(k)}, where, notes)


def _unwrapped(attribute: Attribute, value: dict[str, object]) -> object:
    """``{"active": false}`` or ``{"value": false}`` where ``false`` is meant."""
    if len(value) == 1:
        name, inner = next(iter(value.items()))
        if name.lower() in {attribute.name.lower(), "value"}:
            return inner
    return value


def parse_serialized(value: object) -> object:
    """An object or array that came as a JSON string (row X01); anything else as it is."""
    return _parsed(value) if isinstance(value, str) and value[:1] in {"[", "{"} else value


def one_object(value: object) -> object:
    """An object that came serialized or as a list of one (row E09); anything else as it is."""
    value = parse_serialized(value)
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _parsed(text: str) -> object:
    """What a JSON document in a string holds (row X01), checked like the body; the text itself if it is not JSON."""
    if len(text) > MAX_SERIALIZED_LENGTH:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    check_values(value)
    return value


def _text(value: object, where: str, notes: Notes) -> Any:
    if isinstance(value, str):
        return value if value and not value.isspace() else None
    if isinstance(value, bool):
        return _kept(value, where, "text is expected", notes)
    try:
        return str(value)
    except ValueError:
        return _kept(value, where, "text is expected", notes)


def as_boolean(value: object) -> bool | None:
    """The boolean that a value stands for; None if it stands for none."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str | int | float):
        word = value.strip().lower() if isinstance(value, str) else "01"[int(value)] if value in {0, 1} else ""
        if word in TRUE_WORDS:
            return True
        if word in FALSE_WORDS:
            return False
    return None


def _boolean(value: object, where: str, notes: Notes) -> Any:
    result = as_boolean(value)
    if result is not None:
        return result
    if isinstance(value, str) and (not value or value.isspace()):
        return None
    return _kept(value, where, "true or false is expected", notes)


def _kept(value: object, where: str, reason: str, notes: Notes) -> Any:
    kept = without_nulls(value)
    if isinstance(kept, list | dict) and not kept:
        return None
    notes.append(Diagnostic(where, reason))
    return kept


def without_nulls(value: Any) -> Any:
    """A copy of JSON data without nulls, at any depth, with numbers as the database gives them back."""
    if type(value) is dict:
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    if type(value) is list:
        return [without_nulls(inner) for inner in value if inner is not None]
    if type(value) is float and abs(value) >= _WRITTEN_OUT:
        return int(Decimal(repr(value)))
    return value


def keep_one_primary(elements: object, keep: Literal["first", "last"]) -> None:
    """Leave ``primary`` true on one element of a list, in place (rows P02 and X04)."""
    if not isinstance(elements, list):
        return
    flagged = [e for e in elements if isinstance(e, dict) and e.get("primary") is True]
    if len(flagged) > 1:
        chosen = flagged[0 if keep == "first" else -1]
        for element in flagged:
            if element is not chosen:
                element["primary"] = False
