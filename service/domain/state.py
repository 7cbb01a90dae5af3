"""The part of a database that a batch of commands can see: what was loaded, and what the batch has changed. Pure.

Asking for something that was not loaded raises Missing, which says what to load; deciding starts again after that. So
what a command needs need not be foretold exactly, only guessed well (service.domain.decide).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from service.domain.change import GroupMember
from service.domain.directory import DirectoryState
from service.domain.group import Group, Member, MemberType
from service.domain.needs import Key, MemberKey, Needs
from service.domain.policy import Policy
from service.domain.user import User
from service.domain.writes import Awaited, Writes


@dataclass(frozen=True, slots=True)
class Head:
    """The directory whose head row is locked."""

    directory_id: str
    organization_id: str
    provider: str
    state: DirectoryState
    seq: int
    policy: Policy


@dataclass(frozen=True, slots=True)
class Ref:
    """Something that can be a member. `name`: userName or displayName. `hidden`: the application does not know it."""

    id: str
    type: MemberType
    name: str
    hidden: bool = False


def _nothing() -> None:
    return None


class State:
    """What is known of the directories of one batch."""

    def __init__(self, heads: Iterable[Head]) -> None:
        self.heads: dict[str, Head] = {head.directory_id: head for head in heads}
        self.users: dict[Key, User | None] = {}
        self.user_keys: dict[Key, str | None] = {}
        self.groups: dict[Key, Group | None] = {}
        self.group_keys: dict[Key, frozenset[str]] = {}
        self.refs: dict[Key, Ref | None] = {}
        self.members: dict[MemberKey, Member | None] = {}
        self.all_members: dict[Key, dict[str, Member]] = {}
        self.externals: dict[Key, list[Ref]] = {}
        self.pending: dict[Key, list[Awaited]] = {}
        self.emails: dict[Key, set[str]] = {}
        self.user_groups: dict[Key, dict[str, GroupMember]] = {}
        # What the batch did so far: rows that are loaded later are as they were before it.
        self.gone: set[Key] = set()
        self.written_groups: set[Key] = set()
        self.awaited = Writes()

    def know_nothing_else(self, needs: Needs) -> None:
        """What was asked for and is not set by then does not exist."""
        absent: tuple[tuple[set[Any], dict[Any, Any], Callable[[], Any]], ...] = (
            (needs.user_ids, self.users, _nothing),
            (needs.user_keys, self.user_keys, _nothing),
            (needs.group_ids, self.groups, _nothing),
            (needs.refs, self.refs, _nothing),
            (needs.members, self.members, _nothing),
            (needs.externals, self.externals, list),
            (needs.pending, self.pending, list),
            (needs.emails, self.emails, set),
            (needs.user_groups, self.user_groups, dict),
        )
        for keys, known, empty in absent:
            for key in keys:
                if key not in known:
                    known[key] = empty()
        for directory_id, name_key in needs.group_keys:
            if (directory_id, name_key) not in self.group_keys:
                self.know_group_key(directory_id, name_key, frozenset())
        for directory_id, group_id in needs.all_members:
            if (directory_id, group_id) not in self.all_members:
                self.know_all_members(directory_id, group_id, {})

    def know_user(self, user: User) -> None:
        """A loaded user; what the batch already changed stands."""
        self.users.setdefault((user.directory_id, user.id), user)

    def know_user_key(self, directory_id: str, key: str, user_id: str) -> None:
        """Who has this userName."""
        self.user_keys.setdefault((directory_id, key), user_id)

    def know_group(self, group: Group) -> None:
        """A loaded group."""
        self.groups.setdefault((group.directory_id, group.id), group)

    def know_group_key(self, directory_id: str, key: str, group_ids: frozenset[str]) -> None:
        """Which groups bear this name."""
        bearers = {group_id for group_id in group_ids if (directory_id, group_id) not in self.written_groups}
        for written in self.written_groups:
            group = self.groups[written]
            if group is not None and written[0] == directory_id and group.key == key:
                bearers.add(group.id)
        self.group_keys.setdefault((directory_id, key), frozenset(bearers))

    def know_ref(self, directory_id: str, ref: Ref) -> None:
        """Something that can be a member."""
        self.refs.setdefault((directory_id, ref.id), ref)

    def know_external(self, directory_id: str, external_id: str, ref: Ref) -> None:
        """Something that had this externalId before the batch."""
        self.externals.setdefault((directory_id, external_id), []).append(ref)

    def know_pending(self, directory_id: str, awaited: Awaited) -> None:
        """A reference that waited before the batch."""
        self.pending.setdefault((directory_id, awaited.key), []).append(awaited)

    def know_email(self, directory_id: str, email: str, user_id: str) -> None:
        """An active user that had this address before the batch."""
        self.emails.setdefault((directory_id, email), set()).add(user_id)

    def know_user_group(self, directory_id: str, place: GroupMember) -> None:
        """A group that a user was in before the batch."""
        self.user_groups.setdefault((directory_id, place.member.member_id), {})[place.group_id] = place

    def know_member(self, directory_id: str, member: Member) -> None:
        """One loaded membership."""
        if self.gone.isdisjoint({(directory_id, member.group_id), (directory_id, member.member_id)}):
            self.members.setdefault((directory_id, member.group_id, member.member_id), member)

    def know_all_members(self, directory_id: str, group_id: str, members: Mapping[str, Member]) -> None:
        """All memberships of a group."""
        current = {key: member for key, member in members.items() if (directory_id, key) not in self.gone}
        for (owner, within, member_id), member in self.members.items():
            if (owner, within) == (directory_id, group_id):
                current.pop(member_id, None)
                if member is not None:
                    current[member_id] = member
        self.all_members.setdefault((directory_id, group_id), current)

    def apply(self, directory_id: str, writes: Writes) -> None:
        """Make the next commands of the batch see what this one wrote."""
        for key, user in writes.users.items():
            before = self.users.get(key)
            if before is not None and before.key != user.key:
                self.user_keys[(directory_id, before.key)] = None
            self.users[key] = user
            self.user_keys[(directory_id, user.key)] = user.id
            self.refs[key] = Ref(user.id, "User", user.user_name, user.hidden)
        for key, group in writes.groups.items():
            earlier = self.groups.get(key)
            if earlier is not None:
                self._rename(directory_id, earlier, without=True)
            self.groups[key] = group
            self.written_groups.add(key)
            self._rename(directory_id, group, without=False)
            self.refs[key] = Ref(group.id, "Group", group.name)
        for (_, group_id, member_id), member in writes.members.items():
            self.members[(directory_id, group_id, member_id)] = member
            known = self.all_members.get((directory_id, group_id))
            if known is not None and member is None:
                known.pop(member_id, None)
            elif known is not None and member is not None:
                known[member_id] = member
        self.awaited.merge(Writes(awaited=writes.awaited, unawaited_groups=writes.unawaited_groups))
        for key in writes.gone_users:
            gone = self.users.get(key)
            if gone is not None:
                self.user_keys[(directory_id, gone.key)] = None
            self.users[key] = None
            self._forget(key)
        for key in writes.gone_groups:
            lost = self.groups.get(key)
            if lost is not None:
                self._rename(directory_id, lost, without=True)
            self.groups[key] = None
            self.written_groups.add(key)
            self.all_members[key] = {}
            self._forget(key)

    def _rename(self, directory_id: str, group: Group, *, without: bool) -> None:
        key = (directory_id, group.key)
        bearers = self.group_keys.get(key)
        if bearers is not None:
            self.group_keys[key] = bearers - {group.id} if without else bearers | {group.id}

    def _forget(self, key: Key) -> None:
        directory_id, gone = key
        self.gone.add(key)
        self.refs[key] = None
        for member_key in self.members:
            if member_key[0] == directory_id and gone in member_key[1:]:
                self.members[member_key] = None
        for (owner, _), members in self.all_members.items():
            if owner == directory_id:
                members.pop(gone, None)
