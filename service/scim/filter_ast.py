"""The filter expression tree (RFC 7644 section 3.4.2.2) and its canonical text."""

import json
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

CompareOp: TypeAlias = Literal["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]
Literals: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class AttrPath:
    """An attribute, in canonical case. ``urn`` is None for the core schema, else the extension's URN.

    Inside a ``ValuePath`` the name is that of a sub-attribute of the value path's attribute.
    """

    urn: str | None
    name: str
    sub: str | None = None

    def __str__(self) -> str:
        name = f"{self.urn}:{self.name}" if self.urn else self.name
        return f"{name}.{self.sub}" if self.sub else name


@dataclass(frozen=True, slots=True)
class Compare:
    """``path op value``. A comparison with ``None`` asks for absence (``eq``) or presence (``ne``)."""

    path: AttrPath
    op: CompareOp
    value: Literals


@dataclass(frozen=True, slots=True)
class Present:
    """``path pr``: the attribute has a value that is not empty."""

    path: AttrPath


@dataclass(frozen=True, slots=True)
class And:
    """Every term holds. Terms are two or more and never ``And`` themselves."""

    terms: "tuple[Filter, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """Some term holds. Terms are two or more and never ``Or`` themselves."""

    terms: "tuple[Filter, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """The term does not hold."""

    term: "Filter"


@dataclass(frozen=True, slots=True)
class ValuePath:
    """``path[filter]``: one and the same value of the attribute satisfies the whole inner filter."""

    path: AttrPath
    filter: "Filter"


Filter: TypeAlias = Compare | Present | And | Or | Not | ValuePath


def all_of(terms: "list[Filter]") -> Filter:
    """The conjunction of two or more terms in normal form: nested conjunctions flattened."""
    flat: list[Filter] = []
    for term in terms:
        flat.extend(term.terms if isinstance(term, And) else (term,))
    return And(tuple(flat))


def any_of(terms: "list[Filter]") -> Filter:
    """The disjunction of two or more terms in normal form: nested disjunctions flattened."""
    flat: list[Filter] = []
    for term in terms:
        flat.extend(term.terms if isinstance(term, Or) else (term,))
    return Or(tuple(flat))


_CHARACTERS: Final = 100


def work_of_text(text: str) -> int:
    """What a text adds to the work of one comparison: 1 for each 100 characters, so nothing for most."""
    return len(text) // _CHARACTERS


def size(expression: Filter) -> int:
    """How many comparisons the expression holds; one with a long text counts as several."""
    if isinstance(expression, And | Or):
        return sum(size(term) for term in expression.terms)
    if isinstance(expression, Not):
        return size(expression.term)
    if isinstance(expression, ValuePath):
        return size(expression.filter)
    if isinstance(expression, Compare) and isinstance(expression.value, str):
        return 1 + work_of_text(expression.value)
    return 1


def to_text(expression: Filter) -> str:
    """The filter as RFC 7644 writes it; parsing it again gives an equal tree."""
    if isinstance(expression, Compare):
        return f"{expression.path} {expression.op} {json.dumps(expression.value, ensure_ascii=False)}"
    if isinstance(expression, Present):
        return f"{expression.path} pr"
    if isinstance(expression, Not):
        return f"not ({to_text(expression.term)})"
    if isinstance(expression, ValuePath):
        return f"{expression.path}[{to_text(expression.filter)}]"
    if isinstance(expression, And):
        return " and ".join(f"({to_text(t)})" if isinstance(t, Or) else to_text(t) for t in expression.terms)
    return " or ".join(to_text(term) for term in expression.terms)
