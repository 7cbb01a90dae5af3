"""The ``path`` of a PATCH operation (RFC 7644 section 3.5.2, figure 7)."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from service.scim.attribute_paths import ATTRIBUTE_NAME, PRINTABLE_URN, Target, read_name
from service.scim.attributes import Attribute
from service.scim.errors import InvalidFilter, InvalidPath
from service.scim.filter_ast import Filter
from service.scim.filters import MAX_FILTER_LENGTH, FilterParser
from service.scim.schema import ResourceType

_CACHED_LENGTH: Final = 256


@dataclass(frozen=True, slots=True)
class PatchPath:
    """Where a PATCH operation applies.

    ``urn`` is None for the core schema; ``attribute`` is empty when the whole extension ``urn`` is meant. ``known`` is
    false when the schema has no such attribute or sub-attribute: its names are then as written (row X05).
    """

    urn: str | None
    attribute: str
    filter: Filter | None = None
    sub: str | None = None
    known: bool = True
    definition: Attribute | None = None
    sub_definition: Attribute | None = None


def parse_path(text: str, resource_type: ResourceType) -> PatchPath:
    """The parts of a path, in canonical names. Raises InvalidPath, or InvalidFilter for what stands in brackets."""
    if len(text) <= _CACHED_LENGTH:
        return _parse_cached(text, resource_type)
    if len(text) > MAX_FILTER_LENGTH:
        raise InvalidPath(f"the path is longer than {MAX_FILTER_LENGTH} characters")
    return _parse(text, resource_type)


def _parse(text: str, resource_type: ResourceType) -> PatchPath:
    written = text.strip()
    if written[:1] == "/":
        written = written[1:].replace("/", ".")  # as JSON Patch writes it
    if written.endswith("."):
        raise InvalidPath("the path ends in a dot")
    if "[" in written:
        return _parse_value_path(written, resource_type)
    target = read_name(written, resource_type)
    _check(target)
    return _path(target)


_parse_cached = lru_cache(maxsize=4096)(_parse)


def _parse_value_path(text: str, resource_type: ResourceType) -> PatchPath:
    parser = FilterParser(text, resource_type, lenient=True)
    try:
        target = read_name(parser.word(), resource_type)
    except InvalidFilter:
        raise InvalidPath("the path does not begin with an attribute name") from None
    _check(target)
    if target.sub is not None or not target.name:
        raise InvalidPath("a filter in brackets must directly follow an attribute")
    if target.attribute is not None and target.attribute.type != "complex":
        raise InvalidPath(f"'{target.name}' has no values that a filter in brackets could select")
    if not parser.at_bracket():
        raise InvalidPath("the path is malformed before its bracket")
    condition = parser.bracketed(target)
    sub = parser.after_bracket()
    try:
        parser.expect_end()
    except InvalidFilter:
        raise InvalidPath("the path goes on behind its closing bracket") from None
    if sub is None:
        return _path(target, condition)
    if not ATTRIBUTE_NAME.match(sub):
        raise InvalidPath("the sub-attribute behind the bracket is malformed")
    definition = target.attribute.find(sub) if target.attribute else None
    name = definition.name if definition else sub
    known = target.known and definition is not None
    return PatchPath(target.urn, target.name, condition, name, known, target.attribute, definition)


def _path(target: Target, condition: Filter | None = None) -> PatchPath:
    return PatchPath(
        target.urn, target.name, condition, target.sub, target.known, target.attribute, target.sub_attribute
    )


def _check(target: Target) -> None:
    """Names that no schema could define are malformed; a well-formed unknown name is kept (row X05)."""
    parts = [target.name] if target.name or target.urn is None else []
    parts += target.sub.split(".") if target.sub else []
    if not target.schema_known and not PRINTABLE_URN.match(target.urn or ""):
        raise InvalidPath("the schema URN in the path is malformed")
    if not all(ATTRIBUTE_NAME.match(part) for part in parts):
        raise InvalidPath("the path is not of the form attribute, attribute.sub or attribute[filter]")
    if target.attribute is not None and target.sub is not None and target.attribute.type != "complex":
        raise InvalidPath(f"'{target.name}' has no sub-attributes")
