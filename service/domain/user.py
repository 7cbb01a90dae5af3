"""A user: the stored document, and the normalised fields read from it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from service.domain.custom_attributes import changed_attributes, custom_attributes
from service.domain.equality import same
from service.scim.keys import user_key
from service.scim.limits import is_key
from service.scim.member_refs import referred_id
from service.scim.primary import primary_email
from service.scim.schema import ENTERPRISE_USER

Document = Mapping[str, Any]


@dataclass(frozen=True)
class User:
    """A user as stored. `document` is canonical SCIM without `id`, `meta`, `groups`, `password`.

    `hidden`: deleted as far as the application knows, kept for its provider (see Policy.deactivation).
    """

    directory_id: str
    organization_id: str
    id: str
    document: Document
    version: int
    created_at: datetime
    updated_at: datetime
    hidden: bool = False

    @property
    def user_name(self) -> str:
        """As the provider spelled it."""
        return str(self.document["userName"])

    @cached_property
    def key(self) -> str:
        """What makes the userName unique in the directory."""
        return user_key(self.user_name)

    @property
    def external_id(self) -> str | None:
        """The provider's id."""
        return text(self.document.get("externalId"))

    @property
    def active(self) -> bool:
        """False only when the provider said so."""
        return self.document.get("active") is not False

    @cached_property
    def profile(self) -> dict[str, Any]:
        """The normalised fields; see `profile_of`."""
        return profile_of(self.document)

    @cached_property
    def custom_attributes(self) -> dict[str, Any]:
        """The attributes that WorkOS predefines; see service.domain.custom_attributes."""
        return custom_attributes(self.document)

    @cached_property
    def email_keys(self) -> list[str]:
        """Every address, case-folded, the primary one first, none twice. One too long to be looked up is left out."""
        values = [self.profile["email"] or ""]
        values += [address["value"] for address in self.profile["emails"]]
        return list(dict.fromkeys(user_key(value) for value in values if value and is_key(value)))


def text(value: object) -> str | None:
    """A string that says something, or None."""
    return value if isinstance(value, str) and value else None


def emails(document: Document) -> list[dict[str, Any]]:
    """Addresses that are understood: `value`, `type` (or empty), `primary`."""
    found = document.get("emails")
    if not isinstance(found, list):
        return []
    return [
        {"value": item["value"], "type": text(item.get("type")) or "", "primary": item.get("primary") is True}
        for item in found
        if isinstance(item, dict) and text(item.get("value"))
    ]


def profile_of(document: Document) -> dict[str, Any]:
    """The normalised fields of DirectoryUser (resources.proto) that come from the document. Missing ones are None."""
    name = document.get("name")
    name = name if isinstance(name, dict) else {}
    enterprise = document.get(ENTERPRISE_USER.id)
    enterprise = enterprise if isinstance(enterprise, dict) else {}
    manager = enterprise.get("manager")
    first, last = text(name.get("givenName")), text(name.get("familyName"))
    return {
        "idp_id": text(document.get("externalId")),
        "user_name": text(document.get("userName")),
        "email": primary_email(document),
        "emails": emails(document),
        "first_name": first,
        "last_name": last,
        "display_name": text(document.get("displayName"))
        or text(name.get("formatted"))
        or " ".join(part for part in (first, last) if part)
        or None,
        "job_title": text(document.get("title")),
        "department_name": text(enterprise.get("department")),
        "employee_number": text(enterprise.get("employeeNumber")),
        "manager_id": referred_id(manager) if isinstance(manager, dict) else None,
        "state": "inactive" if document.get("active") is False else "active",
    }


def previous_of(before: User, after: User) -> dict[str, Any]:
    """Old values of what changed of a user: see `previous_attributes`, and under `custom_attributes` those of them."""
    changed = previous_attributes(before.document, after.document, (before.profile, after.profile))
    custom = changed_attributes(before.custom_attributes, after.custom_attributes)
    return {**changed, "custom_attributes": custom} if custom else changed


def previous_attributes(before: Document, after: Document, fields: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Old values of what changed: the normalised fields, and under `raw_attributes` the document's root keys."""
    old, new = fields
    changed = {key: value for key, value in old.items() if not same(new.get(key), value)}
    raw = {key: before.get(key) for key in {**before, **after} if not same(before.get(key), after.get(key))}
    if raw:
        changed["raw_attributes"] = raw
    return changed
