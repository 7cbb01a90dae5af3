"""Laws of the filter language: text and tree agree, and matching agrees with a naive reading of RFC 7644."""

import re
import unicodedata
from typing import Any

from hypothesis import assume, given, settings

from service.scim.filters import And, Compare, Filter, Not, Or, Present, ValuePath, parse_filter, to_text
from service.scim.match import matches
from service.scim.schema import USER
from tests.property.scim import strategies as s

quick = settings(deadline=None, max_examples=120)


@quick
@given(s.filters)
def test_a_filter_written_and_read_again_is_the_same(expression: Filter) -> None:
    assert parse_filter(to_text(expression), USER) == expression


@quick
@given(s.filters)
def test_the_case_of_keywords_does_not_matter(expression: Filter) -> None:
    text = to_text(expression)
    assume("urn:x:y" not in text)
    shouted = re.sub(r'("(?:[^"\\]|\\.)*")|[^"]+', lambda found: found[0] if found[1] else found[0].upper(), text)
    assert parse_filter(shouted, USER) == expression


@quick
@given(s.filters, s.documents)
def test_matching_agrees_with_a_naive_reading(expression: Filter, document: dict[str, Any]) -> None:
    assert matches(expression, document, USER) == naive(expression, [document])


@quick
@given(s.filters, s.documents)
def test_negation_is_the_opposite(expression: Filter, document: dict[str, Any]) -> None:
    assert matches(Not(expression), document, USER) != matches(expression, document, USER)


EXACT = {"externalId"}


def naive(expression: Filter, scope: list[Any]) -> bool:
    """Whether one of the objects in scope satisfies the filter, read straight from the RFC's table of operators."""
    if isinstance(expression, And):
        return all(naive(term, scope) for term in expression.terms)
    if isinstance(expression, Or):
        return any(naive(term, scope) for term in expression.terms)
    if isinstance(expression, Not):
        return not naive(expression.term, scope)
    if isinstance(expression, ValuePath):
        elements = scope[0].get(expression.path.name, [])
        return any(naive(expression.filter, [element]) for element in elements)
    found = reach(scope, expression.path)
    if isinstance(expression, Present):
        return len([value for value in found if value not in ("", [], {})]) > 0
    return compare(found, expression)


def reach(scope: list[Any], path: Any) -> list[Any]:
    steps = [step for step in (path.urn, path.name, path.sub) if step]
    for step in steps:
        following: list[Any] = []
        for holder in scope:
            value = holder.get(step) if isinstance(holder, dict) else None
            following += value if isinstance(value, list) else [] if value is None else [value]
        scope = following
    return scope


def compare(found: list[Any], expression: Compare) -> bool:
    if expression.value is None:
        return (found == []) == (expression.op == "eq")
    exact = expression.path.name in EXACT or expression.path.urn == "urn:x:y"
    left = [norm(value, exact) for value in found]
    right: Any = norm(expression.value, exact)
    checks: dict[str, Any] = {
        "eq": lambda v: v == right,
        "co": lambda v: right in v,
        "sw": lambda v: v[: len(right)] == right,
        "ew": lambda v: right == "" or v[-len(right) :] == right,
        "gt": lambda v: v > right,
        "ge": lambda v: v >= right,
        "lt": lambda v: v < right,
        "le": lambda v: v <= right,
    }
    if expression.op == "ne":
        return right not in left
    return any(checks[expression.op](value) for value in left)


def norm(value: Any, exact: bool) -> Any:
    if exact or not isinstance(value, str):
        return value
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold())
