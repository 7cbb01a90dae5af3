"""Values of multi-valued attributes under PATCH: which are the same, which a filter describes."""

import json
from collections.abc import Callable
from typing import Any, Final

from service.scim.attributes import Attribute
from service.scim.filter_ast import And, Compare, Filter, work_of_text

_DESCRIPTIVE: Final = frozenset({"primary", "display"})
_written: Final = json.JSONEncoder(sort_keys=True).encode
_WRITTEN: Final = 3
"""Values written as JSON in the time of one comparison through a filter."""
_COMPARED: Final = 50
"""Values compared with equal ones in that time."""


def described_by(condition: Filter | None) -> dict[str, Any] | None:
    """The sub-attributes that a plain conjunction of ``eq`` asks for; None for any other filter."""
    terms = condition.terms if isinstance(condition, And) else (condition,)
    described: dict[str, Any] = {}
    for term in terms:
        if not isinstance(term, Compare) or term.op != "eq" or term.value is None or term.path.sub is not None:
            return None
        if described.setdefault(term.path.name, term.value) != term.value:
            return None
    return described


def is_creatable(definition: Attribute, described: dict[str, Any]) -> bool:
    """Whether ``replace`` may create the described value: a canonical type of the attribute, or its primary value."""
    kind = described.get("type")
    if isinstance(kind, str):
        types = definition.lookup.get("type")
        return types is not None and (not types.canonical_values or kind.lower() in types.canonical_values)
    return described.get("primary") is True


def merge_values(elements: list[Any], given: list[Any], spend: Callable[[int], None]) -> Any:
    """Append to ``elements``, in place, what it does not hold yet; the value set primary last, or None.

    A value is held already when its ``value`` is the same and no sub-attribute contradicts; it then takes over what is
    new (RFC 7644 section 3.5.2.1, row E10). Values without ``value`` are the same only when all of them is.
    """
    index: dict[str, list[Any]] = {}
    for element in elements:
        index.setdefault(_identity(element), []).append(element)
    primary = None
    spend(sum(map(_work, elements)) + sum(map(_work, given)))
    for element in given:
        alike = index.setdefault(_identity(element), [])
        if alike:
            spend(len(alike) * (1 + _size(element) // _COMPARED))
        same = next((candidate for candidate in alike if candidate == element), None)
        if same is None:
            same = next((candidate for candidate in alike if _compatible(candidate, element)), None)
        if same is None:
            elements.append(element)
            alike.append(element)
            same = element
        elif isinstance(same, dict):
            same |= element
        if isinstance(same, dict) and same.get("primary") is True and element.get("primary") is True:
            primary = same
    return primary


def without(elements: list[Any], listed: list[Any], spend: Callable[[int], None]) -> list[Any]:
    """The elements that a ``remove`` does not list (row E05)."""
    index: dict[str, list[Any]] = {}
    spend(sum(map(_work, elements)) + sum(map(_work, listed)))
    for one in listed:
        index.setdefault(_identity(one), []).append(one)
    left = []
    for element in elements:
        candidates = index.get(_identity(element), [])
        if candidates:
            spend(len(candidates) * (1 + _size(element) // _COMPARED))
        if not any(_compatible(element, one) for one in candidates):
            left.append(element)
    return left


def _identity(element: object) -> str:
    """What equal values have in common: their ``value``, else everything. A NUL keeps the two apart."""
    if isinstance(element, dict) and "value" in element:
        value = element["value"]
        return value if type(value) is str else "\0value" + _written(value)
    return "\0whole" + _written(element)


def _work(element: object) -> int:
    """The work of telling a value from others: more for a large one, if all of it is what tells it apart."""
    if isinstance(element, dict) and type(element.get("value")) is str:
        return 1
    return 3 + _size(element) // _WRITTEN


def _size(element: object) -> int:
    """Values at every depth, a long text as several."""
    size = 0
    level = [element]
    while level:
        size += len(level)
        below: list[object] = []
        for value in level:
            if type(value) is str:
                size += work_of_text(value)
            elif type(value) is dict:
                below += value.values()
            elif type(value) is list:
                below += value
        level = below
    return size


def _compatible(existing: object, given: object) -> bool:
    if not isinstance(existing, dict) or not isinstance(given, dict):
        return existing == given
    return all(name in _DESCRIPTIVE or existing.get(name, value) == value for name, value in given.items())
