"""PATCH on a document (RFC 7644 section 3.5.2) with what providers expect of it (dialect rows E, O, X).

Creation under a filter that matches nothing: ``add`` creates the value the filter describes (row E04, SCIM-SDK#416).
``replace`` answers ``noTarget`` as RFC 7644 section 3.5.2.3 says, except where the filter names a canonical type of the
attribute or its primary value: Microsoft Entra ID sends ``Replace emails[type eq "work"].value`` for an address it
believes to be there (MS-SCIM). A filter that is no plain conjunction of ``eq`` describes no value: ``noTarget``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from service.scim.coercion import Diagnostic, parse_serialized
from service.scim.documents import check_document, without_core_urn
from service.scim.errors import InvalidFilter, InvalidPath, InvalidValue, Mutability, NoTarget
from service.scim.limits import MAX_ATTRIBUTES, MAX_DEPTH
from service.scim.messages import Operation
from service.scim.patch_editor import Editor
from service.scim.paths import PatchPath, parse_path
from service.scim.schema import ResourceType

_READ_ONLY: Final = frozenset({"id", "meta", "groups"})
_NEVER_STORED: Final = frozenset({"schemas", "password"})


@dataclass(frozen=True, slots=True)
class Patched:
    """The document after a PATCH; equal to the one before when nothing changed."""

    document: dict[str, Any]
    diagnostics: tuple[Diagnostic, ...] = ()


def apply_patch(
    document: Mapping[str, Any],
    operations: Iterable[Operation],
    resource_type: ResourceType,
    *,
    resource_id: str | None = None,
) -> Patched:
    """Apply the operations in order, all or none; ``document`` itself stays as it is.

    ``resource_id`` is what an ``id`` in the operations is compared with: equal ones are ignored (row O02).
    """
    editor = Editor(document, resource_type)
    unassigned = False
    for operation in operations:
        if is_whole(operation, resource_type):
            _apply_without_path(editor, operation, resource_id)
        else:
            path = parse_path(operation.path or "", resource_type)
            _apply_at(editor, operation, path, resource_id)
            unassigned |= operation.op == "remove" and path.attribute == "active"
    if resource_type.name == "User" and not unassigned and "active" in document and "active" not in editor.document:
        # As with PUT: silence about it must not bring a leaver back. To remove it by its name is no silence, and RFC
        # 7644 section 3.5.2.2 says what that does.
        editor.document["active"] = document["active"]
        editor.notes.append(Diagnostic("active", "cannot be unassigned; kept"))
    check_document(editor.document, resource_type)
    _check_size(editor.document)
    return Patched(editor.document, tuple(editor.notes))


def is_whole(operation: Operation, resource_type: ResourceType) -> bool:
    """Whether the operation has no path, or the URN of the core schema in its place."""
    return operation.path is None or (operation.path[:4].lower() == "urn:" and resource_type.is_core(operation.path))


def named_values(operation: Operation, resource_type: ResourceType) -> dict[str, Any] | None:
    """The attributes that an operation without path names; None when its value is no object."""
    value = parse_serialized(operation.value)
    if isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
        value = {name: inner for part in value for name, inner in part.items()}
    return without_core_urn(value, resource_type) if isinstance(value, dict) else None


def _check_size(document: dict[str, Any]) -> None:
    """The ceilings of a resource on the result; what each value holds was checked when the request was read."""
    count = 0
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for node in level:
            values = node.values() if type(node) is dict else node
            count += len(values)
            for value in values:
                kind = type(value)
                if kind is dict or kind is list:
                    below.append(value)
        level = below
    if level:
        raise InvalidValue(f"the resource is nested deeper than {MAX_DEPTH} levels")
    if count > MAX_ATTRIBUTES:
        raise InvalidValue(f"the resource holds more than {MAX_ATTRIBUTES} values")


def _apply_at(editor: Editor, operation: Operation, path: PatchPath, resource_id: str | None) -> None:
    if path.urn is None and path.attribute.lower() in _READ_ONLY:
        if path.attribute == "id" and operation.op != "remove" and operation.value == resource_id is not None:
            return
        raise Mutability(f"{path.attribute} is read-only")
    if path.urn is None and path.attribute.lower() in _NEVER_STORED:
        return
    if operation.op == "remove":
        editor.remove(path, operation.value)
    elif not operation.has_value:
        raise InvalidValue(f"the operation {operation.op} needs a value")
    else:
        editor.assign(path, operation.value, add=operation.op == "add")


def _apply_without_path(editor: Editor, operation: Operation, resource_id: str | None) -> None:
    if operation.op == "remove":
        raise NoTarget("the operation remove needs a path")
    values = named_values(operation, editor.resource_type)
    if values is None:
        raise InvalidValue("an operation without path needs an object as its value")
    for name, inner in values.items():
        path = path_of_key(name, inner, editor.resource_type)
        if path.attribute and not path.known and name in editor.document:
            path = PatchPath(None, name, known=False)
        if path.urn is None:
            if path.attribute == "id" and inner is not None and resource_id is not None and inner != resource_id:
                raise Mutability("id is read-only and differs from that of the resource")
            if path.attribute.lower() in _READ_ONLY | _NEVER_STORED:
                continue
        editor.assign(path, inner, add=operation.op == "add")


def path_of_key(name: str, value: object, resource_type: ResourceType) -> PatchPath:
    """The path that a key of a path-less object stands for (rows E06, E07); an odd key stands for itself."""
    try:
        path = parse_path(name, resource_type)
    except (InvalidPath, InvalidFilter):
        return PatchPath(None, name, known=False)
    if path.definition is None and path.urn is not None and path.attribute and isinstance(value, dict):
        return PatchPath(name, "", known=False)
    return path
