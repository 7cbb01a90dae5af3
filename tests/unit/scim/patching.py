"""A user to patch, and what the tests of PATCH say for short."""

from copy import deepcopy
from typing import Any

from service.scim.messages import parse_patch
from service.scim.patch import Patched, apply_patch
from service.scim.schema import ENTERPRISE_USER_URN as ENT
from service.scim.schema import USER

WORK = {"type": "work", "value": "ada@x.org", "primary": True}
HOME = {"type": "home", "value": "ada@y.org"}
ADA: dict[str, Any] = {
    "userName": "ada",
    "active": True,
    "displayName": "Ada",
    "name": {"givenName": "Ada", "familyName": "Byron"},
    "emails": [WORK, HOME],
    ENT: {"department": "R&D", "manager": {"value": "77", "displayName": "Charles"}},
}


def patched(*operations: dict[str, Any], start: dict[str, Any] = ADA) -> Patched:
    before = deepcopy(start)
    result = apply_patch(start, parse_patch({"Operations": list(operations)}), USER, resource_id="me")
    assert start == before
    return result


def changed(*operations: dict[str, Any], start: dict[str, Any] = ADA) -> dict[str, Any]:
    """What differs from the start; removed attributes are None."""
    document = patched(*operations, start=start).document
    names = start.keys() | document.keys()
    return {name: document.get(name) for name in names if start.get(name) != document.get(name)}


def op(kind: str, path: str | None, value: Any = ...) -> dict[str, Any]:
    entry: dict[str, Any] = {"op": kind}
    if path is not None:
        entry["path"] = path
    if value is not ...:
        entry["value"] = value
    return entry
