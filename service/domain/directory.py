"""A directory and its tokens. Values only."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from service.domain.policy import Policy


class DirectoryState(StrEnum):
    """Life cycle; see DirectoryState in resources.proto."""

    UNLINKED = "unlinked"
    LINKED = "linked"
    DISABLED = "disabled"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Directory:
    """One connected source of users and groups. `policy` holds the settings that differ per directory."""

    id: str
    organization_id: str
    name: str
    provider: str
    state: DirectoryState
    scim_key: str
    policy: Policy
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class DirectorySummary:
    """A directory with the number of its newest event; counts are 0 where they were not asked for."""

    directory: Directory
    sequence: int
    users: int = 0
    groups: int = 0
    inactive_users: int = 0


@dataclass(frozen=True, slots=True)
class DirectoryToken:
    """A token of a directory, without its secret."""

    id: str
    directory_id: str
    suffix: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
