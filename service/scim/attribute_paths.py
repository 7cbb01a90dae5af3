"""Attribute names as requests write them: case, dots and schema URNs (RFC 7644 sections 3.4.2.2 and 3.10)."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from service.scim.attributes import Attribute, Schema
from service.scim.filter_ast import AttrPath
from service.scim.schema import BARE_EXTENSION_ATTRIBUTES, ResourceType

_CACHED_LENGTH: Final = 128
ATTRIBUTE_NAME = re.compile(r"\$?[A-Za-z][A-Za-z0-9_$-]{0,1000}\Z")
PRINTABLE_URN = re.compile(r"[!-~]{1,1000}\Z")


def begins_with_schema(name: str) -> bool:
    """Whether a written name begins with a URN, or a URI as Microsoft names its schemas: `http://schemas.microsoft.com/…`."""
    return name[:4].lower() == "urn:" or "://" in name[:8]


@dataclass(frozen=True, slots=True)
class Target:
    """What a written name means.

    ``urn`` is None for the core schema. ``name`` is empty when a whole extension is meant. ``attribute`` is None when
    the schema is unknown or does not have the attribute; then the names are as written.
    """

    urn: str | None
    name: str
    sub: str | None
    attribute: Attribute | None
    sub_attribute: Attribute | None
    schema_known: bool

    @property
    def known(self) -> bool:
        """Whether every part of the name is defined by a known schema."""
        if self.attribute is None:
            return self.schema_known and not self.name
        return self.sub is None or self.sub_attribute is not None


def read_name(text: str, resource_type: ResourceType) -> Target:
    """The meaning of ``[urn:]attribute[.sub]``; the longest known schema URN is taken first (row E03)."""
    if len(text) <= _CACHED_LENGTH:
        return _read_cached(text, resource_type)
    return _read(text, resource_type)


def _read(text: str, resource_type: ResourceType) -> Target:
    if not begins_with_schema(text):
        return _core(text, resource_type)
    lowered = text.lower()
    for urn, schema in resource_type.urns:
        if lowered.startswith(urn):
            rest = text[len(urn) :]
            if not rest or rest[0] in ":.":
                return _in_schema(rest[1:], schema, resource_type)
    urn, _, rest = text.rpartition(":")
    if not ATTRIBUTE_NAME.match(rest.partition(".")[0]):
        # Okta's urn:okta:custom:group:1.0 ends in a version: the whole text is the URN (row O15).
        return Target(text, "", None, None, None, schema_known=False)
    name, _, sub = rest.partition(".")
    return Target(urn, name, sub or None, None, None, schema_known=False)


_read_cached = lru_cache(maxsize=4096)(_read)


def _core(text: str, resource_type: ResourceType) -> Target:
    name, _, sub = text.partition(".")
    attribute = resource_type.find(name)
    if attribute is None:
        urn = BARE_EXTENSION_ATTRIBUTES.get(name.lower())
        extension = resource_type.find_extension(urn) if urn else None
        if extension is not None:
            return _in_schema(text, extension.schema, resource_type)
    return _target(None, name, sub, attribute)


def _in_schema(rest: str, schema: Schema | None, resource_type: ResourceType) -> Target:
    name, _, sub = rest.partition(".")
    if schema is None:
        return _target(None, name, sub, resource_type.find(name))
    return _target(schema.id, name, sub, schema.find(name))


def _target(urn: str | None, name: str, sub: str, attribute: Attribute | None) -> Target:
    if attribute is None:
        return Target(urn, name, sub or None, None, None, schema_known=True)
    sub_attribute = attribute.find(sub) if sub else None
    sub_name = sub_attribute.name if sub_attribute else sub or None
    return Target(urn, attribute.name, sub_name, attribute, sub_attribute, schema_known=True)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What an ``AttrPath`` of a parsed filter refers to.

    ``attribute`` is the one compared, None under an unknown extension; ``parent_attribute`` is its complex attribute.
    ``multi_valued`` is true when the attribute or its parent is.
    """

    attribute: Attribute | None
    parent_attribute: Attribute | None
    urn: str | None

    @property
    def type(self) -> str:
        """The attribute's type; ``unknown`` under an unknown extension."""
        return self.attribute.type if self.attribute else "unknown"

    @property
    def case_exact(self) -> bool:
        """Whether strings compare with regard to case."""
        return self.attribute is None or self.attribute.case_exact

    @property
    def multi_valued(self) -> bool:
        """Whether several values may be compared."""
        return any(a is not None and a.multi_valued for a in (self.attribute, self.parent_attribute))


def resolve(path: AttrPath, resource_type: ResourceType, within: AttrPath | None = None) -> Resolved:
    """The definition behind a path of a parsed filter; ``within`` is the path of the enclosing ``ValuePath``."""
    if within is not None:
        parent = resolve(within, resource_type).attribute
        return Resolved(parent.find(path.name) if parent else None, parent, within.urn)
    if path.urn is None:
        attribute = resource_type.find(path.name)
    else:
        extension = resource_type.find_extension(path.urn)
        attribute = extension.schema.find(path.name) if extension else None
    if attribute is None or path.sub is None:
        return Resolved(attribute, None, path.urn)
    return Resolved(attribute.find(path.sub), attribute, path.urn)
