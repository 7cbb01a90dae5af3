"""Attribute and schema definitions (RFC 7643 sections 2 and 7) with case-insensitive lookup tables built once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

TEXTUAL_TYPES = frozenset({"string", "reference", "binary", "dateTime"})


@dataclass(frozen=True, slots=True, eq=False)
class Attribute:
    """One attribute definition (RFC 7643 section 7).

    ``aliases`` are other names that providers use for it; they are understood in requests and never sent.
    """

    name: str
    type: str = "string"
    multi_valued: bool = False
    required: bool = False
    case_exact: bool = False
    mutability: str = "readWrite"
    returned: str = "default"
    uniqueness: str = "none"
    canonical_values: tuple[str, ...] = ()
    reference_types: tuple[str, ...] = ()
    description: str = ""
    sub_attributes: tuple["Attribute", ...] = field(default=(), repr=False)
    aliases: tuple[str, ...] = ()
    lookup: Mapping[str, "Attribute"] = field(init=False, repr=False)
    plain_text: bool = field(init=False, repr=False)
    value_attribute: "Attribute | None" = field(init=False, repr=False)

    def __post_init__(self) -> None:
        lookup = name_table(self.sub_attributes)
        object.__setattr__(self, "lookup", lookup)
        object.__setattr__(self, "plain_text", self.type in TEXTUAL_TYPES and not self.multi_valued)
        object.__setattr__(self, "value_attribute", lookup.get("value"))

    def find(self, name: str) -> "Attribute | None":
        """The sub-attribute of that name or alias, in any case."""
        return self.lookup.get(name) or self.lookup.get(name.lower())

    def to_document(self) -> dict[str, object]:
        """The attribute as ``/Schemas`` shows it (RFC 7643 section 7); keys that say nothing are left out."""
        document: dict[str, object] = {
            "name": self.name,
            "type": self.type,
            "multiValued": self.multi_valued,
            "description": self.description,
            "required": self.required,
        }
        if self.type == "complex":
            document["subAttributes"] = [sub.to_document() for sub in self.sub_attributes]
        else:
            document["caseExact"] = self.case_exact
        if self.canonical_values:
            document["canonicalValues"] = list(self.canonical_values)
        document |= {"mutability": self.mutability, "returned": self.returned, "uniqueness": self.uniqueness}
        if self.reference_types:
            document["referenceTypes"] = list(self.reference_types)
        return document


def name_table(attributes: Iterable[Attribute]) -> dict[str, Attribute]:
    """Attributes by canonical name, lower-cased name and alias. A real name is never hidden by an alias."""
    attributes = tuple(attributes)
    table: dict[str, Attribute] = {}
    for attribute in attributes:
        for alias in attribute.aliases:
            table[alias] = table[alias.lower()] = attribute
    for attribute in attributes:
        table[attribute.name] = table[attribute.name.lower()] = attribute
    return table


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """A schema definition (RFC 7643 section 7); ``id`` is its URN."""

    id: str
    name: str
    description: str
    attributes: tuple[Attribute, ...] = field(repr=False)
    lookup: Mapping[str, Attribute] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lookup", name_table(self.attributes))

    def find(self, name: str) -> Attribute | None:
        """The attribute of that name, in any case."""
        return self.lookup.get(name) or self.lookup.get(name.lower())
