"""(state, command on a group) -> decision, or an error that belongs to that command alone. Pure.

Members are rows: a command on one member looks at that member, never at the whole group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from service.domain.caller import not_found
from service.domain.change import Change, ChangeType, GroupMember
from service.domain.commands import CreateGroup, DeleteGroup, PatchGroup, ReplaceGroup
from service.domain.decision import Decision, Outcome, check_version
from service.domain.equality import same
from service.domain.group import Group, Member, group_fields
from service.domain.references import arrive, as_refs, by_id, find, wait_for_unknown
from service.domain.user import previous_attributes
from service.domain.view import View
from service.domain.writes import Writes
from service.scim.documents import Diagnostic, merge_put
from service.scim.errors import Uniqueness
from service.scim.members import AddMembers, MemberOp, MemberPlan, ReplaceMembers, apply_members
from service.scim.patch import apply_patch
from service.scim.schema import GROUP


@dataclass(frozen=True, slots=True)
class Delta:
    """Memberships that begin and that end."""

    added: Sequence[Member] = ()
    removed: Sequence[Member] = ()
    writes: Writes = field(default_factory=Writes)


def create_group(view: View, command: CreateGroup, now: datetime) -> Decision:
    """POST: a new group with those of its members that exist."""
    document = command.decoded.prepared
    external = document.get("externalId")
    group = Group(
        directory_id=view.directory_id,
        organization_id=view.head.organization_id,
        id=command.id,
        document=document,
        idp_id=external if isinstance(external, str) and external else str(document["displayName"]),
        version=1,
        created_at=now,
        updated_at=now,
    )
    _check_name(view, group)
    delta = _member_delta(view, group.id, {}, [AddMembers(tuple(command.decoded.members or ()))], now)
    outcome = Outcome(group, changed=True, members=delta.added, diagnostics=command.decoded.diagnostics)
    decision = _decision(outcome, [Change(ChangeType.GROUP_CREATED, group)], delta)
    begun = arrive(view, group, decision.writes, now, announced=command.announced)
    return replace(decision, changes=[*decision.changes, *begun])


def replace_group(view: View, command: ReplaceGroup, now: datetime) -> Decision:
    """PUT: never creates. A body that does not speak of members leaves them (Okta, O07: `members` may be left out)."""
    group = _existing(view, command.id, command.if_match)
    document = merge_put(dict(group.document), command.decoded)
    refs = command.decoded.members
    delta = Delta()
    final: list[Member] | None = None
    if refs is not None:
        current = view.all_members(group.id)
        delta = _member_delta(view, group.id, current, [ReplaceMembers(tuple(refs))], now)
        gone = {member.member_id for member in delta.removed}
        final = [member for member in current.values() if member.member_id not in gone] + [*delta.added]
    outcome = Outcome(group, changed=False, members=final, diagnostics=command.decoded.diagnostics)
    return _update(view, outcome, group, document, delta, now)


def patch_group(view: View, command: PatchGroup, now: datetime) -> Decision:
    """PATCH: operations on the document and on members, all or none."""
    group = _existing(view, command.id, command.if_match)
    document: Mapping[str, Any] = group.document
    diagnostics: Sequence[Diagnostic] = ()
    if command.plan.document_operations:
        patched = apply_patch(group.document, command.plan.document_operations, GROUP, resource_id=group.id)
        document, diagnostics = patched.document, patched.diagnostics
    plan = command.plan
    current = view.all_members(group.id) if plan.needs_all else None
    delta = _member_delta(view, group.id, current, plan.member_operations, now)
    return _update(view, Outcome(group, changed=False, diagnostics=diagnostics), group, document, delta, now)


def delete_group(view: View, command: DeleteGroup, now: datetime) -> Decision:
    """DELETE: the group's memberships end with it and are not announced one by one."""
    del now
    group = _existing(view, command.id, command.if_match)
    writes = Writes(gone_groups={(view.directory_id, group.id)})
    return Decision(Outcome(group, changed=True), [Change(ChangeType.GROUP_DELETED, group)], writes)


def _existing(view: View, group_id: str, if_match: Sequence[str]) -> Group:
    group = view.group(group_id)
    if group is None:
        raise not_found("Group", group_id)
    check_version(group, if_match)
    return group


def _check_name(view: View, group: Group) -> None:
    """Whether two groups may bear one name is the directory's policy; its provider decides where it is not set."""
    unique = view.head.policy.group_names_are_unique(view.head.provider)
    if unique and view.groups_with_key(group.key) - {group.id}:
        raise Uniqueness("another group of this directory has this displayName")


def _member_delta(
    view: View,
    group_id: str,
    current: Mapping[str, Member] | None,
    operations: Sequence[MemberOp],
    now: datetime,
) -> Delta:
    """What the operations do. `current`: every member when that matters; None: look only at those that are named."""
    if not operations:
        return Delta()
    found = find(view, named_values(operations))
    meant = by_id(operations, found)
    if current is None:
        current = view.members(group_id, named_values(meant))
        added, removed = apply_members(as_refs(current.values()), meant)
    else:
        added, removed = apply_members(as_refs(current.values()), meant)
        removed = tuple(sorted(removed))  # all members are loaded in no order, and the log shall not depend on luck
    writes = wait_for_unknown((view.directory_id, group_id), operations, found, now)
    begin = [
        Member(group_id, ref.id, ref.type, ref.name, now, member.display, ref.hidden)
        for member in added
        if (ref := found.refs[member.value]).id != group_id  # a group within itself would have no end
    ]
    return Delta(begin, _named(view, [current[member_id] for member_id in removed]), writes)


def named_values(operations: Sequence[MemberOp]) -> tuple[str, ...]:
    """Values that operations name one by one, in their order, which is that of the events."""
    return MemberPlan((), tuple(operations)).named


def _named(view: View, members: Sequence[Member]) -> list[Member]:
    """One membership is loaded without the member's name; the event tells it."""
    refs = view.refs(member.member_id for member in members if not member.name)
    return [
        member if (ref := refs.get(member.member_id)) is None else replace(member, name=ref.name, hidden=ref.hidden)
        for member in members
    ]


def _update(  # noqa: PLR0917 (the parts of one update)
    view: View, outcome: Outcome, group: Group, document: Mapping[str, Any], delta: Delta, now: datetime
) -> Decision:
    touched = not same(document, group.document)
    if not touched and not delta.added and not delta.removed:
        return Decision(outcome, writes=delta.writes)
    updated = replace(group, document=document, version=group.version + 1, updated_at=now)
    changes: list[Change] = []
    if touched:
        if updated.external_id and updated.external_id != group.external_id:
            updated = replace(updated, idp_id=updated.external_id)
        if updated.key != group.key:
            _check_name(view, updated)
        before = previous_attributes(group.document, document, (group_fields(group), group_fields(updated)))
        changes.append(Change(ChangeType.GROUP_UPDATED, updated, before))
    decision = _decision(replace(outcome, entity=updated, changed=True), changes, delta)
    if updated.external_id == group.external_id:
        return decision
    return replace(decision, changes=[*decision.changes, *arrive(view, updated, decision.writes, now)])


def _decision(outcome: Outcome, changes: list[Change], delta: Delta) -> Decision:
    group = outcome.entity
    assert isinstance(group, Group)  # noqa: S101 (narrowing; decisions of this module are about groups)
    writes = Writes(groups={(group.directory_id, group.id): group})
    writes.merge(delta.writes)
    for member in delta.removed:
        writes.members[(group.directory_id, group.id, member.member_id)] = None
        if not member.hidden:
            changes.append(_membership(group, member, added=False))
    for member in delta.added:
        writes.members[(group.directory_id, group.id, member.member_id)] = member
        if not member.hidden:
            changes.append(_membership(group, member, added=True))
    return Decision(outcome, changes, writes)


_TYPES = {
    ("User", True): ChangeType.MEMBER_ADDED,
    ("User", False): ChangeType.MEMBER_REMOVED,
    ("Group", True): ChangeType.NESTED_GROUP_ADDED,
    ("Group", False): ChangeType.NESTED_GROUP_REMOVED,
}


def _membership(group: Group, member: Member, *, added: bool) -> Change:
    return Change(_TYPES[(member.type, added)], GroupMember(group.id, group.name, member, group.version))
