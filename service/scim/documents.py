"""Bodies of POST and PUT (RFC 7644 sections 3.3 and 3.5.1) read into canonical documents.

A document holds canonical names, no null, no blank text in known attributes, no empty arrays or objects there, nothing
read-only, no ``schemas`` (they follow from the content) and no password. Unknown attributes and unknown extensions are
kept as sent. Blank text counts as "no value" (Okta clears with ``""``, row O14; OneLogin templates send blanks).
"""

from dataclasses import dataclass, field
from typing import Any, Final

from service.scim.attribute_paths import read_name
from service.scim.attributes import Schema
from service.scim.coercion import (
    Diagnostic,
    Notes,
    as_boolean,
    coerce,
    keep_one_primary,
    one_object,
    without_nulls,
)
from service.scim.errors import InvalidSyntax, InvalidValue
from service.scim.limits import MAX_KEY_BYTES, check_values, is_key
from service.scim.member_refs import MemberRef, read_members
from service.scim.schema import ResourceType

__all__ = ["Decoded", "Diagnostic", "MemberRef", "decode", "merge_put"]

_IGNORED: Final = frozenset({"schemas", "id", "meta", "groups", "password"})
_NEVER_IN_DOCUMENT: Final = _IGNORED | {"members"}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A body as understood. ``members`` is None when a group body does not speak of them."""

    document: dict[str, Any]
    resource_type: ResourceType
    diagnostics: tuple[Diagnostic, ...] = ()
    members: tuple[MemberRef, ...] | None = field(default=None)

    @property
    def prepared(self) -> dict[str, Any]:
        """The document of a new resource: a user is active unless the body says otherwise."""
        if self.resource_type.name == "User" and "active" not in self.document:
            return {**self.document, "active": True}
        return self.document


def decode(body: object, resource_type: ResourceType) -> Decoded:
    """Read a decoded JSON body. Raises InvalidSyntax if it is no object and InvalidValue if it cannot be a resource."""
    if not isinstance(body, dict):
        raise InvalidSyntax("the body must be a JSON object")
    body = without_core_urn(body, resource_type)
    members = None
    if resource_type.name == "Group":
        body, members_value = _without_members(body, resource_type)
        notes: Notes = []
        members = None if members_value is None else read_members(members_value, notes)
    else:
        notes = []
    check_values(body)
    document = _document(body, resource_type, notes)
    check_document(document, resource_type)
    return Decoded(document, resource_type, tuple(notes), members)


def merge_put(old_document: dict[str, Any], decoded: Decoded) -> dict[str, Any]:
    """The document after a PUT: the new one, with what its silence does not clear.

    A user keeps ``active`` (Okta row O07); a group keeps ``externalId`` (PingFederate never sends it, row P01).
    """
    kept = "active" if decoded.resource_type.name == "User" else "externalId"
    if kept not in decoded.document and kept in old_document:
        return {**decoded.document, kept: old_document[kept]}
    return decoded.prepared


def check_document(document: dict[str, Any], resource_type: ResourceType) -> None:
    """Raise InvalidValue unless the required name is there, names are short enough, and ``active`` can be told.

    An ``active`` that cannot be read is refused: answered with success, it would leave a leaver's access in place.
    """
    required = "userName" if resource_type.name == "User" else "displayName"
    name = document.get(required)
    if not isinstance(name, str) or not name:
        raise InvalidValue(f"{required} is required and must be text")
    for key in (required, "externalId"):
        value = document.get(key)
        if isinstance(value, str) and not is_key(value):
            raise InvalidValue(f"{key} is longer than {MAX_KEY_BYTES} bytes")
    if "active" in document and resource_type.name == "User" and as_boolean(document["active"]) is None:
        raise InvalidValue("active must be true or false")


def without_core_urn(body: dict[str, Any], resource_type: ResourceType) -> dict[str, Any]:
    """The body with what stands under the URN of the core schema, as if that were an extension, at its top."""
    nested = [name for name in body if ":" in name and resource_type.is_core(name) and isinstance(body[name], dict)]
    if not nested:
        return body
    flat = {inner: held for name in nested for inner, held in body[name].items()}
    return flat | {name: value for name, value in body.items() if name not in nested}


def _without_members(body: dict[str, object], resource_type: ResourceType) -> tuple[dict[str, object], object]:
    """The body without its members, which have a ceiling of their own, and the members."""
    rest = {}
    members: object = None
    for name, value in body.items():
        if isinstance(name, str) and len(name) < 100 and is_members(name, resource_type):
            members = value
        else:
            rest[name] = value
    return rest, members


def is_members(name: str, resource_type: ResourceType) -> bool:
    """Whether a written name means the members of a group, or their ids."""
    if name == "members" or "members" not in name.lower():
        return name == "members"
    target = read_name(name, resource_type)
    return target.attribute is not None and target.name == "members" and target.sub in {None, "value"}


def _document(body: dict[str, object], resource_type: ResourceType, notes: Notes) -> dict[str, Any]:
    document: dict[str, Any] = {}
    lookup = resource_type.lookup
    odd: list[tuple[str, object]] = []
    for name, value in body.items():
        attribute = lookup.get(name) or lookup.get(name.lower())
        if attribute is None:
            odd.append((name, value))
        elif attribute.name in _IGNORED or value is None:
            continue
        elif value is True and attribute.type == "boolean":
            document[attribute.name] = True
        elif type(value) is str and attribute.plain_text:
            if value and not value.isspace():
                document[attribute.name] = value
        else:
            coerced = coerce(attribute, value, attribute.name, notes)
            if coerced is not None:
                if attribute.multi_valued:
                    keep_one_primary(coerced, "first")
                document[attribute.name] = coerced
    for name, value in odd:
        if value is not None:
            _odd_name(document, name, value, resource_type, notes)
    return document


def _odd_name(document: dict[str, Any], name: str, value: object, resource_type: ResourceType, notes: Notes) -> None:
    """A key that is not a core attribute: an extension, a dotted or qualified name (rows E06, E07), or unknown."""
    if name.lower() in _IGNORED:
        return
    extension = resource_type.find_extension(name)
    if extension is not None:
        read_extension(document, extension.schema, value, notes)
        return
    target = read_name(name, resource_type)
    if target.attribute is None or not target.known or name[-1] == ".":
        kept = without_nulls(value)
        if kept not in ([], {}):  # an empty list is no value (RFC 7643 section 2.5), and PATCH takes it for none
            document[name] = kept
        if target.schema_known:
            notes.append(Diagnostic(name[:200], "unknown attribute"))
        return
    if target.attribute.name in _NEVER_IN_DOCUMENT:
        return
    whole: object = {target.sub: value} if target.sub else value
    coerced = coerce(target.attribute, whole, name, notes)
    if coerced is None:
        return
    holder = document if target.urn is None else document.setdefault(target.urn, {})
    current = holder.get(target.name)
    if target.sub and isinstance(current, dict) and isinstance(coerced, dict):
        current |= coerced
    elif not target.sub or current is None:
        holder[target.name] = coerced


def read_extension(document: dict[str, Any], schema: Schema, value: object, notes: Notes) -> None:
    """Put an extension object into the document under its canonical URN."""
    value = one_object(value)
    if not isinstance(value, dict):
        notes.append(Diagnostic(schema.id, "an object is expected; ignored"))
        return
    result: dict[str, Any] = document.get(schema.id) or {}
    for name, inner in value.items():
        attribute = schema.find(name)
        if attribute is None:
            if inner is not None:
                result[name] = without_nulls(inner)
        elif type(inner) is str and attribute.plain_text:
            if inner and not inner.isspace():
                result[attribute.name] = inner
        else:
            coerced = coerce(attribute, inner, f"{schema.id}:{attribute.name}", notes)
            if coerced is not None:
                result[attribute.name] = coerced
    if result:
        document[schema.id] = result
