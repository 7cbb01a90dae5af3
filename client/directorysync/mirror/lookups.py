"""Questions that a mirror answers from memory. Each takes microseconds and no network."""

import threading
from collections.abc import Iterable, Iterator

from directorysync.mirror.keys import fold
from directorysync.mirror.state import State
from directorysync.v1.resources_pb2 import Directory, DirectoryGroup, DirectoryUser

_user = DirectoryUser.FromString
_group = DirectoryGroup.FromString


class MirrorNotReady(RuntimeError):
    """The mirror holds no copy yet: wait for `start`."""


class Held:
    """The copy that answers now; another one takes its place when a snapshot is complete. `lock` is held while it
    changes, for those who ask from other threads.
    """

    __slots__ = ("lock", "state")

    def __init__(self) -> None:
        self.state: State | None = None
        self.lock = threading.Lock()

    def current(self) -> State:
        """MirrorNotReady when there is none."""
        if self.state is None:
            raise MirrorNotReady("the mirror holds no copy yet")
        return self.state


class Lookups:
    """The answers are as of the last whole command that arrived. Messages are the caller's own: to change them changes
    nothing here. What does not exist is None or empty, never an error.
    """

    def __init__(self, held: Held) -> None:
        self.held = held

    def user(self, user_id: str) -> DirectoryUser | None:
        """By id. `membership_update_time` is not set: events do not tell it."""
        with self.held.lock:
            found = self.held.current().users.get(user_id)
            return None if found is None else _user(found.data)

    def group(self, group_id: str) -> DirectoryGroup | None:
        """By id. When one of its members is deleted, `version` and `update_time` stay until the group's next event: the
        memberships of what is deleted end without events.
        """
        with self.held.lock:
            found = self.held.current().groups.get(group_id)
            return None if found is None else _group(found.data)

    def directory(self, directory_id: str) -> Directory | None:
        """By id, without counts; `sequence` is the number of the newest event in this copy. A directory that was made
        while the mirror followed is known from its first event on that describes it.
        """
        with self.held.lock:
            state = self.held.current()
            data = state.directories.get(directory_id)
            return None if data is None else _directory(state, directory_id, data)

    def directories(self) -> tuple[Directory, ...]:
        """All in the copy, oldest first."""
        with self.held.lock:
            state = self.held.current()
            return tuple(_directory(state, one, state.directories[one]) for one in sorted(state.directories))

    def find_users(
        self,
        *,
        email: str | None = None,
        user_name: str | None = None,
        idp_id: str | None = None,
        directory_id: str = "",
        organization_id: str = "",
    ) -> tuple[DirectoryUser, ...]:
        """By exactly one of the three keys, oldest first, as LookupUsers. Case matters for `idp_id` only."""
        if (email is None) + (user_name is None) + (idp_id is None) != 2:
            raise TypeError("give exactly one of email, user_name, idp_id")
        with self.held.lock:
            state = self.held.current()
            if email is not None:
                ids = state.emails.find(fold(email))
            elif user_name is not None:
                ids = state.user_names.find(fold(user_name))
            else:
                ids = state.idp_ids.find(idp_id or "")
            held = state.users
            found = tuple([_user(held[one].data) for one in ids if one in held])
        if not directory_id and not organization_id:
            return found
        return tuple([one for one in found if _within(one, directory_id, organization_id)])

    def find_groups(
        self, name: str, *, directory_id: str = "", organization_id: str = ""
    ) -> tuple[DirectoryGroup, ...]:
        """By displayName without regard to case, oldest first."""
        with self.held.lock:
            state = self.held.current()
            held = state.groups
            found = tuple([_group(held[one].data) for one in state.group_names.find(fold(name)) if one in held])
        return tuple([one for one in found if _within(one, directory_id, organization_id)])

    def group_ids(self, member_id: str, *, effective: bool = False) -> tuple[str, ...]:
        """Groups that a user or group is directly in; with `effective` those around them too, each once."""
        with self.held.lock:
            state = self.held.current()
            found = state.users.get(member_id) or state.groups.get(member_id)
            if found is None or not effective:
                return () if found is None else found.groups
            return _groups_around(state, found.groups, member_id)

    def groups(self, member_id: str, *, effective: bool = False) -> tuple[DirectoryGroup, ...]:
        """As `group_ids`, with the groups themselves."""
        found = (self.group(group_id) for group_id in self.group_ids(member_id, effective=effective))
        return tuple(group for group in found if group is not None)

    def member_ids(self, group_id: str, *, effective: bool = False) -> tuple[str, ...]:
        """Direct members, users and groups; with `effective` the users in it and in the groups inside it, each once."""
        with self.held.lock:
            state = self.held.current()
            found = state.groups.get(group_id)
            if found is None or not effective:
                return () if found is None else tuple(found.members)
            return _users_inside(state, group_id)

    def members(self, group_id: str, *, effective: bool = False) -> Iterator[DirectoryUser]:
        """The users among `member_ids`, parsed one by one as they are asked for."""
        return self._users(self.member_ids(group_id, effective=effective))

    def is_member(self, member_id: str, group_id: str, *, effective: bool = False) -> bool:
        """Whether a user or group is in the group, directly, or with `effective` at any depth."""
        if effective:
            return group_id in self.group_ids(member_id, effective=True)
        with self.held.lock:
            found = self.held.current().groups.get(group_id)
            return found is not None and member_id in found.members

    def users(self, directory_id: str | None = None) -> Iterator[DirectoryUser]:
        """Of a directory, or all, parsed one by one as they are asked for."""
        with self.held.lock:
            state = self.held.current()
            ids = tuple(state.users if directory_id is None else state.inside.get(directory_id, ({}, {}))[0])
        return self._users(ids)

    def sequence(self, directory_id: str) -> int:
        """Number of the directory's newest event in the copy; 0 before the first."""
        with self.held.lock:
            return self.held.current().sequences.get(directory_id, 0)

    def _users(self, ids: Iterable[str]) -> Iterator[DirectoryUser]:
        """Those that are still there when it is their turn."""
        for user_id in ids:
            if (found := self.user(user_id)) is not None:
                yield found


def _directory(state: State, directory_id: str, data: bytes) -> Directory:
    found = Directory.FromString(data)
    found.sequence = state.sequences.get(directory_id, 0)
    return found


def _within(one: DirectoryUser | DirectoryGroup, directory_id: str, organization_id: str) -> bool:
    return (not directory_id or one.directory_id == directory_id) and (
        not organization_id or one.organization_id == organization_id
    )


def _groups_around(state: State, direct: tuple[str, ...], member_id: str) -> tuple[str, ...]:
    """Breadth first: the direct ones come first. A circle ends where it began."""
    found = dict.fromkeys(direct)
    waiting = list(direct)
    for group_id in waiting:
        group = state.groups.get(group_id)
        for outer in group.groups if group is not None else ():
            if outer not in found:
                found[outer] = None
                waiting.append(outer)
    found.pop(member_id, None)
    return tuple(found)


def _users_inside(state: State, group_id: str) -> tuple[str, ...]:
    users: dict[str, None] = {}
    seen = {group_id}
    waiting = [group_id]
    for inner in waiting:
        for member_id in state.groups[inner].members:
            if member_id in state.users:
                users[member_id] = None
            elif member_id not in seen and member_id in state.groups:
                seen.add(member_id)
                waiting.append(member_id)
    return tuple(users)
