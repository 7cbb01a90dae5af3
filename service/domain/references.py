"""References to members: found by id, else by externalId or userName, else kept until such a one arrives. Pure.

A provider may name a member before it has provisioned it, and some name members by their own ids.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from service.domain.change import Change, ChangeType, GroupMember
from service.domain.group import Group, Member
from service.domain.state import Ref
from service.domain.user import User
from service.domain.view import View
from service.domain.writes import Awaited, Writes
from service.scim.keys import user_key
from service.scim.members import AddMembers, MemberOp, MemberRef, RemoveAllMembers, RemoveMembers, ReplaceMembers


@dataclass(frozen=True, slots=True)
class Found:
    """What the named values are: `refs` by id, `ids` of values that are no ids. A value in neither is unknown."""

    refs: Mapping[str, Ref]
    ids: Mapping[str, str]

    def is_unknown(self, value: str) -> bool:
        """Whether nothing in the directory is meant by this value."""
        return value not in self.refs and value not in self.ids


def find(view: View, values: Iterable[str]) -> Found:
    """Look the values up, all of them together: however many they are, they cost four loads at most."""
    wanted = list(dict.fromkeys(values))
    refs = view.refs(wanted)
    others = [value for value in wanted if value not in refs]
    by_external_id = view.with_external_ids(others)
    ids = {value: ref.id for value, ref in by_external_id.items()}
    keys = {value: user_key(value) for value in others if value not in ids}
    by_key = view.users_with_keys(keys.values())
    ids |= {value: by_key[key] for value, key in keys.items() if key in by_key}
    return Found(refs | view.refs(ids.values()), ids)


def by_id(operations: Sequence[MemberOp], found: Found) -> list[MemberOp]:
    """The operations with every known value replaced by its id, and without the unknown ones."""
    translated: list[MemberOp] = []
    for operation in operations:
        if isinstance(operation, AddMembers | ReplaceMembers):
            kept = [ref for ref in operation.refs if not found.is_unknown(ref.value)]
            refs = tuple(replace(ref, value=found.ids.get(ref.value, ref.value)) for ref in kept)
            translated.append(replace(operation, refs=refs))
        elif isinstance(operation, RemoveMembers):
            translated.append(RemoveMembers(tuple(found.ids.get(value, value) for value in operation.values)))
        else:
            translated.append(operation)
    return translated


def wait_for_unknown(place: tuple[str, str], operations: Sequence[MemberOp], found: Found, now: datetime) -> Writes:
    """Remember a group's references to nobody, and forget those that an operation takes back.

    `place`: the directory and the group.
    """
    writes = Writes()
    directory_id, group_id = place
    for operation in operations:
        if isinstance(operation, RemoveAllMembers | ReplaceMembers):
            writes.await_nobody(directory_id, group_id)
        if isinstance(operation, AddMembers | ReplaceMembers):
            for ref in operation.refs:
                if found.is_unknown(ref.value):
                    awaited = Awaited(group_id, ref.value, user_key(ref.value), now)
                    writes.awaited[(directory_id, group_id, ref.value)] = awaited
        elif isinstance(operation, RemoveMembers):
            for value in operation.values:
                if found.is_unknown(value):
                    writes.awaited[(directory_id, group_id, value)] = None
    return writes


def arrive(
    view: View, arrived: User | Group, writes: Writes, now: datetime, *, announced: bool = False
) -> list[Change]:
    """The memberships that were waiting for this user or group begin."""
    changes: list[Change] = []
    waiting = view.awaiting(user_key(arrived.id)) if announced else []
    waiting += _waiting(view, arrived)
    groups = view.groups(item.group_id for item in waiting)
    joined = view.groups_with_member(arrived.id, groups)
    for item in waiting:
        key = (view.directory_id, item.group_id, item.value)
        writes.awaited[key] = None
        group = groups.get(item.group_id)
        place = (view.directory_id, item.group_id, arrived.id)
        if group is None or place in writes.members or group.id == arrived.id or group.id in joined:
            continue
        moved = replace(group, version=group.version + 1, updated_at=now)
        writes.groups[(view.directory_id, group.id)] = moved
        is_user = isinstance(arrived, User)
        name = arrived.user_name if isinstance(arrived, User) else arrived.name
        hidden = isinstance(arrived, User) and arrived.hidden
        member = Member(group.id, arrived.id, "User" if is_user else "Group", name, now, hidden=hidden)
        writes.members[place] = member
        if hidden:
            continue
        kind = ChangeType.MEMBER_ADDED if is_user else ChangeType.NESTED_GROUP_ADDED
        changes.append(Change(kind, GroupMember(group.id, group.name, member, moved.version)))
    return changes


def _waiting(view: View, arrived: User | Group) -> list[Awaited]:
    """Who waits for its externalId, exactly, or for its userName, whatever the case."""
    external = arrived.external_id
    found = [item for item in view.awaiting(user_key(external)) if item.value == external] if external else []
    if isinstance(arrived, User):
        found += [item for item in view.awaiting(arrived.key) if item not in found]
    return found


def as_refs(members: Iterable[Member]) -> dict[str, MemberRef]:
    """Members as the member operations know them."""
    return {member.member_id: MemberRef(member.member_id, member.type, member.name) for member in members}
