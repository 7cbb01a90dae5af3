"""From a stored document to the attributes that WorkOS predefines inside `custom_attributes`. Pure.

One function of a document and a mapping. A mapping is data: for each attribute, where in the document its value is
looked for, and what a value must look like.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from service.scim.primary import is_email
from service.scim.schema import ENTERPRISE_USER

Document = Mapping[str, Any]
# Keys from the root of a document inwards.
Path = tuple[str, ...]

_ADDRESS_NAMES = {
    "type": "type",
    "streetAddress": "street_address",
    "locality": "locality",
    "region": "region",
    "postalCode": "postal_code",
    "country": "country",
    "formatted": "raw_address",
}
_NOWHERE = dict.fromkeys(_ADDRESS_NAMES.values())


def text_of(value: object) -> str | None:
    """A text that says something."""
    return value if isinstance(value, str) and value else None


def email_of(value: object) -> str | None:
    """An e-mail address."""
    return value if isinstance(value, str) and "@" in value and is_email(value) else None


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
        address: dict[str, Any] = _NOWHERE.copy()
        placed = False
        for key, text in item.items():
            if isinstance(text, str) and text and (name := _ADDRESS_NAMES.get(key)):
                address[name] = text
                placed = placed or name != "type"
        if placed:
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
    """What is made of a document, in the order in which it is shown.

    The other fields follow from it. Each user that is read or written passes through here, and most attributes are a
    text in one place: `texts` and `inner_texts` (by the object they are in) are these, `others` the rest.
    """

    attributes: tuple[Attribute, ...]
    nothing: dict[str, Any] = field(init=False, compare=False, repr=False)
    texts: tuple[tuple[str, str], ...] = field(init=False, compare=False, repr=False)
    inner_texts: dict[str, list[tuple[str, str]]] = field(init=False, compare=False, repr=False)
    others: tuple[Attribute, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        plain = {
            each.name: each.paths[0]
            for each in self.attributes
            if each.read is text_of and len(each.paths) == 1 and len(each.paths[0]) <= 2 and not each.extension_keys
        }
        inner: dict[str, list[tuple[str, str]]] = {}
        for name, path in plain.items():
            if len(path) == 2:
                inner.setdefault(path[0], []).append((name, path[1]))
        object.__setattr__(self, "nothing", dict.fromkeys(each.name for each in self.attributes))
        object.__setattr__(self, "texts", tuple((name, path[0]) for name, path in plain.items() if len(path) == 1))
        object.__setattr__(self, "inner_texts", inner)
        object.__setattr__(self, "others", tuple(each for each in self.attributes if each.name not in plain))


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
    found = mapping.nothing.copy()
    for name, key in mapping.texts:
        text = document.get(key)
        if isinstance(text, str) and text:
            found[name] = text
    for root, pairs in mapping.inner_texts.items():
        holder = document.get(root)
        if isinstance(holder, dict):
            for name, key in pairs:
                text = holder.get(key)
                if isinstance(text, str) and text:
                    found[name] = text
    for attribute in mapping.others:
        found[attribute.name] = _read(document, attribute)
    return found


def changed_attributes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Old values of the attributes that changed; None for one that had no value."""
    return {name: before.get(name) for name in {**before, **after} if before.get(name) != after.get(name)}


def _read(document: Document, attribute: Attribute) -> Any:
    for path in attribute.paths:
        value: Any = document
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
            if value is None:
                break
        else:
            result = attribute.read(value)
            if result is not None:
                return result
    return _in_extensions(document, attribute) if attribute.extension_keys else None


def _in_extensions(document: Document, attribute: Attribute) -> Any:
    wanted = attribute.extension_keys
    for name, extension in document.items():
        # Hardly any extension has one of the keys.
        if isinstance(extension, dict) and not wanted.isdisjoint(extension) and name.startswith("urn:"):
            for key, value in extension.items():
                result = attribute.read(value) if key in wanted else None
                if result is not None:
                    return result
    return None
