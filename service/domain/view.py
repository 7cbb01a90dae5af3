"""The state as one directory's commands see it. Every look-up may raise Missing. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from service.domain.change import GroupMember
from service.domain.group import Group, Member
from service.domain.needs import Missing, Needs
from service.domain.state import Ref, State
from service.domain.user import User
from service.domain.writes import Awaited


class View:
    """One directory of a State. Every look-up may raise Missing."""

    __slots__ = ("_state", "directory_id", "head")

    def __init__(self, state: State, directory_id: str) -> None:
        self._state = state
        self.head = state.heads[directory_id]
        self.directory_id = directory_id

    def user(self, user_id: str) -> User | None:
        """By id."""
        key = (self.directory_id, user_id)
        if key not in self._state.users:
            raise Missing(Needs(user_ids={key}))
        return self._state.users[key]

    def users_with_keys(self, user_keys: Iterable[str]) -> dict[str, str]:
        """Ids of the users that have these userNames, by key."""
        keys = {user_key: (self.directory_id, user_key) for user_key in user_keys}
        known = self._state.user_keys
        missing = {key for key in keys.values() if key not in known}
        if missing:
            raise Missing(Needs(user_keys=missing))
        return {user_key: user_id for user_key, key in keys.items() if (user_id := known[key]) is not None}

    def group(self, group_id: str) -> Group | None:
        """By id."""
        return self.groups([group_id]).get(group_id)

    def groups(self, ids: Iterable[str]) -> dict[str, Group]:
        """Those of the ids that are groups."""
        keys = {group_id: (self.directory_id, group_id) for group_id in ids}
        known = self._state.groups
        missing = {key for key in keys.values() if key not in known}
        if missing:
            raise Missing(Needs(group_ids=missing))
        return {group_id: group for group_id, key in keys.items() if (group := known[key]) is not None}

    def groups_with_key(self, name_key: str) -> frozenset[str]:
        """Ids of the groups that bear this displayName."""
        key = (self.directory_id, name_key)
        if key not in self._state.group_keys:
            raise Missing(Needs(group_keys={key}))
        return self._state.group_keys[key]

    def refs(self, ids: Iterable[str]) -> dict[str, Ref]:
        """Those of the ids that can be members."""
        keys = {member_id: (self.directory_id, member_id) for member_id in ids}
        known = self._state.refs
        missing = {key for key in keys.values() if key not in known}
        if missing:
            raise Missing(Needs(refs=missing))
        return {member_id: ref for member_id, key in keys.items() if (ref := known[key]) is not None}

    def with_external_ids(self, external_ids: Iterable[str]) -> dict[str, Ref]:
        """What had these externalIds before the batch and is still there, where that is exactly one thing."""
        keys = {external_id: (self.directory_id, external_id) for external_id in external_ids}
        known, gone = self._state.externals, self._state.gone
        missing = {key for key in keys.values() if key not in known}
        if missing:
            raise Missing(Needs(externals=missing))
        found: dict[str, Ref] = {}
        for external_id, key in keys.items():
            refs = [ref for ref in known[key] if (self.directory_id, ref.id) not in gone]
            if len(refs) == 1:
                found[external_id] = refs[0]
        return found

    def awaiting(self, key: str) -> list[Awaited]:
        """The references that wait for something of this key, folded like a userName."""
        whole = (self.directory_id, key)
        if whole not in self._state.pending:
            raise Missing(Needs(pending={whole}))
        changed = self._state.awaited
        found = [
            item
            for item in self._state.pending[whole]
            if (self.directory_id, item.group_id) not in changed.unawaited_groups
            and (self.directory_id, item.group_id, item.value) not in changed.awaited
        ]
        found += [
            item
            for (directory_id, *_), item in changed.awaited.items()
            if item is not None and directory_id == self.directory_id and item.key == key
        ]
        return found

    def active_with_emails(self, emails: Iterable[str]) -> set[str]:
        """Ids of the active users that have one of these addresses."""
        keys = {email: (self.directory_id, email) for email in emails}
        missing = {key for key in keys.values() if key not in self._state.emails}
        if missing:
            raise Missing(Needs(emails=missing))
        found = {user_id for key in keys.values() for user_id in self._state.emails[key]}
        for (directory_id, user_id), user in self._state.users.items():
            if directory_id != self.directory_id:
                continue
            found.discard(user_id)
            if user is not None and user.active and not keys.keys().isdisjoint(user.email_keys):
                found.add(user_id)
        return found

    def groups_of(self, user_id: str) -> list[GroupMember]:
        """The user's places in groups."""
        key = (self.directory_id, user_id)
        if key not in self._state.user_groups:
            raise Missing(Needs(user_groups={key}))
        found = {
            group_id: self._as_written(place)
            for group_id, place in self._state.user_groups[key].items()
            if (self.directory_id, group_id) not in self._state.gone
        }
        for (directory_id, group_id, member_id), member in self._state.members.items():
            if (directory_id, member_id) == key and member is None:
                found.pop(group_id, None)
            elif (directory_id, member_id) == key and group_id not in found and member is not None:
                group = self.group(group_id)
                if group is not None:
                    found[group_id] = GroupMember(group_id, group.name, member, group.version)
        return list(found.values())

    def _as_written(self, place: GroupMember) -> GroupMember:
        """With what earlier commands of the batch made of the group."""
        group = self._state.groups.get((self.directory_id, place.group_id))
        if group is None:
            return place
        return replace(place, group_name=group.name, group_version=group.version)

    def members(self, group_id: str, ids: Iterable[str]) -> dict[str, Member]:
        """Those of the ids that are members now."""
        everyone = self._state.all_members.get((self.directory_id, group_id))
        if everyone is not None:
            return {member_id: everyone[member_id] for member_id in ids if member_id in everyone}
        keys = {member_id: (self.directory_id, group_id, member_id) for member_id in ids}
        known = self._state.members
        missing = {key for key in keys.values() if key not in known}
        if missing:
            raise Missing(Needs(members=missing))
        return {member_id: member for member_id, key in keys.items() if (member := known[key]) is not None}

    def groups_with_member(self, member_id: str, group_ids: Iterable[str]) -> set[str]:
        """Those of the groups that have this member now."""
        known, whole = self._state.members, self._state.all_members
        found, missing = set(), set()
        for group_id in group_ids:
            everyone = whole.get((self.directory_id, group_id))
            key = (self.directory_id, group_id, member_id)
            if everyone is None and key not in known:
                missing.add(key)
            elif member_id in everyone if everyone is not None else known[key] is not None:
                found.add(group_id)
        if missing:
            raise Missing(Needs(members=missing))
        return found

    def all_members(self, group_id: str) -> Mapping[str, Member]:
        """Everyone in the group."""
        key = (self.directory_id, group_id)
        if key not in self._state.all_members:
            raise Missing(Needs(all_members={key}))
        return self._state.all_members[key]
