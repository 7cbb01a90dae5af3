"""From a stored document to the attributes that WorkOS predefines inside `custom_attributes`. Pure.

One function of a document and a mapping. A mapping is data: for each attribute, where in the document its value is
looked for, and what a value must look like.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from service.scim.primary import is_email
from service.scim.schema import ENTERPRISE_USER

Document = Mapping[str, Any]
# Keys from the root of a document inwards.
Path = tuple[str, ...]

_ADDRESS_FIELDS = (
    ("type", "type"),
    ("street_address", "streetAddress"),
    ("locality", "locality"),
    ("region", "region"),
    ("postal_code", "postalCode"),
    ("country", "country"),
    ("raw_address", "formatted"),
)
_PLACE_NAMES = tuple(name for name, _ in _ADDRESS_FIELDS[1:])
_PLACE = frozenset(key for _, key in _ADDRESS_FIELDS[1:])


def text_of(value: object) -> str | None:
    """A text that says something."""
    return value if isinstance(value, str) and value else None


def email_of(value: object) -> str | None:
    """An e-mail address."""
    return value if isinstance(value, str) and is_email(value) else None


def emails_of(value: object) -> list[dict[str, Any]] | None:
    """Addresses that are understood, `{type, value, primary}`."""
    if not isinstance(value, list):
        return None
    found = [
        {"type": text_of(item.get("type")), "value": address, "primary": item.get("primary") is True}
        for item in value
        if isinstance(item, dict) and isinstance(address := item.get("value"), str) and address
    ]
    return found or None


def addresses_of(value: object) -> list[dict[str, Any]] | None:
    """Postal addresses with something in them."""
    if not isinstance(value, list):
        return None
    found = []
    for item in value:
        if not isinstance(item, dict):
            continue
        address: dict[str, Any] = {
            name: text if isinstance(text := item.get(key), str) and text else None for name, key in _ADDRESS_FIELDS
        }
        if not _PLACE.isdisjoint(item) and any(address[name] for name in _PLACE_NAMES):
            address["primary"] = item.get("primary") is True
            found.append(address)
    return found or None


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: the first path counts whose value `read` understands, else a key of any extension."""

    name: str
    paths: tuple[Path, ...]
    read: Callable[[object], Any] = text_of
    extension_keys: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AttributeMapping:
    """What is made of a document, in the order in which it is shown."""

    attributes: tuple[Attribute, ...]


_ENTERPRISE = ENTERPRISE_USER.id
# No standard has it. Entra's custom extensions and HR systems call it thus (Graph: employeeHireDate).
_START_DATES = frozenset(
    {
        "employmentStartDate",
        "employment_start_date",
        "startDate",
        "start_date",
        "hireDate",
        "hire_date",
        "employeeHireDate",
    }
)

DEFAULT_MAPPING = AttributeMapping(
    (
        Attribute("addresses", (("addresses",),), addresses_of),
        Attribute("cost_center_name", ((_ENTERPRISE, "costCenter"),)),
        Attribute("department_name", ((_ENTERPRISE, "department"),)),
        Attribute("division_name", ((_ENTERPRISE, "division"),)),
        Attribute("emails", (("emails",),), emails_of),
        Attribute("employee_number", ((_ENTERPRISE, "employeeNumber"),)),
        Attribute("employee_type", (("userType",),)),
        Attribute("employment_start_date", (), extension_keys=_START_DATES),
        Attribute("job_title", (("title",),)),
        Attribute(
            "manager_email",
            (
                (_ENTERPRISE, "manager", "value"),
                (_ENTERPRISE, "manager", "email"),
                (_ENTERPRISE, "manager", "displayName"),
                (_ENTERPRISE, "manager"),
            ),
            email_of,
        ),
        Attribute("organization", ((_ENTERPRISE, "organization"),)),
        Attribute("username", (("userName",),)),
    )
)


def custom_attributes(document: Document, mapping: AttributeMapping = DEFAULT_MAPPING) -> dict[str, Any]:
    """Every attribute of the mapping; None where the document has no value for it."""
    found: dict[str, Any] = {}
    for attribute in mapping.attributes:
        result = None
        for path in attribute.paths:
            value: Any = document
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            if value is not None:
                result = attribute.read(value)
                if result is not None:
                    break
        if result is None and attribute.extension_keys:
            result = _in_extensions(document, attribute)
        found[attribute.name] = result
    return found


def changed_attributes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Old values of the attributes that changed; None for one that had no value."""
    return {name: before.get(name) for name in {**before, **after} if before.get(name) != after.get(name)}


def _in_extensions(document: Document, attribute: Attribute) -> Any:
    for name, extension in document.items():
        if name.startswith("urn:") and isinstance(extension, dict):
            for key, value in extension.items():
                result = attribute.read(value) if key in attribute.extension_keys else None
                if result is not None:
                    return result
    return None
