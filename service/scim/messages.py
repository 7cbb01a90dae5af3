"""The messages of RFC 7644: PATCH (3.5.2), search (3.4.3) and bulk (3.7) bodies, read leniently.

Their ``schemas`` is not looked at (authentik leaves it out, row K01); the case of keys and of ``op`` does not matter
(row E01).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from service.scim.coercion import parse_serialized
from service.scim.errors import InvalidCount, InvalidPath, InvalidSyntax, InvalidValue, TooLarge, TooMany
from service.scim.limits import check_string, check_values

MAX_OPERATIONS: Final = 2000
"""Operations of one PATCH request (authentik sends one per member, row K03)."""
MAX_BULK_OPERATIONS: Final = 1000
_MAX_NUMBER: Final = 2**31 - 1

PatchOp: TypeAlias = Literal["add", "replace", "remove"]
_PATCH_OPS: Final[dict[str, PatchOp]] = {"add": "add", "replace": "replace", "remove": "remove"}
_OPERATION_FIELDS: Final = frozenset({"op", "path", "value"})
_METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True)
class Operation:
    """One PATCH operation; ``has_value`` tells an absent ``value`` from a null one."""

    op: PatchOp
    path: str | None
    value: Any = None
    has_value: bool = False


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A query (RFC 7644 section 3.4.3). ``start_index`` is at least 1; ``count`` at least 0, None if not given."""

    attributes: tuple[str, ...] | None = None
    excluded_attributes: tuple[str, ...] | None = None
    filter: str | None = None
    sort_by: str | None = None
    sort_order: Literal["ascending", "descending"] = "ascending"
    start_index: int = 1
    count: int | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class BulkOperation:
    """One operation of a bulk request; ``method`` in upper case."""

    method: str
    path: str
    bulk_id: str | None = None
    version: str | None = None
    data: Any = None


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """A bulk request; it stops after ``fail_on_errors`` errors, None for never."""

    fail_on_errors: int | None
    operations: tuple[BulkOperation, ...]


def parse_patch(body: object) -> tuple[Operation, ...]:
    """The operations of a PATCH body, in order."""
    operations = body if isinstance(body, list) else _operations(_object(body, "the body"), "op")
    if not isinstance(operations, list) or not operations:
        raise InvalidSyntax("Operations must be a list with at least one operation")
    if len(operations) > MAX_OPERATIONS:
        raise TooMany(f"a PATCH request may hold {MAX_OPERATIONS} operations, this one holds {len(operations)}")
    return tuple([_operation(entry) for entry in operations])


def _operations(fields: dict[str, Any], mark: str) -> object:
    """The list of operations, which may be one alone, in the place of the list or of the whole body, or serialized."""
    operations = parse_serialized(fields.get("operations"))
    if operations is None and mark in fields:
        return [fields]
    return [operations] if isinstance(operations, dict) else operations


def _operation(entry: Any) -> Operation:
    usual = type(entry) is dict and entry.keys() <= _OPERATION_FIELDS
    fields = entry if usual else _object(entry, "an operation")
    name = fields.get("op")
    op = _PATCH_OPS.get(name.strip().lower()) if isinstance(name, str) else None
    if op is None:
        raise InvalidSyntax("op must be add, replace or remove")
    path = fields.get("path")
    if path is not None and not isinstance(path, str):
        raise InvalidPath("path must be a string")
    value = fields.get("value")
    if type(value) is str:
        check_string(value)
    elif value is not None:
        check_values(value, max_values=None)
    return Operation(op, path if path and not path.isspace() else None, value, "value" in fields)


def parse_search(body: object) -> SearchRequest:
    """A search body, or query parameters given as a mapping: numbers may be strings, names a comma list."""
    fields = _object(body, "the body")
    cursor = _string(fields, "cursor", empty=True)
    return SearchRequest(
        attributes=_names(fields, "attributes"),
        excluded_attributes=_names(fields, "excludedattributes"),
        filter=_string(fields, "filter"),
        sort_by=_string(fields, "sortby"),
        sort_order=_sort_order(fields),
        start_index=max(1, _integer(fields, "startindex") or 1),
        count=_count(fields, cursor),
        cursor=cursor,
    )


def parse_bulk(body: object, *, max_operations: int = MAX_BULK_OPERATIONS) -> BulkRequest:
    """A bulk body. Raises TooLarge (413) beyond ``max_operations``, as RFC 7644 section 3.7.4 asks."""
    fields = _object(body, "the body")
    operations = _operations(fields, "method")
    if not isinstance(operations, list) or not operations:
        raise InvalidSyntax("Operations must be a list with at least one operation")
    if len(operations) > max_operations:
        raise TooLarge(f"a bulk request may hold {max_operations} operations, this one holds {len(operations)}")
    limit = _integer(fields, "failonerrors")
    return BulkRequest(max(1, limit) if limit is not None else None, tuple(_bulk_operation(e) for e in operations))


def _bulk_operation(entry: object) -> BulkOperation:
    fields = _object(entry, "an operation")
    method = (_string(fields, "method") or "").upper()
    if method not in _METHODS:
        raise InvalidSyntax("method must be POST, PUT, PATCH or DELETE")
    path = _string(fields, "path")
    if path is None:
        raise InvalidSyntax("path is required in a bulk operation")
    bulk_id = _string(fields, "bulkid")
    if method == "POST" and bulk_id is None:
        raise InvalidSyntax("bulkId is required in a bulk operation with the method POST")
    return BulkOperation(method, path, bulk_id, _string(fields, "version"), parse_serialized(fields.get("data")))


def _object(value: object, what: str) -> dict[str, Any]:
    """The fields of an object under lower-cased names."""
    if not isinstance(value, Mapping):
        raise InvalidSyntax(f"{what} must be a JSON object")
    return {name.lower(): inner for name, inner in value.items() if isinstance(name, str)}


def _string(fields: Mapping[str, object], name: str, *, empty: bool = False) -> str | None:
    value = fields.get(name)
    if value is None or (value == "" and not empty):
        return None
    if not isinstance(value, str):
        raise InvalidSyntax(f"{name} must be a string")
    check_string(value)
    return value


def _names(fields: Mapping[str, object], name: str) -> tuple[str, ...] | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
        raise InvalidSyntax(f"{name} must be a list of attribute names")
    names = tuple(stripped for entry in value for part in entry.split(",") if (stripped := part.strip()))
    return names or None


def _integer(fields: Mapping[str, object], name: str) -> int | None:
    value = fields.get(name)
    if isinstance(value, str):
        if value.strip() == "":
            return None
        try:
            value = int(value) if len(value) <= 20 else None
        except ValueError:
            value = None
        if value is None:
            raise InvalidValue(f"{name} must be an integer")
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidValue(f"{name} must be an integer")
    return max(-_MAX_NUMBER, min(value, _MAX_NUMBER))


def _count(fields: Mapping[str, object], cursor: str | None) -> int | None:
    try:
        count = _integer(fields, "count")
    except InvalidValue as error:
        if cursor is None:
            raise
        raise InvalidCount(error.detail) from None
    return None if count is None else max(0, count)


def _sort_order(fields: Mapping[str, object]) -> Literal["ascending", "descending"]:
    order = (_string(fields, "sortorder") or "ascending").lower()
    if order in {"ascending", "asc"}:
        return "ascending"
    if order in {"descending", "desc"}:
        return "descending"
    raise InvalidValue("sortOrder must be ascending or descending")
