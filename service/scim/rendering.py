"""Resources as they are sent (RFC 7643 section 3): schemas, id, attributes, meta; never a null, never a password."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from service.scim.attribute_paths import begins_with_schema
from service.scim.member_refs import MemberRef
from service.scim.schema import ResourceType

__all__ = ["GroupRef", "MemberRef", "render", "schemas_of"]


@dataclass(frozen=True, slots=True)
class GroupRef:
    """A group that a user belongs to."""

    value: str
    display: str | None = None
    type: Literal["direct", "indirect"] = "direct"


def schemas_of(document: Mapping[str, Any], resource_type: ResourceType) -> list[str]:
    """The URNs of the schemas whose attributes the document carries, the core schema first."""
    extensions = [name for name, value in document.items() if isinstance(value, dict) and begins_with_schema(name)]
    return [resource_type.schema.id, *extensions]


def render(
    document: Mapping[str, Any],
    *,
    resource_type: ResourceType,
    id: str,  # noqa: A002 - the attribute's name in the RFC
    created: str,
    modified: str,
    version: str,
    base_url: str,
    groups: Iterable[GroupRef] | None = None,
    members: Iterable[MemberRef] | None = None,
) -> dict[str, Any]:
    """The resource of a stored document. Times are RFC 3339 strings, ``version`` is the ETag.

    ``groups`` and ``members`` appear when they are given, as an empty list when there are none. The result shares
    nested values with ``document``.
    """
    base = base_url.rstrip("/")
    resource: dict[str, Any] = {"schemas": schemas_of(document, resource_type), "id": id}
    resource |= {name: value for name, value in document.items() if value is not None and name not in _COMPUTED}
    if groups is not None:
        resource["groups"] = [_group(ref, base) for ref in groups]
    if members is not None:
        resource["members"] = [_member(ref, base) for ref in members]
    resource["meta"] = {
        "resourceType": resource_type.name,
        "created": created,
        "lastModified": modified,
        "location": f"{base}{resource_type.endpoint}/{id}",
        "version": version,
    }
    return resource


_COMPUTED = frozenset({"schemas", "id", "meta", "password", "groups"})


def _group(ref: GroupRef, base: str) -> dict[str, Any]:
    element: dict[str, Any] = {"value": ref.value, "$ref": f"{base}/Groups/{ref.value}", "type": ref.type}
    if ref.display:
        element["display"] = ref.display
    return element


def _member(ref: MemberRef, base: str) -> dict[str, Any]:
    kind = ref.type or "User"
    element: dict[str, Any] = {"value": ref.value, "$ref": f"{base}/{kind}s/{ref.value}", "type": kind}
    if ref.display:
        element["display"] = ref.display
    return element
