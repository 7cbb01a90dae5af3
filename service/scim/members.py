"""PATCH on a group, split into what concerns its members and the rest (RFC 7644 section 3.5.2).

Rows E05, W02, X02, Y02. Members are rows, not part of the document: an operation that names its members needs only
those rows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from service.scim.coercion import Diagnostic, Notes
from service.scim.errors import InvalidValue, TooMany
from service.scim.filter_ast import Compare, Filter, Or, size, work_of_text
from service.scim.match import value_test
from service.scim.member_refs import MemberRef, id_in_location, read_members
from service.scim.messages import Operation
from service.scim.patch import is_whole, named_values, path_of_key
from service.scim.paths import PatchPath, parse_path
from service.scim.schema import GROUP, ResourceType

__all__ = [
    "AddMembers",
    "MemberOp",
    "MemberPlan",
    "MemberRef",
    "RemoveAllMembers",
    "RemoveMembers",
    "RemoveMembersWhere",
    "ReplaceMembers",
    "apply_members",
    "split_members",
]


@dataclass(frozen=True, slots=True)
class AddMembers:
    """Make these members; those that are stay as they are."""

    refs: tuple[MemberRef, ...]


@dataclass(frozen=True, slots=True)
class RemoveMembers:
    """End these memberships; absent ones are no error."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoveAllMembers:
    """End every membership."""


@dataclass(frozen=True, slots=True)
class ReplaceMembers:
    """Make these the only members."""

    refs: tuple[MemberRef, ...]


@dataclass(frozen=True, slots=True)
class RemoveMembersWhere:
    """End the memberships that satisfy a filter on value, type and display."""

    filter: Filter


MAX_MEMBER_WORK: Final = 60_000
"""Members compared with filters by all operations of one request."""

MemberOp: TypeAlias = AddMembers | RemoveMembers | RemoveAllMembers | ReplaceMembers | RemoveMembersWhere


@dataclass(frozen=True, slots=True)
class MemberPlan:
    """A group PATCH in two parts, each in the order of the request."""

    document_operations: tuple[Operation, ...]
    member_operations: tuple[MemberOp, ...]
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def needs_all(self) -> bool:
        """Whether the outcome depends on members that the request does not name."""
        return any(not isinstance(op, AddMembers | RemoveMembers) for op in self.member_operations)

    @property
    def named(self) -> tuple[str, ...]:
        """The ids of all members that the request names, each once, in its order."""
        ids: dict[str, None] = {}
        for op in self.member_operations:
            if isinstance(op, AddMembers | ReplaceMembers):
                ids.update((ref.value, None) for ref in op.refs)
            elif isinstance(op, RemoveMembers):
                ids.update(dict.fromkeys(op.values))
        return tuple(ids)


def split_members(operations: Iterable[Operation], group: ResourceType = GROUP) -> MemberPlan:
    """Separate the member operations of a group PATCH from those on its document."""
    rest: list[Operation] = []
    found: list[MemberOp] = []
    notes: Notes = []
    for operation in operations:
        if is_whole(operation, group):
            remaining = _without_path(operation, group, found, notes)
            if remaining is not None:
                rest.append(remaining)
            continue
        path = parse_path(operation.path or "", group)
        if _is_members(path):
            found.extend(_member_ops(operation, path, notes))
        else:
            rest.append(operation)
    return MemberPlan(tuple(rest), tuple(found), tuple(notes))


def _without_path(operation: Operation, group: ResourceType, found: list[MemberOp], notes: Notes) -> Operation | None:
    """Take ``members`` out of a path-less object (row X02); None when nothing else was in it."""
    values = named_values(operation, group)
    if operation.op == "remove" or values is None:
        return operation
    left: dict[str, object] = {}
    for name, inner in values.items():
        path = path_of_key(name, inner, group) if "members" in name.lower() else None
        if path is not None and _is_members(path):
            found.extend(_member_ops(Operation(operation.op, name, inner, has_value=True), path, notes))
        else:
            left[name] = inner
    if len(left) == len(values):
        return operation
    return replace(operation, value=left) if left else None


def _is_members(path: PatchPath) -> bool:
    return path.urn is None and path.attribute == "members" and path.definition is not None


def _member_ops(operation: Operation, path: PatchPath, notes: Notes) -> list[MemberOp]:
    if path.filter is not None:
        return _selected(operation, path, path.filter, notes)
    if path.sub not in {None, "value"}:
        return []  # What is shown of a member follows from the member itself.
    if operation.op != "remove":
        if not operation.has_value:
            raise InvalidValue(f"the operation {operation.op} needs a value")
        return _assigned(operation.op, operation.value, notes)
    if operation.value is None:
        return [RemoveAllMembers()]  # Keycloak empties a group so (row Y02).
    # The list selects what to remove; reading it as "remove the attribute" would empty the group (row E05).
    return [RemoveMembers(tuple(ref.value for ref in read_members(operation.value, notes)))]


def _assigned(op: str, value: object, notes: Notes) -> list[MemberOp]:
    refs = read_members(value, notes)
    if op == "replace":
        return [ReplaceMembers(refs)]
    return [AddMembers(refs)] if refs else []


def _selected(operation: Operation, path: PatchPath, condition: Filter, notes: Notes) -> list[MemberOp]:
    ids = _named_ids(condition)
    if operation.op == "remove":
        if path.sub not in {None, "value"}:
            return []
        return [RemoveMembersWhere(condition) if ids is None else RemoveMembers(ids)]
    if path.sub not in {None, "value"}:
        return []
    if ids is None:
        raise InvalidValue('members are added or replaced by id; use a filter of the form value eq "id"')
    refs = read_members(operation.value, notes)
    if operation.op == "add":
        named = {ref.value: ref for ref in refs}
        return [AddMembers(tuple(named.get(member_id, MemberRef(member_id)) for member_id in ids))]
    return [RemoveMembers(ids), AddMembers(refs)] if refs else [RemoveMembers(ids)]


def _named_ids(condition: Filter) -> tuple[str, ...] | None:
    """The ids of ``value eq "a" or $ref eq "…/Users/b" …``; None for any other filter."""
    terms = condition.terms if isinstance(condition, Or) else (condition,)
    ids: dict[str, None] = {}
    for term in terms:
        if not isinstance(term, Compare) or term.op != "eq" or term.path.name not in {"value", "$ref"} or term.path.sub:
            return None
        if not isinstance(term.value, str):
            return None
        ids[term.value if term.path.name == "value" else id_in_location(term.value)] = None
    return tuple(ids)


def apply_members(
    current: Mapping[str, MemberRef], operations: Iterable[MemberOp]
) -> tuple[tuple[MemberRef, ...], tuple[str, ...]]:
    """The net effect on the members given by id: (added references, removed ids). Who leaves and returns is neither."""
    members = dict(current)
    work = 0
    for op in operations:
        if isinstance(op, AddMembers):
            for ref in op.refs:
                members.setdefault(ref.value, current.get(ref.value, ref))
        elif isinstance(op, RemoveMembers):
            for member_id in op.values:
                members.pop(member_id, None)
        elif isinstance(op, RemoveAllMembers):
            members.clear()
        elif isinstance(op, ReplaceMembers):
            members = {ref.value: current.get(ref.value, ref) for ref in op.refs}
        else:
            work += sum([1 + work_of_text(ref.display or "") for ref in members.values()]) * size(op.filter)
            if work > MAX_MEMBER_WORK:
                raise TooMany("the operations compare too many members; send fewer in one request")
            chosen = value_test(op.filter, _MEMBERS)
            members = {key: ref for key, ref in members.items() if not chosen(_shown(ref))}
    added = tuple(ref for member_id, ref in members.items() if member_id not in current)
    return added, tuple(member_id for member_id in current if member_id not in members)


_MEMBERS = GROUP.lookup["members"]


def _shown(ref: MemberRef) -> dict[str, Any]:
    if ref.display:
        return {"value": ref.value, "type": ref.type or "User", "display": ref.display}
    return {"value": ref.value, "type": ref.type or "User"}
