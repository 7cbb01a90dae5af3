"""Resource types with fast case-insensitive lookups (RFC 7643 section 6), and the ones this service has."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.scim.attributes import Attribute, Schema, name_table
from service.scim.schema_user import COMMON_ATTRIBUTES, CORE_USER_URN, ENTERPRISE_USER, ENTERPRISE_USER_URN, USER_SCHEMA

__all__ = [
    "BARE_EXTENSION_ATTRIBUTES",
    "CORE_GROUP_URN",
    "CORE_USER_URN",
    "ENTERPRISE_USER",
    "ENTERPRISE_USER_URN",
    "GROUP",
    "GROUP_SCHEMA",
    "RESOURCE_TYPES",
    "USER",
    "USER_SCHEMA",
    "Attribute",
    "Extension",
    "ResourceType",
    "Schema",
]

CORE_GROUP_URN = "urn:ietf:params:scim:schemas:core:2.0:Group"

BARE_EXTENSION_ATTRIBUTES: Mapping[str, str] = {"manager": ENTERPRISE_USER_URN}
"""Extension attributes that Microsoft Entra ID names without their URN in filters and paths (rows E09, E16)."""


@dataclass(frozen=True, slots=True, eq=False)
class Extension:
    """A schema extension of a resource type."""

    schema: Schema
    required: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ResourceType:
    """A kind of resource: ``name`` as in ``meta.resourceType``, ``endpoint`` with its leading slash.

    ``urns`` holds the lower-cased URNs of all its schemas, longest first; the core schema maps to ``None``.
    """

    name: str
    endpoint: str
    schema: Schema = field(repr=False)
    extensions: tuple[Extension, ...] = field(default=(), repr=False)
    description: str = ""
    lookup: Mapping[str, Attribute] = field(init=False, repr=False)
    urns: tuple[tuple[str, Schema | None], ...] = field(init=False, repr=False)
    extension_lookup: Mapping[str, Extension] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        extensions = {key: e for e in self.extensions for key in (e.schema.id, e.schema.id.lower())}
        urns: list[tuple[str, Schema | None]] = [(self.schema.id.lower(), None)]
        urns += [(extension.schema.id.lower(), extension.schema) for extension in self.extensions]
        urns.sort(key=lambda entry: -len(entry[0]))
        object.__setattr__(self, "lookup", name_table((*COMMON_ATTRIBUTES, *self.schema.attributes)))
        object.__setattr__(self, "extension_lookup", extensions)
        object.__setattr__(self, "urns", tuple(urns))

    def find(self, name: str) -> Attribute | None:
        """The core or common attribute of that name, in any case."""
        return self.lookup.get(name) or self.lookup.get(name.lower())

    def find_extension(self, urn: str) -> Extension | None:
        """The extension with that URN, in any case."""
        return self.extension_lookup.get(urn) or self.extension_lookup.get(urn.lower())


GROUP_SCHEMA = Schema(
    CORE_GROUP_URN,
    "Group",
    "Group",
    (
        Attribute("displayName", required=True, description="The name of the group."),
        Attribute(
            "members", "complex", multi_valued=True, description="The members of the group.",
            sub_attributes=(
                Attribute("value", case_exact=True, mutability="immutable", description="The id of the member."),
                Attribute(
                    "$ref", "reference", case_exact=True, mutability="immutable", reference_types=("User", "Group"),
                    description="The URI of the member.",
                ),
                Attribute("display", mutability="immutable", description="A name to show for the member."),
                Attribute(
                    "type", mutability="immutable", canonical_values=("User", "Group"),
                    description="Whether the member is a user or a group.",
                ),
            ),
        ),
    ),
)  # fmt: skip

USER = ResourceType("User", "/Users", USER_SCHEMA, (Extension(ENTERPRISE_USER),), "User Account")
GROUP = ResourceType("Group", "/Groups", GROUP_SCHEMA, (), "Group")
RESOURCE_TYPES: tuple[ResourceType, ...] = (USER, GROUP)
