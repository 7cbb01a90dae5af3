"""Fragments of SQL that filters and sort keys are made of. Values always travel as parameters."""

from typing import Any

# What is neither null, nor an empty text, nor made of such things only. `$.**` begins with the value itself.
_PRESENT = '\'$.** ? (@.type() == "boolean" || @.type() == "number" || (@.type() == "string" && @ != ""))\'::jsonpath'
_OPERATORS = {"eq": "=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}


class Parameters:
    """The arguments of one statement, in the order in which they were first used."""

    __slots__ = ("values",)

    def __init__(self, *first: Any) -> None:
        self.values: list[Any] = list(first)

    def add(self, value: Any, kind: str) -> str:
        """The placeholder of a value of a type of PostgreSQL. `kind` is written in this package, never by a caller."""
        self.values.append(value)
        return f"${len(self.values)}::{kind}"


def folded(text: str) -> str:
    """As service.scim.keys.fold: NFKC, case folding, NFKC. Its order is that of code points."""
    return f'fold_v1({text}) COLLATE "C"'


def exact(text: str) -> str:
    """A text that compares by code points."""
    return f'({text}) COLLATE "C"'


def text_of(value: str) -> str:
    """The text of a jsonb string."""
    return f"{value} #>> '{{}}'"


def text_holds(text: str, op: str, wanted: str) -> str:
    """A comparison of two texts; not LIKE, so that no character has a meaning of its own."""
    if op == "co":
        return f"strpos({text}, {wanted}) > 0"
    if op == "sw":
        return f"starts_with({text}, {wanted})"
    if op == "ew":
        return f"right({text}, length({wanted})) = {wanted}"
    return f"{text} {_OPERATORS[op]} {wanted}"


def ordered(value: str, op: str, wanted: str) -> str:
    """A comparison of two values of one type with an order."""
    return f"{value} {_OPERATORS[op]} {wanted}"


def present(value: str) -> str:
    """Whether a jsonb value says something (RFC 7644 section 3.4.2.2, `pr`)."""
    return f"jsonb_path_exists({value}, {_PRESENT})"


def elements(value: str) -> str:
    """A FROM item: the elements of an array, or the one value that is none."""
    return f"jsonb_path_query({value}, '$[*]')"


def member(holder: str, name: str, *, known: bool) -> str:
    """A value of a jsonb object by name; names that no schema defines are searched in any case."""
    if known:
        return f"({holder} -> {name})"
    return (
        f"(SELECT k.value FROM jsonb_each(CASE WHEN jsonb_typeof({holder}) = 'object' THEN {holder} END) AS k"  # noqa: S608
        f' WHERE lower(k.key COLLATE "C") = lower({name} COLLATE "C") ORDER BY k.key <> {name} LIMIT 1)'
    )


def plain_or_member(element: str, name: str, name_value: str, *, known: bool) -> str:
    """A sub-attribute of an element; an element that is no object is its own `value`."""
    inner = member(element, name, known=known)
    if name_value != "value":
        return inner
    return f"CASE WHEN jsonb_typeof({element}) = 'object' THEN {inner} ELSE {element} END"
