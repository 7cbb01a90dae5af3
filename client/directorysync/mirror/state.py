"""What a mirror holds, and what each event makes of it. No I/O, no clock.

Users and groups are kept as the bytes of their messages: half the memory of parsed ones, and whoever asks gets a
message of his own, which he may change. Parsing one takes about a microsecond.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from directorysync.mirror.keys import Index, email_keys, fold
from directorysync.v1.directory_sync_pb2 import SnapshotPart
from directorysync.v1.events_pb2 import Event
from directorysync.v1.resources_pb2 import Directory, DirectoryGroup, DirectoryUser, Membership

Row = tuple[str, tuple[Any, ...]]
"""A named statement of file.sql and its parameters: what a change does to the file."""


class Gap(Exception):
    """Events of a directory are missing: the number that came is not the one that follows."""

    def __init__(self, directory_id: str, expected: int, came: int) -> None:
        super().__init__(f"event {came} of {directory_id} came, {expected} was next")


class Person:
    """A user, and the groups that it is a direct member of, oldest membership first."""

    __slots__ = ("data", "groups", "id")

    def __init__(self, entity_id: str, data: bytes) -> None:
        self.id = entity_id
        self.data = data
        self.groups: tuple[str, ...] = ()


class Circle(Person):
    """A group, the groups that it is in, and its direct members."""

    __slots__ = ("members", "version")

    def __init__(self, entity_id: str, data: bytes, version: int) -> None:
        super().__init__(entity_id, data)
        self.version = version
        self.members: dict[str, None] = {}


class State:
    """A copy of some directories. `sequences`: number of the newest event in it, by directory; `gone`: the directories
    that were deleted since there is a copy.
    """

    __slots__ = (
        "_leftovers",
        "directories",
        "emails",
        "gone",
        "group_names",
        "groups",
        "idp_ids",
        "inside",
        "sequences",
        "user_names",
        "users",
    )

    def __init__(self) -> None:
        self.directories: dict[str, bytes] = {}
        self.sequences: dict[str, int] = {}
        self.gone: set[str] = set()
        self.users: dict[str, Person] = {}
        self.groups: dict[str, Circle] = {}
        self.inside: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
        self.emails = Index()
        self.user_names = Index()
        self.idp_ids = Index()
        self.group_names = Index()
        self._leftovers: list[Person] = []

    def take(self, part: SnapshotPart) -> Iterator[list[Row]]:
        """Enter a part of a snapshot. In slices: others may have their turn between two."""
        for directory in part.directories:
            self.sequences[directory.id] = directory.sequence
        kinds: tuple[tuple[Iterable[Any], Callable[[Any, list[Row]], None]], ...] = (
            (part.directories, self.put_directory),
            (part.groups, self.put_group),
            (part.users, self.put_user),
            (part.memberships, self.join),
        )
        for entities, put in kinds:
            rows: list[Row] = []
            for entity in entities:
                put(entity, rows)
                if len(rows) >= _SLICE:
                    yield rows
                    rows = []
            yield rows

    def apply(self, event: Event, rows: list[Row]) -> bool:
        """Whether it was news; `rows` is what it does to the file. Raises Gap when events before it are missing."""
        number, last = event.directory_sequence, self.sequences.get(event.directory_id, 0)
        if number <= last or event.directory_id in self.gone:
            return False
        if number != last + 1:
            raise Gap(event.directory_id, last + 1, number)
        self.sequences[event.directory_id] = number
        if (change := _CHANGES.get(event.type)) is not None:
            change(self, event, rows)
        return True

    def succeed(self, before: "State") -> None:
        """This copy takes the place of another one. A directory that is missing in it was deleted in between."""
        self.gone = before.gone | (before.sequences.keys() - self.sequences.keys())

    def tidy(self) -> Iterator[None]:
        """Forget the keys of deleted directories, a slice at a time."""
        while self._leftovers:
            for one in self._leftovers[-_SLICE:]:
                if isinstance(one, Circle):
                    self.group_names.remove(fold(DirectoryGroup.FromString(one.data).name), one.id)
                else:
                    self._forget_keys(DirectoryUser.FromString(one.data))
            del self._leftovers[-_SLICE:]
            yield

    def put_directory(self, directory: Directory, rows: list[Row]) -> None:
        """Its own settings; counts are not kept, for they would be stale."""
        kept = Directory()
        kept.CopyFrom(directory)
        kept.ClearField("user_count")
        kept.ClearField("group_count")
        kept.ClearField("inactive_user_count")
        kept.ClearField("sequence")
        data = self.directories[directory.id] = kept.SerializeToString()
        rows.append(("put_directory", (directory.id, self.sequences.get(directory.id, 0), data)))

    def put_user(self, user: DirectoryUser, rows: list[Row]) -> None:
        """Never an older version than the one that is there."""
        user.ClearField("membership_update_time")  # events do not tell it
        data = user.SerializeToString()
        held = self.users.get(user.id)
        name = fold(user.user_name)
        keys = email_keys(user, name)
        if held is None:
            held = self.users[user.id] = Person(user.id, data)
            self._inside(user.directory_id)[0][held.id] = None
        else:
            before = DirectoryUser.FromString(held.data)
            if before.version > user.version:
                return
            self._forget_keys(before, keep=(keys, name, user.idp_id))
            held.data = data
        self._find_by(held.id, keys, name, user.idp_id)
        rows.append(("put_user", (held.id, user.directory_id, data)))

    def put_group(self, group: DirectoryGroup, rows: list[Row]) -> None:
        """Never an older version than the one that is there."""
        data = group.SerializeToString()
        held = self.groups.get(group.id)
        if held is None:
            held = self.groups[group.id] = Circle(group.id, data, group.version)
            self._inside(group.directory_id)[1][held.id] = None
        else:
            if held.version > group.version:
                return
            self.group_names.remove(fold(DirectoryGroup.FromString(held.data).name), held.id)
            held.data, held.version = data, group.version
        self.group_names.add(fold(group.name), held.id)
        rows.append(("put_group", (held.id, group.directory_id, data)))

    def join(self, membership: Membership, rows: list[Row]) -> None:
        """A membership of what is not there would be of nothing."""
        self.link(membership.group_id, membership.member_id, rows)

    def link(self, group_id: str, member_id: str, rows: list[Row]) -> None:
        """As `join`, by ids."""
        group = self.groups.get(group_id)
        member = self.users.get(member_id) or self.groups.get(member_id)
        if group is None or member is None or member.id in group.members:
            return
        group.members[member.id] = None
        member.groups = (*member.groups, group.id)
        rows.append(("put_membership", (group.id, member.id)))

    def drop_directory(self, directory_id: str, rows: list[Row]) -> None:
        """Everything of it, at once; its keys, which then lead nowhere, are left to `tidy`."""
        self.directories.pop(directory_id, None)
        self.gone.add(directory_id)
        users, groups = self.inside.pop(directory_id, ({}, {}))
        self._leftovers += [self.users.pop(user_id) for user_id in users]
        self._leftovers += [self.groups.pop(group_id) for group_id in groups]
        tables = ("drop_memberships_of_directory", "drop_users_of_directory", "drop_groups_of_directory")
        rows += [(table, (directory_id,)) for table in tables]
        rows.append(("put_directory", (directory_id, self.sequences.get(directory_id, 0), None)))

    def drop_user(self, user: DirectoryUser, rows: list[Row]) -> None:
        """With its memberships."""
        held = self.users.pop(user.id, None)
        if held is None:
            return
        self._forget_keys(DirectoryUser.FromString(held.data))
        self._inside(user.directory_id)[0].pop(held.id, None)
        self._leave_all(held, rows)
        rows.append(("drop_user", (held.id,)))

    def drop_group(self, group: DirectoryGroup, rows: list[Row]) -> None:
        """With the memberships in it and its own in others."""
        held = self.groups.pop(group.id, None)
        if held is None:
            return
        self.group_names.remove(fold(DirectoryGroup.FromString(held.data).name), held.id)
        self._inside(group.directory_id)[1].pop(held.id, None)
        for member_id in held.members:
            member = self.users.get(member_id) or self.groups.get(member_id)
            if member is not None:
                member.groups = tuple(group_id for group_id in member.groups if group_id != held.id)
        self._leave_all(held, rows)
        rows.append(("drop_group", (held.id,)))
        rows.append(("drop_memberships_of_group", (held.id,)))

    def _leave_all(self, held: Person, rows: list[Row]) -> None:
        for group_id in held.groups:
            if (group := self.groups.get(group_id)) is not None:
                group.members.pop(held.id, None)
            rows.append(("drop_membership", (group_id, held.id)))

    def member_joined(self, event: Event, rows: list[Row]) -> None:
        """Of a user or a group."""
        self.join(event.membership, rows)
        self._touch_group(event, rows)

    def member_left(self, event: Event, rows: list[Row]) -> None:
        """Of a user or a group."""
        group_id, member_id = event.membership.group_id, event.membership.member_id
        group = self.groups.get(group_id)
        if group is not None and member_id in group.members:
            del group.members[member_id]
            member = self.users.get(member_id) or self.groups.get(member_id)
            if member is not None:
                member.groups = tuple(one for one in member.groups if one != group_id)
            rows.append(("drop_membership", (group_id, member_id)))
        self._touch_group(event, rows)

    def _touch_group(self, event: Event, rows: list[Row]) -> None:
        """A group's version and time grow with its members too: the event tells them, without the group itself."""
        version = event.membership.group_version
        held = self.groups.get(event.membership.group_id)
        if held is None or version <= held.version:
            return
        group = DirectoryGroup.FromString(held.data)
        group.version = version
        group.update_time.CopyFrom(event.create_time)
        held.data, held.version = group.SerializeToString(), version
        rows.append(("put_group", (held.id, group.directory_id, held.data)))

    def _inside(self, directory_id: str) -> tuple[dict[str, None], dict[str, None]]:
        found = self.inside.get(directory_id)
        if found is None:
            found = self.inside[directory_id] = ({}, {})
        return found

    def _find_by(self, user_id: str, emails: Iterable[str], name: str, idp_id: str) -> None:
        for key in emails:
            self.emails.add(key, user_id)
        self.user_names.add(name, user_id)
        if idp_id:
            self.idp_ids.add(idp_id, user_id)

    def _forget_keys(self, before: DirectoryUser, keep: tuple[Iterable[str], str, str] = ((), "", "")) -> None:
        emails, name, idp_id = keep
        name_before = fold(before.user_name)
        for key in email_keys(before, name_before).difference(emails):
            self.emails.remove(key, before.id)
        if name_before != name:
            self.user_names.remove(name_before, before.id)
        if before.idp_id and before.idp_id != idp_id:
            self.idp_ids.remove(before.idp_id, before.id)


# A slice of a snapshot takes about a millisecond.
_SLICE: Final = 200

_CHANGES: Final[dict[str, Callable[[State, Event, list[Row]], None]]] = {
    **dict.fromkeys(
        ("dsync.activated", "dsync.updated", "dsync.disabled", "dsync.restored"),
        lambda state, event, rows: state.put_directory(event.directory, rows),
    ),
    "dsync.deleted": lambda state, event, rows: state.drop_directory(event.directory_id, rows),
    "dsync.user.created": lambda state, event, rows: state.put_user(event.user, rows),
    "dsync.user.updated": lambda state, event, rows: state.put_user(event.user, rows),
    "dsync.user.deleted": lambda state, event, rows: state.drop_user(event.user, rows),
    "dsync.group.created": lambda state, event, rows: state.put_group(event.group, rows),
    "dsync.group.updated": lambda state, event, rows: state.put_group(event.group, rows),
    "dsync.group.deleted": lambda state, event, rows: state.drop_group(event.group, rows),
    "dsync.group.user_added": lambda state, event, rows: state.member_joined(event, rows),
    "dsync.group.group_added": lambda state, event, rows: state.member_joined(event, rows),
    "dsync.group.user_removed": lambda state, event, rows: state.member_left(event, rows),
    "dsync.group.group_removed": lambda state, event, rows: state.member_left(event, rows),
}
