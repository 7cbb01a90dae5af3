"""What commands write, before it is written. Pure."""

from dataclasses import dataclass, field, fields
from datetime import datetime

from service.domain.group import Group, Member
from service.domain.needs import Key, MemberKey
from service.domain.user import User


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
    renamed: set[Key] = field(default_factory=set)
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
        self.renamed |= later.renamed
        for directory_id, group_id in later.unawaited_groups:
            self.await_nobody(directory_id, group_id)
        self.awaited.update(later.awaited)
        for key in later.gone_users:
            self.users.pop(key, None)
        for key in later.gone_groups:
            self.groups.pop(key, None)
        self.gone_users |= later.gone_users
        self.gone_groups |= later.gone_groups
