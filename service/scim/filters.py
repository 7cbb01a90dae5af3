"""The filter language of RFC 7644 section 3.4.2.2, read by recursive descent into a canonical tree.

Lenient where providers are: any case of names and operators, ``"True"`` for booleans, unquoted simple words (row E17),
single quotes where nothing in them needs escaping,
``emails eq`` for ``emails.value eq``, ``emails[type eq "work"].value eq "x"`` (row E15), bare ``manager`` (row E16).
Strict where leniency would widen an answer: an unknown attribute of a known schema is an error.
"""

import json
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, get_args

from service.scim.attribute_paths import ATTRIBUTE_NAME, PRINTABLE_URN, Resolved, Target, read_name, resolve
from service.scim.attributes import Attribute
from service.scim.coercion import as_boolean
from service.scim.errors import InvalidFilter, InvalidValue
from service.scim.filter_ast import (
    And,
    AttrPath,
    Compare,
    CompareOp,
    Filter,
    Literals,
    Not,
    Or,
    Present,
    ValuePath,
    all_of,
    any_of,
    to_text,
)
from service.scim.limits import check_string
from service.scim.schema import ResourceType

__all__ = [
    "And",
    "AttrPath",
    "Compare",
    "CompareOp",
    "Filter",
    "Literals",
    "Not",
    "Or",
    "Present",
    "Resolved",
    "ValuePath",
    "parse_date_time",
    "parse_filter",
    "resolve",
    "to_text",
]

MAX_FILTER_LENGTH: Final = 8192
"""Characters."""
MAX_FILTER_DEPTH: Final = 50
"""Nested parentheses and brackets."""
MAX_FILTER_TERMS: Final = 250
"""Comparisons."""
_CACHED_LENGTH: Final = 256

# A string that is never closed is one lexeme, so that no input is scanned twice.
_LEXEME = re.compile(
    r""""[^"\\]*(?:\\(?:.|\Z)[^"\\]*)*(?:"|\Z)|'[^'"\\]*'(?=[\s()\[\]]|\Z)|[()\[\]]|[^\s()\[\]"]+""", re.DOTALL
)
_SIMPLE_WORD = re.compile(r"[\w.@+:#/=-]+\Z")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,18})(\.\d{1,18})?(?:[eE][+-]?\d{1,2})?\Z")
_OPERATORS: Final[dict[str, CompareOp]] = {op: op for op in get_args(CompareOp)}
_REFUSED: Final[dict[str, frozenset[str]]] = {
    "boolean": frozenset({"co", "sw", "ew", "gt", "ge", "lt", "le"}),
    "binary": frozenset({"gt", "ge", "lt", "le"}),
    "dateTime": frozenset({"co", "sw", "ew"}),
}
_ONLY_EQUALITY: Final = frozenset({"eq", "ne"})


def parse_filter(text: str, resource_type: ResourceType) -> Filter:
    """The tree of a filter, in canonical names and normal form. Raises InvalidFilter."""
    if len(text) <= _CACHED_LENGTH:
        return _parse_cached(text, resource_type)
    return _parse(text, resource_type)


def _parse(text: str, resource_type: ResourceType) -> Filter:
    parser = FilterParser(text, resource_type)
    expression = parser.disjunction()
    parser.expect_end()
    return expression


_parse_cached = lru_cache(maxsize=2048)(_parse)


class FilterParser:
    """Recursive descent over the lexemes of one text. Also reads the bracketed filter of a PATCH path."""

    __slots__ = ("_depth", "_index", "_lenient", "_lexemes", "_parent", "_resource_type", "_terms")

    def __init__(self, text: str, resource_type: ResourceType, *, lenient: bool = False) -> None:
        if len(text) > MAX_FILTER_LENGTH:
            raise InvalidFilter(f"the filter is longer than {MAX_FILTER_LENGTH} characters")
        self._lexemes: list[str] = _LEXEME.findall(text)
        self._resource_type = resource_type
        self._index = 0
        self._depth = 0
        self._terms = 0
        self._parent: Target | None = None
        self._lenient = lenient

    def disjunction(self) -> Filter:
        """FILTER: conjunctions joined by ``or``."""
        first = self._conjunction()
        if self._peek() != "or":
            return first
        terms = [first]
        while self._accept("or"):
            terms.append(self._conjunction())
        return any_of(terms)

    def bracketed(self, target: Target) -> Filter:
        """``[filter]`` on the values of ``target``."""
        self._expect("[")
        self._parent = target
        self._enter()
        inner = self.disjunction()
        self._depth -= 1
        self._parent = None
        self._expect("]")
        return inner

    def word(self) -> str:
        """The next lexeme, which must be a name."""
        lexeme = self._next()
        if lexeme[0] in '"()[]':
            raise InvalidFilter("an attribute name is expected where the filter has a value or a bracket")
        return lexeme

    def after_bracket(self) -> str | None:
        """The ``.sub`` that may follow a closing bracket."""
        if self._index < len(self._lexemes) and self._lexemes[self._index][0] == ".":
            return self._next()[1:]
        return None

    def at_bracket(self) -> bool:
        """Whether a value filter follows."""
        return self._index < len(self._lexemes) and self._lexemes[self._index] == "["

    def expect_end(self) -> None:
        """Raise InvalidFilter if something follows."""
        if self._index < len(self._lexemes):
            raise InvalidFilter("the filter goes on where it should end; terms are joined by 'and' or 'or'")

    def _conjunction(self) -> Filter:
        first = self._term()
        if self._peek() != "and":
            return first
        terms = [first]
        while self._accept("and"):
            terms.append(self._term())
        return all_of(terms)

    def _term(self) -> Filter:
        if self._index >= len(self._lexemes):
            raise InvalidFilter("the filter ends where an expression is expected")
        lexeme = self._lexemes[self._index]
        if lexeme == "(":
            return self._group()
        if lexeme.lower() == "not" and self._lexemes[self._index + 1 : self._index + 2] == ["("]:
            self._index += 1
            return Not(self._group())
        return self._attribute_expression()

    def _group(self) -> Filter:
        self._expect("(")
        self._enter()
        inner = self.disjunction()
        self._depth -= 1
        self._expect(")")
        return inner

    def _attribute_expression(self) -> Filter:
        self._terms += 1
        if self._terms > MAX_FILTER_TERMS:
            raise InvalidFilter(f"the filter has more than {MAX_FILTER_TERMS} comparisons")
        name = self.word()
        if self._parent is not None:
            return self._comparison(*self._inner_name(name))
        target = self._known(read_name(name, self._resource_type), name)
        if self.at_bracket():
            return self._value_path(target)
        return self._comparison(AttrPath(target.urn, target.name, target.sub), target.sub_attribute or target.attribute)

    def _value_path(self, target: Target) -> Filter:
        if target.sub is not None or (target.attribute is not None and target.attribute.type != "complex"):
            raise InvalidFilter(f"'{target.name}' has no values that a filter in brackets could select")
        inner = self.bracketed(target)
        sub = self.after_bracket()
        if sub is not None:
            inner = all_of([inner, self._inner_comparison(target, sub)])
        elif self._peek() in _OPERATORS and target.attribute is not None and target.attribute.value_attribute:
            # emails[type eq "work"] eq "x": what stands for an attribute elsewhere stands for its values here
            inner = all_of([inner, self._inner_comparison(target, target.attribute.value_attribute.name)])
        return ValuePath(AttrPath(target.urn, target.name), inner)

    def _inner_comparison(self, target: Target, sub: str) -> Filter:
        self._parent = target
        comparison = self._comparison(*self._inner_name(sub))
        self._parent = None
        return comparison

    def _inner_name(self, name: str) -> tuple[AttrPath, Attribute | None]:
        """A sub-attribute of the value path's attribute; a PATCH path may name unknown ones (row X05)."""
        target = self._parent
        if target is not None and name[: len(target.name) + 1].lower() == f"{target.name.lower()}.":
            name = name[len(target.name) + 1 :]  # emails[emails.type eq "work"]
        parent = target.attribute if target else None
        attribute = parent.find(name) if parent else None
        if attribute is not None:
            return AttrPath(None, attribute.name), attribute
        if parent is not None and not self._lenient:
            raise InvalidFilter(f"'{parent.name}' has no sub-attribute of the name in the filter")
        if not ATTRIBUTE_NAME.match(name):
            raise InvalidFilter("an attribute name in the filter is malformed")
        return AttrPath(None, name), None

    def _known(self, target: Target, written: str) -> Target:
        if target.schema_known and not target.known:
            raise InvalidFilter(f"'{written[:100]}' is not an attribute of {self._resource_type.name}")
        if not target.name or "." in (target.sub or "") or written[-1] == ".":
            raise InvalidFilter("an attribute is expected where the filter has a schema or too many dots")
        if not target.schema_known and not PRINTABLE_URN.match(target.urn or ""):
            raise InvalidFilter("a schema URN in the filter is malformed")
        if not target.schema_known and not ATTRIBUTE_NAME.match(target.sub or target.name):
            raise InvalidFilter("an attribute name in the filter is malformed")
        if target.attribute is not None and target.attribute.mutability == "writeOnly":
            raise InvalidFilter(f"'{target.name}' cannot be used in a filter")
        return target

    def _comparison(self, path: AttrPath, attribute: Attribute | None) -> Filter:
        operator = self._next().lower()
        if operator == "pr":
            return Present(path)
        op = _OPERATORS.get(operator)
        if op is None:
            raise InvalidFilter("an operator is expected behind the attribute: eq ne co sw ew gt ge lt le pr")
        if attribute is not None and attribute.type == "complex":
            attribute = attribute.value_attribute
            if attribute is None:
                raise InvalidFilter(f"'{path.name}' is compared as a whole; name one of its sub-attributes")
            path = AttrPath(path.urn, path.name, attribute.name)
        return Compare(path, op, _value(self._next(), attribute, op))

    def _peek(self) -> str:
        return self._lexemes[self._index].lower() if self._index < len(self._lexemes) else ""

    def _next(self) -> str:
        if self._index >= len(self._lexemes):
            raise InvalidFilter("the filter ends too early")
        self._index += 1
        return self._lexemes[self._index - 1]

    def _accept(self, keyword: str) -> bool:
        if self._peek() == keyword:
            self._index += 1
            return True
        return False

    def _expect(self, bracket: str) -> None:
        if self._index >= len(self._lexemes) or self._lexemes[self._index] != bracket:
            raise InvalidFilter(f"'{bracket}' is missing in the filter")
        self._index += 1

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_FILTER_DEPTH:
            raise InvalidFilter(f"the filter is nested deeper than {MAX_FILTER_DEPTH} levels")


def _value(lexeme: str, attribute: Attribute | None, op: CompareOp) -> Literals:
    if lexeme in "()[]":
        raise InvalidFilter("a value is expected behind the operator")
    kind = attribute.type if attribute else "unknown"
    if op in _REFUSED.get(kind, ()):
        raise InvalidFilter(f"the operator '{op}' cannot be used with a value of type {kind}")
    value = _typed(_literal(lexeme), lexeme, kind)
    if (value is None or isinstance(value, bool)) and op not in _ONLY_EQUALITY:
        raise InvalidFilter(f"the operator '{op}' cannot be used with true, false or null")
    if kind == "dateTime" and isinstance(value, str):
        parse_date_time(value)
    return value


def _literal(lexeme: str) -> Literals:
    if lexeme[0] == '"':
        return _quoted(lexeme)
    if lexeme[0] == "'" == lexeme[-1] and len(lexeme) > 1 and "\\" not in lexeme:
        _check_text(lexeme)
        return lexeme[1:-1]
    lowered = lexeme.lower()
    if lowered in {"true", "false"}:
        return lowered == "true"
    if lowered == "null":
        return None
    if number := _NUMBER.match(lexeme):
        return float(lexeme) if number[1] or "e" in lowered else int(lexeme)
    if not _SIMPLE_WORD.match(lexeme):
        raise InvalidFilter("a value that is not a number, true, false or null must stand in double quotes")
    _check_text(lexeme)
    return lexeme


def _quoted(lexeme: str) -> str:
    if len(lexeme) < 2 or lexeme[-1] != '"':
        raise InvalidFilter("a string in the filter is not closed")
    if "\\" not in lexeme:
        text = lexeme[1:-1]
    else:
        try:
            text = str(json.loads(lexeme, strict=False))
        except ValueError:
            raise InvalidFilter("a string in the filter holds an invalid escape") from None
    _check_text(text)
    return text


def _check_text(text: str) -> None:
    if "\0" in text or not text.isascii():
        try:
            check_string(text)
        except InvalidValue as error:
            raise InvalidFilter(error.detail) from None


def _typed(value: Literals, lexeme: str, kind: str) -> Literals:
    """The literal as the attribute's type: an unquoted 007 stays text for a string, "True" is a boolean."""
    if value is None or kind == "unknown":
        return value
    if kind == "boolean":
        boolean = as_boolean(value)
        if boolean is None:
            raise InvalidFilter("a boolean attribute compares with true or false")
        return boolean
    return value if isinstance(value, str) else lexeme


def parse_date_time(text: str) -> datetime:
    """An xsd:dateTime (RFC 7643 section 2.3.5); without a zone it is UTC. Raises InvalidFilter."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidFilter("a time is expected, such as 2026-01-31T08:30:00Z") from None
