"""What a command did, in our words; service.rpc encodes it as the public Event."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from service.domain.directory import Directory, DirectoryToken
from service.domain.group import Group, Member
from service.domain.user import User
from service.domain.webhook import DisabledEndpoint


class ChangeType(StrEnum):
    """Types of events; those that WorkOS has bear its names."""

    DIRECTORY_ACTIVATED = "dsync.activated"
    DIRECTORY_UPDATED = "dsync.updated"
    DIRECTORY_DISABLED = "dsync.disabled"
    DIRECTORY_RESTORED = "dsync.restored"
    DIRECTORY_DELETED = "dsync.deleted"
    USER_CREATED = "dsync.user.created"
    USER_UPDATED = "dsync.user.updated"
    USER_DELETED = "dsync.user.deleted"
    GROUP_CREATED = "dsync.group.created"
    GROUP_UPDATED = "dsync.group.updated"
    GROUP_DELETED = "dsync.group.deleted"
    MEMBER_ADDED = "dsync.group.user_added"
    MEMBER_REMOVED = "dsync.group.user_removed"
    NESTED_GROUP_ADDED = "dsync.group.group_added"
    NESTED_GROUP_REMOVED = "dsync.group.group_removed"
    TOKEN_CREATED = "dsync.token.created"  # noqa: S105 (a type of event)
    TOKEN_REVOKED = "dsync.token.revoked"  # noqa: S105
    # Not `dsync.`: who asks for `dsync.*` asks for what happens in directories.
    WEBHOOK_ENDPOINT_DISABLED = "webhook_endpoint.disabled"


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A membership with the group's name, as its event tells it. `group_version`: after the change; 0: not told."""

    group_id: str
    group_name: str
    member: Member
    group_version: int = 0


Entity = User | Group | GroupMember | Directory | DirectoryToken | DisabledEndpoint


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one thing. `previous`: old values of what changed, for `*.updated` only."""

    type: ChangeType
    entity: Entity
    previous: Mapping[str, Any] | None = None

    @property
    def entity_id(self) -> str:
        """Id of what changed; of the group for a membership."""
        return self.entity.group_id if isinstance(self.entity, GroupMember) else self.entity.id

    @property
    def entity_version(self) -> int:
        """Version of what changed after the change; 0 for what has none."""
        return self.entity.version if isinstance(self.entity, User | Group) else 0


@dataclass(frozen=True, slots=True)
class Event:
    """A change with its place in the log."""

    id: str
    change: Change
    directory_id: str
    organization_id: str
    seq: int
    created_at: datetime
    transaction_id: str
    transaction_end: bool
    request_id: str
