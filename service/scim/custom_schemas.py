"""Schemas that nobody defined: what the extension objects of a directory's resources are seen to hold (RFC 7643 7)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from service.scim.attribute_paths import PRINTABLE_URN
from service.scim.attributes import Attribute, Schema

MAX_SCHEMAS: Final = 50
"""Custom schemas of one directory that are shown."""
MAX_ATTRIBUTES: Final = 500
"""Attributes of one custom schema that are shown, and sub-attributes of one attribute."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One kind of value that was seen. `type`: `string`, `boolean`, `integer`, `decimal`, `object`, or empty for none.

    `sub` and `sub_type` speak of one member of an object, empty otherwise; `multi` and `sub_multi` of an array.
    """

    resource_type: str
    urn: str
    name: str
    type: str
    multi: bool = False
    sub: str = ""
    sub_type: str = ""
    sub_multi: bool = False


@dataclass(frozen=True, slots=True)
class CustomSchemas:
    """The custom schemas of a directory, and which of them each type of resource bears (URNs by its name)."""

    schemas: tuple[Schema, ...] = ()
    extensions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class _Attribute:
    name: str
    types: set[str] = field(default_factory=set)
    multi: bool = False
    subs: "dict[str, _Attribute]" = field(default_factory=dict)

    def add(self, kind: str, *, multi: bool) -> None:
        if kind:
            self.types.add(kind)
        self.multi = self.multi or multi

    def made(self) -> Attribute:
        kind = _common_type(self.types)
        subs = tuple(sub.made() for sub in self.subs.values()) if kind == "complex" else ()
        return Attribute(self.name, kind, multi_valued=self.multi, case_exact=kind == "string", sub_attributes=subs)


def infer(seen: Iterable[Seen]) -> CustomSchemas:
    """The schemas behind what was seen. Names that differ in case only are one, written as seen first."""
    urns: dict[str, str] = {}
    attributes: dict[str, dict[str, _Attribute]] = {}
    extensions: dict[str, dict[str, None]] = {}
    for value in seen:
        key = value.urn.lower()
        if not PRINTABLE_URN.match(value.urn) or (key not in urns and len(urns) >= MAX_SCHEMAS):
            continue
        urn = urns.setdefault(key, value.urn)
        extensions.setdefault(value.resource_type, {})[urn] = None
        attribute = _among(attributes.setdefault(urn, {}), value.name)
        if attribute is None:
            continue
        attribute.add(value.type, multi=value.multi)
        sub = _among(attribute.subs, value.sub) if value.sub else None
        if sub is not None:
            sub.add(value.sub_type, multi=value.sub_multi)
    return CustomSchemas(
        tuple(
            Schema(
                urn, urn, "Seen in this directory's resources", tuple(one.made() for one in attributes[urn].values())
            )
            for urn in urns.values()
        ),
        {name: tuple(urns) for name, urns in extensions.items()},
    )


def _among(attributes: dict[str, _Attribute], name: str) -> _Attribute | None:
    """The attribute of a name, in any case; None when there are too many."""
    key = name.lower()
    if key not in attributes and len(attributes) >= MAX_ATTRIBUTES:
        return None
    return attributes.setdefault(key, _Attribute(name))


def _common_type(types: set[str]) -> str:
    if "object" in types:
        return "complex"
    if types == {"integer", "decimal"}:
        return "decimal"
    return next(iter(types)) if len(types) == 1 else "string"
