"""What deciding a command yields, and the checks that all commands share. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from service.domain.change import Change
from service.domain.directory import DirectoryState
from service.domain.errors import DirectoryDisabledError, VersionMismatchError
from service.domain.group import Group, Member
from service.domain.user import User
from service.domain.view import View
from service.domain.writes import Writes
from service.scim.documents import Diagnostic


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one command. `members` is set when the command named all of them; `seq` when something changed."""

    entity: User | Group
    changed: bool
    members: Sequence[Member] | None = None
    diagnostics: Sequence[Diagnostic] = ()
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Changes in the order in which subscribers shall see them, the rows to write, and the answer."""

    outcome: Outcome
    changes: Sequence[Change] = ()
    writes: Writes = field(default_factory=Writes)


def etag(version: int) -> str:
    """The weak entity tag of a version (RFC 7644 3.14)."""
    return f'W/"{version}"'


def check_version(entity: User | Group, if_match: Sequence[str]) -> None:
    """Raise VersionMismatchError unless the condition is empty, `*`, or names the current version."""
    if not if_match or "*" in if_match:
        return
    current = str(entity.version)
    # Weak or strong, quoted or, as some clients send it, bare.
    if all(tag.strip().removeprefix("W/").strip('"') != current for tag in if_match):
        raise VersionMismatchError("the resource has another version than If-Match names", current=etag(entity.version))


def check_writable(view: View) -> None:
    """Raise DirectoryDisabledError unless the directory takes writes."""
    if view.head.state in (DirectoryState.DISABLED, DirectoryState.DELETED):
        raise DirectoryDisabledError(f"the directory is {view.head.state.value}")
