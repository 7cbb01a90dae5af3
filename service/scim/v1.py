"""SCIM 1.1 (core schema and protocol of 2012) read into 2.0 and written from it. What it means is decided in 2.0.

1.1 has one core schema for users and groups, another URN for the enterprise extension, ``managerId`` where 2.0 has
``value``, and a PATCH that merges. Bodies with ``Operations`` are left as they are: no attribute of 1.1 has that name.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from service.scim.attributes import Attribute
from service.scim.documents import is_members
from service.scim.errors import InvalidSyntax, InvalidValue
from service.scim.filters import MAX_FILTER_LENGTH
from service.scim.schema import CORE_GROUP_URN, CORE_USER_URN, ENTERPRISE_USER_URN, ResourceType

CORE_URN: Final = "urn:scim:schemas:core:1.0"
ENTERPRISE_URN: Final = "urn:scim:schemas:extension:enterprise:1.0"

_ENTERPRISE_URNS: Final = frozenset({ENTERPRISE_URN, ENTERPRISE_USER_URN.lower()})
_TO_V1: Final = {CORE_USER_URN: CORE_URN, CORE_GROUP_URN: CORE_URN, ENTERPRISE_USER_URN: ENTERPRISE_URN}
_NAME: Final = re.compile(r"urn:scim:schemas:(core|extension:enterprise):1\.0[:.]", re.IGNORECASE)
_FILTER: Final = re.compile(rf'"(?:[^"\\]|\\.)*+"?|{_NAME.pattern}', re.IGNORECASE | re.DOTALL)
_LONGEST_COMPARED: Final = 1000
# Read-only (dialect rule 7); `id` stays, because one that differs from the resource's is refused.
_IGNORED: Final = frozenset({"schemas", "meta", "groups"})


def name_from_v1(name: str) -> str:
    """An attribute name of a body, of ``attributes`` or of ``sortBy``: URNs of 1.1 become those of 2.0."""
    if name.lower() == ENTERPRISE_URN:
        return ENTERPRISE_USER_URN
    found = _NAME.match(name)
    return name if found is None else _prefix(found) + name[found.end() :]


def filter_from_v1(text: str) -> str:
    """A filter: the same grammar, with URNs of 1.1 in names but not in quoted values replaced."""
    if len(text) > MAX_FILTER_LENGTH:
        return text
    return _FILTER.sub(lambda found: found[0] if found[1] is None else _prefix(found), text)


def _prefix(found: re.Match[str]) -> str:
    return "" if found[1].lower() == "core" else f"{ENTERPRISE_USER_URN}:"


def document_from_v1(body: Mapping[str, Any], resource_type: ResourceType) -> dict[str, Any]:
    """The body of a POST or PUT as 2.0 has it."""
    document: dict[str, Any] = {}
    for name, value in body.items():
        if name.lower() == "schemas" and isinstance(value, list):
            document[name] = [_schema_from_v1(urn, resource_type) for urn in value]
        else:
            translated = name_from_v1(name)
            document[translated] = _value_from_v1(translated, value)
    return document


def _schema_from_v1(urn: object, resource_type: ResourceType) -> object:
    if not isinstance(urn, str):
        return urn
    return resource_type.schema.id if urn.lower() == CORE_URN else name_from_v1(urn)


def _value_from_v1(name: str, value: Any) -> Any:
    """The value under a name of 2.0; only the enterprise extension is written otherwise."""
    if name.lower() in _ENTERPRISE_URNS and isinstance(value, dict):
        return {inner: _manager_from_v1(held) if inner.lower() == "manager" else held for inner, held in value.items()}
    return value


def _manager_from_v1(manager: Any) -> Any:
    if not isinstance(manager, dict) or any(name.lower() == "value" for name in manager):
        return manager
    return {"value" if name.lower() == "managerid" else name: held for name, held in manager.items()}


def document_to_v1(resource: Mapping[str, Any]) -> dict[str, Any]:
    """A resource of 2.0, whole or after projection, as 1.1 has it."""
    document: dict[str, Any] = {}
    for name, value in resource.items():
        if name == "schemas":
            document[name] = list(dict.fromkeys(_TO_V1.get(urn, urn) for urn in value))
        elif name == ENTERPRISE_USER_URN and isinstance(value, dict):
            document[ENTERPRISE_URN] = _enterprise_to_v1(value)
        elif name in {"members", "groups"} and isinstance(value, list):
            document[name] = [_without(element, "$ref") for element in value]
        else:
            document[name] = _without(value, "resourceType") if name == "meta" else value
    return document


def _enterprise_to_v1(extension: Mapping[str, Any]) -> dict[str, Any]:
    manager = extension.get("manager")
    if not isinstance(manager, dict):
        return dict(extension)
    renamed = {"managerId" if name == "value" else name: value for name, value in manager.items()}
    return {**extension, "manager": renamed}


def _without(value: Any, name: str) -> Any:
    return {key: inner for key, inner in value.items() if key != name} if isinstance(value, dict) else value


def list_to_v1(response: Mapping[str, Any]) -> dict[str, Any]:
    """A ListResponse of 2.0 with its resources."""
    return {**response, "schemas": [CORE_URN], "Resources": [document_to_v1(entry) for entry in response["Resources"]]}


def patch_from_v1(body: Mapping[str, Any], resource_type: ResourceType) -> dict[str, Any]:
    """The PatchOp body of a merge PATCH (1.1 protocol 3.3.2).

    First goes what ``meta.attributes`` names and what is marked ``"operation": "delete"``; the rest is merged, values
    of multi-valued attributes with the value that is equal.
    """
    if any(name.lower() == "operations" for name in body):
        return dict(body)
    merged: dict[str, Any] = {}
    removed = [{"op": "remove", "path": name} for name in _removed_names(body)]
    added: list[dict[str, Any]] = []
    for name, value in document_from_v1(body, resource_type).items():
        attribute = resource_type.find(name)
        if (attribute.name if attribute else name).lower() in _IGNORED:
            continue
        if not isinstance(value, list):
            merged[name] = value
        elif is_members(name, resource_type):
            _merge_members(value, removed, added)
        else:
            merged[name] = _merge_values(name, value, attribute, removed, added)
    whole = {"op": "add", "value": {name: value for name, value in merged.items() if value != []}}
    return {"Operations": [*removed, whole, *added]}


def _removed_names(body: Mapping[str, Any]) -> list[str]:
    meta = next((value for name, value in body.items() if name.lower() == "meta"), None)
    fields = meta if isinstance(meta, dict) else {}
    names = next((value for name, value in fields.items() if name.lower() == "attributes"), None) or []
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidSyntax("meta.attributes must be a list of attribute names")
    translated = [name_from_v1(name.strip()) for name in names if name.strip()]
    return [name for name in translated if name.partition(".")[0].lower() not in _IGNORED | {"id"}]


def _merge_members(elements: list[Any], removed: list[dict[str, Any]], added: list[dict[str, Any]]) -> None:
    gone, kept = _split(elements)
    if gone:
        removed.append({"op": "remove", "path": "members", "value": gone})
    if kept:
        added.append({"op": "add", "path": "members", "value": kept})


def _merge_values(
    name: str,
    elements: list[Any],
    attribute: Attribute | None,
    removed: list[dict[str, Any]],
    added: list[dict[str, Any]],
) -> list[Any]:
    """Operations for the values that can be told apart; what is left is returned, to be added as it is."""
    gone, kept = _split(elements)
    removed += [{"op": "remove", "path": f"{name}[{_identity(name, element)}]"} for element in gone]
    if attribute is None or attribute.value_attribute is None or not attribute.multi_valued:
        return kept
    rest: list[Any] = []
    for element in kept:
        value = _compared(element)
        if value is None:
            rest.append(element)
        else:
            added.append({"op": "add", "path": f"{name}[value eq {_quoted(value)}]", "value": element})
    return rest


def _split(elements: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """Elements to delete and elements to add, without their ``operation``."""
    gone: list[Any] = []
    kept: list[Any] = []
    for element in elements:
        marks = [name for name in element if name.lower() == "operation"] if isinstance(element, dict) else []
        if not marks:
            kept.append(element)
            continue
        deleted = str(element[marks[0]]).lower() == "delete"
        (gone if deleted else kept).append(_without(element, marks[0]))
    return gone, kept


def _compared(element: object) -> str | None:
    """The ``value`` by which 1.1 finds a value again; None when there is none, or one too long to be compared."""
    if not isinstance(element, dict):
        return None
    value = next((inner for name, inner in element.items() if name.lower() == "value"), None)
    return value if isinstance(value, str) and value.strip() and len(value) <= _LONGEST_COMPARED else None


def _identity(name: str, element: Mapping[str, Any]) -> str:
    """The filter for a value to delete: by its ``value``, else by all that is said of it."""
    value = _compared(element)
    said = {"value": value} if value is not None else element
    terms = [f"{sub} eq {_quoted(inner)}" for sub, inner in said.items() if isinstance(inner, str | bool)]
    if not terms:
        raise InvalidValue(f"a value of '{name[:200]}' to delete is not named by its value")
    return " and ".join(terms)


def _quoted(value: str | bool) -> str:
    return json.dumps(value, ensure_ascii=False)
