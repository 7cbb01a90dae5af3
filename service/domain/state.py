"""The part of a database that a batch of commands can see: what was loaded, and what the batch has changed. Pure.

Asking for something that was not loaded raises Missing, which says what to load; deciding starts again after that. So
what a command needs need not be foretold exactly, only guessed well (service.domain.needs).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from service.domain.directory import DirectoryState
from service.domain.group import Group, Member, MemberType
from service.domain.user import User

Key = tuple[str, str]
MemberKey = tuple[str, str, str]


@dataclass(slots=True)
class Needs:
    """What to load, as (directory, key) and (directory, group, member)."""

    user_ids: set[Key] = field(default_factory=set)
    user_keys: set[Key] = field(default_factory=set)
    group_ids: set[Key] = field(default_factory=set)
    group_keys: set[Key] = field(default_factory=set)
    refs: set[Key] = field(default_factory=set)
    externals: set[Key] = field(default_factory=set)
    pending: set[Key] = field(default_factory=set)
    members: set[MemberKey] = field(default_factory=set)
    all_members: set[Key] = field(default_factory=set)


class Missing(Exception):
    """Deciding needs something that was not loaded."""

    def __init__(self, needs: Needs) -> None:
        super().__init__("not loaded")
        self.needs = needs


@dataclass(frozen=True, slots=True)
class Head:
    """The directory whose head row is locked."""

    directory_id: str
    organization_id: str
    provider: str
    state: DirectoryState
    seq: int
    policy: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ref:
    """Something that can be a member: `type` is `User` or `Group`, `name` its userName or displayName."""

    id: str
    type: MemberType
    name: str


@dataclass(frozen=True, slots=True)
class Awaited:
    """A reference of a group to a member that does not exist yet. `key`: the value, folded like a userName."""

    group_id: str
    value: str
    key: str
    since: datetime


@dataclass(slots=True)
class Writes:
    """Rows to write, by key; a later write of the same key stands in for an earlier one. None: remove."""

    users: dict[Key, User] = field(default_factory=dict)
    groups: dict[Key, Group] = field(default_factory=dict)
    members: dict[MemberKey, Member | None] = field(default_factory=dict)
    gone_users: set[Key] = field(default_factory=set)
    gone_groups: set[Key] = field(default_factory=set)
    awaited: dict[MemberKey, Awaited | None] = field(default_factory=dict)
    unawaited_groups: set[Key] = field(default_factory=set)

    def __bool__(self) -> bool:
        return any(getattr(self, part.name) for part in fields(self))

    def await_nobody(self, directory_id: str, group_id: str) -> None:
        """Forget every reference of a group that waits."""
        self.awaited = {key: value for key, value in self.awaited.items() if key[:2] != (directory_id, group_id)}
        self.unawaited_groups.add((directory_id, group_id))

    def merge(self, later: "Writes") -> None:
        """Add what a later command writes."""
        self.users.update(later.users)
        self.groups.update(later.groups)
        self.members.update(later.members)
        for directory_id, group_id in later.unawaited_groups:
            self.await_nobody(directory_id, group_id)
        self.awaited.update(later.awaited)
        for key in later.gone_users:
            self.users.pop(key, None)
        for key in later.gone_groups:
            self.groups.pop(key, None)
        self.gone_users |= later.gone_users
        self.gone_groups |= later.gone_groups


class State:
    """What is known of the directories of one batch."""

    def __init__(self, heads: Iterable[Head]) -> None:
        self.heads: dict[str, Head] = {head.directory_id: head for head in heads}
        self._users: dict[Key, User | None] = {}
        self._user_keys: dict[Key, str | None] = {}
        self._groups: dict[Key, Group | None] = {}
        self._group_keys: dict[Key, frozenset[str]] = {}
        self._refs: dict[Key, Ref | None] = {}
        self._members: dict[MemberKey, Member | None] = {}
        self._all_members: dict[Key, dict[str, Member]] = {}
        self._externals: dict[Key, list[Ref]] = {}
        self._pending: dict[Key, list[Awaited]] = {}
        # What the batch did so far: rows that are loaded later are as they were before it.
        self._gone: set[Key] = set()
        self._written_groups: set[Key] = set()
        self._awaited = Writes()

    def know_nothing_else(self, needs: Needs) -> None:
        """What was asked for and is not set by then does not exist."""
        for user_id in needs.user_ids:
            self._users.setdefault(user_id, None)
        for user_key in needs.user_keys:
            self._user_keys.setdefault(user_key, None)
        for group_id in needs.group_ids:
            self._groups.setdefault(group_id, None)
        for owner, name_key in needs.group_keys:
            if (owner, name_key) not in self._group_keys:
                self.know_group_key(owner, name_key, frozenset())
        for ref in needs.refs:
            self._refs.setdefault(ref, None)
        for external in needs.externals:
            self._externals.setdefault(external, [])
        for pending in needs.pending:
            self._pending.setdefault(pending, [])
        for member in needs.members:
            self._members.setdefault(member, None)
        for owner, within in needs.all_members:
            if (owner, within) not in self._all_members:
                self.know_all_members(owner, within, {})

    def know_user(self, user: User) -> None:
        """A loaded user; what the batch already changed stands."""
        self._users.setdefault((user.directory_id, user.id), user)

    def know_user_key(self, directory_id: str, key: str, user_id: str) -> None:
        """Who has this userName."""
        self._user_keys.setdefault((directory_id, key), user_id)

    def know_group(self, group: Group) -> None:
        """A loaded group."""
        self._groups.setdefault((group.directory_id, group.id), group)

    def know_group_key(self, directory_id: str, key: str, group_ids: frozenset[str]) -> None:
        """Which groups bear this name."""
        bearers = {group_id for group_id in group_ids if (directory_id, group_id) not in self._written_groups}
        for written in self._written_groups:
            group = self._groups[written]
            if group is not None and written[0] == directory_id and group.key == key:
                bearers.add(group.id)
        self._group_keys.setdefault((directory_id, key), frozenset(bearers))

    def know_ref(self, directory_id: str, ref: Ref) -> None:
        """Something that can be a member."""
        self._refs.setdefault((directory_id, ref.id), ref)

    def know_external(self, directory_id: str, external_id: str, ref: Ref) -> None:
        """Something that had this externalId before the batch."""
        self._externals.setdefault((directory_id, external_id), []).append(ref)

    def know_pending(self, directory_id: str, awaited: Awaited) -> None:
        """A reference that waited before the batch."""
        self._pending.setdefault((directory_id, awaited.key), []).append(awaited)

    def know_member(self, directory_id: str, member: Member) -> None:
        """One loaded membership."""
        if self._gone.isdisjoint({(directory_id, member.group_id), (directory_id, member.member_id)}):
            self._members.setdefault((directory_id, member.group_id, member.member_id), member)

    def know_all_members(self, directory_id: str, group_id: str, members: Mapping[str, Member]) -> None:
        """All memberships of a group."""
        current = {key: member for key, member in members.items() if (directory_id, key) not in self._gone}
        for (owner, within, member_id), member in self._members.items():
            if (owner, within) == (directory_id, group_id):
                current.pop(member_id, None)
                if member is not None:
                    current[member_id] = member
        self._all_members.setdefault((directory_id, group_id), current)

    def view(self, directory_id: str) -> "View":
        """The state as one directory's commands see it."""
        return View(self, self.heads[directory_id])

    def apply(self, directory_id: str, writes: Writes) -> None:
        """Make the next commands of the batch see what this one wrote."""
        for key, user in writes.users.items():
            before = self._users.get(key)
            if before is not None and before.key != user.key:
                self._user_keys[(directory_id, before.key)] = None
            self._users[key] = user
            self._user_keys[(directory_id, user.key)] = user.id
            self._refs[key] = Ref(user.id, "User", user.user_name)
        for key, group in writes.groups.items():
            earlier = self._groups.get(key)
            if earlier is not None:
                self._rename(directory_id, earlier, without=True)
            self._groups[key] = group
            self._written_groups.add(key)
            self._rename(directory_id, group, without=False)
            self._refs[key] = Ref(group.id, "Group", group.name)
        for (_, group_id, member_id), member in writes.members.items():
            self._members[(directory_id, group_id, member_id)] = member
            known = self._all_members.get((directory_id, group_id))
            if known is not None and member is None:
                known.pop(member_id, None)
            elif known is not None and member is not None:
                known[member_id] = member
        self._awaited.merge(Writes(awaited=writes.awaited, unawaited_groups=writes.unawaited_groups))
        for key in writes.gone_users:
            gone = self._users.get(key)
            if gone is not None:
                self._user_keys[(directory_id, gone.key)] = None
            self._users[key] = None
            self._forget(key)
        for key in writes.gone_groups:
            lost = self._groups.get(key)
            if lost is not None:
                self._rename(directory_id, lost, without=True)
            self._groups[key] = None
            self._written_groups.add(key)
            self._all_members[key] = {}
            self._forget(key)

    def _rename(self, directory_id: str, group: Group, *, without: bool) -> None:
        key = (directory_id, group.key)
        bearers = self._group_keys.get(key)
        if bearers is not None:
            self._group_keys[key] = bearers - {group.id} if without else bearers | {group.id}

    def _forget(self, key: Key) -> None:
        directory_id, gone = key
        self._gone.add(key)
        self._refs[key] = None
        for member_key in self._members:
            if member_key[0] == directory_id and gone in member_key[1:]:
                self._members[member_key] = None
        for (owner, _), members in self._all_members.items():
            if owner == directory_id:
                members.pop(gone, None)


class View:
    """One directory of a State. Every look-up may raise Missing."""

    __slots__ = ("_state", "directory_id", "head")

    def __init__(self, state: State, head: Head) -> None:
        self._state = state
        self.head = head
        self.directory_id = head.directory_id

    def user(self, user_id: str) -> User | None:
        """By id."""
        key = (self.directory_id, user_id)
        if key not in self._state._users:  # noqa: SLF001 (View is the state's own face)
            raise Missing(Needs(user_ids={key}))
        return self._state._users[key]  # noqa: SLF001

    def user_with_key(self, user_key: str) -> str | None:
        """Id of the user that has this userName."""
        key = (self.directory_id, user_key)
        if key not in self._state._user_keys:  # noqa: SLF001
            raise Missing(Needs(user_keys={key}))
        return self._state._user_keys[key]  # noqa: SLF001

    def group(self, group_id: str) -> Group | None:
        """By id."""
        key = (self.directory_id, group_id)
        if key not in self._state._groups:  # noqa: SLF001
            raise Missing(Needs(group_ids={key}))
        return self._state._groups[key]  # noqa: SLF001

    def groups_with_key(self, name_key: str) -> frozenset[str]:
        """Ids of the groups that bear this displayName."""
        key = (self.directory_id, name_key)
        if key not in self._state._group_keys:  # noqa: SLF001
            raise Missing(Needs(group_keys={key}))
        return self._state._group_keys[key]  # noqa: SLF001

    def refs(self, ids: Iterable[str]) -> dict[str, Ref]:
        """Those of the ids that can be members."""
        keys = {member_id: (self.directory_id, member_id) for member_id in ids}
        known = self._state._refs  # noqa: SLF001
        missing = {key for key in keys.values() if key not in known}
        if missing:
            raise Missing(Needs(refs=missing))
        return {member_id: ref for member_id, key in keys.items() if (ref := known[key]) is not None}

    def with_external_id(self, external_id: str) -> Ref | None:
        """What had this externalId before the batch and is still there; None when that is not exactly one thing."""
        key = (self.directory_id, external_id)
        if key not in self._state._externals:  # noqa: SLF001
            raise Missing(Needs(externals={key}))
        found = [ref for ref in self._state._externals[key] if (self.directory_id, ref.id) not in self._state._gone]  # noqa: SLF001
        return found[0] if len(found) == 1 else None

    def awaiting(self, key: str) -> list[Awaited]:
        """The references that wait for something of this key, folded like a userName."""
        whole = (self.directory_id, key)
        if whole not in self._state._pending:  # noqa: SLF001
            raise Missing(Needs(pending={whole}))
        changed = self._state._awaited  # noqa: SLF001
        found = [
            item
            for item in self._state._pending[whole]  # noqa: SLF001
            if (self.directory_id, item.group_id) not in changed.unawaited_groups
            and (self.directory_id, item.group_id, item.value) not in changed.awaited
        ]
        found += [
            item
            for (directory_id, *_), item in changed.awaited.items()
            if item is not None and directory_id == self.directory_id and item.key == key
        ]
        return found

    def members(self, group_id: str, ids: Iterable[str]) -> dict[str, Member]:
        """Those of the ids that are members now."""
        everyone = self._state._all_members.get((self.directory_id, group_id))  # noqa: SLF001
        if everyone is not None:
            return {member_id: everyone[member_id] for member_id in ids if member_id in everyone}
        keys = {member_id: (self.directory_id, group_id, member_id) for member_id in ids}
        known = self._state._members  # noqa: SLF001
        missing = {key for key in keys.values() if key not in known}
        if missing:
            raise Missing(Needs(members=missing))
        return {member_id: member for member_id, key in keys.items() if (member := known[key]) is not None}

    def all_members(self, group_id: str) -> Mapping[str, Member]:
        """Everyone in the group."""
        key = (self.directory_id, group_id)
        if key not in self._state._all_members:  # noqa: SLF001
            raise Missing(Needs(all_members={key}))
        return self._state._all_members[key]  # noqa: SLF001
