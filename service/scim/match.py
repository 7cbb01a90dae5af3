"""Whether a document satisfies a filter (RFC 7644 section 3.4.2.2).

``ne`` matches when no value equals, so also when the attribute is absent: it is exactly ``not (… eq …)``. ``eq null``
asks for absence, ``ne null`` for presence. All other operators match when some value does. Strings compare folded
unless the attribute is case-exact; times compare as moments; values of different kinds never match.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from service.scim.attribute_paths import resolve
from service.scim.attributes import Attribute
from service.scim.errors import InvalidFilter
from service.scim.filter_ast import And, AttrPath, Compare, Filter, Literals, Not, Or, Present
from service.scim.filters import parse_date_time
from service.scim.keys import fold
from service.scim.schema import ResourceType

_Document = Mapping[str, Any]
_Test = Callable[[_Document], bool]


def matches(expression: Filter, document: _Document, resource_type: ResourceType) -> bool:
    """Whether a document in canonical names satisfies the filter."""
    if isinstance(expression, Compare):
        resolved = resolve(expression.path, resource_type)
        return _compare(_values(expression.path, document), expression.op, expression.value, resolved.attribute)
    if isinstance(expression, And):
        return all(matches(term, document, resource_type) for term in expression.terms)
    if isinstance(expression, Or):
        return any(matches(term, document, resource_type) for term in expression.terms)
    if isinstance(expression, Not):
        return not matches(expression.term, document, resource_type)
    if isinstance(expression, Present):
        return any(_present(value) for value in _values(expression.path, document))
    attribute = resolve(expression.path, resource_type).attribute
    return any(map(value_test(expression.filter, attribute), _values(expression.path, document)))


def value_test(expression: Filter, attribute: Attribute | None) -> Callable[[object], bool]:
    """Whether one value of a complex attribute satisfies the filter of a ``ValuePath``.

    A function, to be asked of many values: what the filter alone decides is worked out once.
    """
    test = _test(expression, attribute)
    return lambda value: test(value if isinstance(value, dict) else {"value": value})


def _test(expression: Filter, attribute: Attribute | None) -> _Test:
    if isinstance(expression, Compare):
        return _comparison(expression, attribute.find(expression.path.name) if attribute else None)
    if isinstance(expression, And | Or):
        return _joined([_test(term, attribute) for term in expression.terms], until=isinstance(expression, Or))
    if isinstance(expression, Not):
        negated = _test(expression.term, attribute)
        return lambda value: not negated(value)
    if isinstance(expression, Present):
        name = expression.path.name
        return lambda value: _present(value.get(name))
    return lambda _: False


def _joined(tests: list[_Test], *, until: bool) -> _Test:
    def test(value: _Document) -> bool:
        for one in tests:
            if one(value) is until:
                return until
        return not until

    return test


def _comparison(expression: Compare, sub: Attribute | None) -> _Test:
    name, op, wanted = expression.path.name, expression.op, expression.value
    if wanted is None or op == "ne":
        return lambda value: _compare(_flat(_get(value, name, sub)), op, wanted, sub)
    key = _key(wanted, sub)

    def test(value: _Document) -> bool:
        held = _get(value, name, sub)
        if isinstance(held, list):
            return any(_holds(_key(one, sub), op, key) for one in held)
        return held is not None and _holds(_key(held, sub), op, key)

    return test


def _get(holder: _Document, name: str, known: object) -> object:
    """A value by name; names that no schema defines are searched in any case."""
    if name in holder or known is not None:
        return holder.get(name)
    lowered = name.lower()
    return next((value for key, value in holder.items() if key.lower() == lowered), None)


def _values(path: AttrPath, document: _Document) -> list[Any]:
    holder: Any = document if path.urn is None else _get(document, path.urn, None)
    if not isinstance(holder, Mapping):
        return []
    values = _flat(_get(holder, path.name, None))
    if path.sub is None:
        return values
    found: list[Any] = []
    for value in values:
        if isinstance(value, dict):
            found.extend(_flat(_get(value, path.sub, None)))
        elif path.sub == "value":
            found.append(value)
    return found


def _flat(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _present(value: object) -> bool:
    if isinstance(value, dict):
        return any(_present(inner) for inner in value.values())
    if isinstance(value, list):
        return any(_present(inner) for inner in value)
    return value is not None and value != ""


def _compare(values: list[Any], op: str, wanted: Literals, attribute: Attribute | None) -> bool:
    if wanted is None:
        present = any(_present(value) for value in values)
        return present if op == "ne" else not present
    if op == "ne":
        return not _compare(values, "eq", wanted, attribute)
    key = _key(wanted, attribute)
    return any(_holds(_key(value, attribute), op, key) for value in values)


def _key(value: object, attribute: Attribute | None) -> object:
    """The value in the form in which it compares."""
    if not isinstance(value, str):
        return value
    if attribute is not None and attribute.type == "dateTime":
        try:
            return parse_date_time(value)
        except InvalidFilter:
            return value
    return value if attribute is None or attribute.case_exact else fold(value)


def _holds(value: Any, op: str, wanted: Any) -> bool:
    if isinstance(wanted, str):
        return isinstance(value, str) and _text_holds(value, op, wanted)
    if isinstance(wanted, bool) or isinstance(value, bool):
        return op == "eq" and value is wanted
    if isinstance(wanted, datetime) != isinstance(value, datetime) or not isinstance(value, int | float | datetime):
        return False
    return _ordered(value, op, wanted)


def _text_holds(value: str, op: str, wanted: str) -> bool:
    if op == "co":
        return wanted in value
    if op == "sw":
        return value.startswith(wanted)
    if op == "ew":
        return value.endswith(wanted)
    return _ordered(value, op, wanted)


def _ordered(value: Any, op: str, wanted: Any) -> bool:
    if op == "eq":
        return bool(value == wanted)
    if op == "gt":
        return bool(value > wanted)
    if op == "ge":
        return bool(value >= wanted)
    if op == "lt":
        return bool(value < wanted)
    return bool(op == "le" and value <= wanted)
