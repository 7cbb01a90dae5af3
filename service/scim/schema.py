"""Resource types with fast case-insensitive lookups (RFC 7643 section 6), and the ones this service has."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.scim.attributes import Attribute, Schema, name_table
from service.scim.schema_user import COMMON_ATTRIBUTES, CORE_USER_URN, ENTERPRISE_USER, ENTERPRISE_USER_URN, USER_SCHEMA

__all__ = [
    "BARE_EXTENSION_ATTRIBUTES",
    "CORE_1_0_URN",
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
CORE_1_0_URN = "urn:scim:schemas:core:1.0"

BARE_EXTENSION_ATTRIBUTES: Mapping[str, str] = {
    attribute.name.lower(): ENTERPRISE_USER_URN for attribute in ENTERPRISE_USER.attributes
}
"""Extension attributes that are understood without their URN: Microsoft Entra ID names the manager so in filters and
paths (rows E09, E16), and the core schema of a user has none of these names."""

ENTERPRISE_USER_ALIASES: tuple[str, ...] = tuple(
    f"urn:{family}scim:schemas:extension:enterprise:{version}{suffix}"
    for family in ("", "ietf:params:")
    for version in ("1.0", "2.0")
    for suffix in ("", ":User")
    if (family, version, suffix) != ("ietf:params:", "2.0", ":User")
)
"""What administrators type as the namespace of the enterprise extension; the first is that of SCIM 1.1."""


@dataclass(frozen=True, slots=True, eq=False)
class Extension:
    """A schema extension of a resource type. ``aliases`` are other URNs that mean it in requests."""

    schema: Schema
    required: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Its URN and the others, in lower case."""
        return tuple(urn.lower() for urn in (self.schema.id, *self.aliases))


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
        extensions = {key: e for e in self.extensions for key in (e.schema.id, *e.names)}
        urns: list[tuple[str, Schema | None]] = [(urn, None) for urn in (self.schema.id.lower(), CORE_1_0_URN)]
        urns += [(urn, extension.schema) for extension in self.extensions for urn in extension.names]
        urns.sort(key=lambda entry: -len(entry[0]))
        object.__setattr__(self, "lookup", name_table((*COMMON_ATTRIBUTES, *self.schema.attributes)))
        object.__setattr__(self, "extension_lookup", extensions)
        object.__setattr__(self, "urns", tuple(urns))

    def find(self, name: str) -> Attribute | None:
        """The core or common attribute of that name, in any case."""
        return self.lookup.get(name) or self.lookup.get(name.lower())

    def is_core(self, urn: str) -> bool:
        """Whether the URN is that of the core schema, in any case; that of SCIM 1.1 is."""
        return urn[:4].lower() == "urn:" and urn.lower() in {self.schema.id.lower(), CORE_1_0_URN}

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

_ENTERPRISE = Extension(ENTERPRISE_USER, aliases=ENTERPRISE_USER_ALIASES)
USER = ResourceType("User", "/Users", USER_SCHEMA, (_ENTERPRISE,), "User Account")
GROUP = ResourceType("Group", "/Groups", GROUP_SCHEMA, (), "Group")
RESOURCE_TYPES: tuple[ResourceType, ...] = (USER, GROUP)
