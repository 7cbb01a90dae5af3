"""Who calls, and what that credential reaches (DESIGN section 7). Values only."""

from dataclasses import dataclass
from enum import StrEnum

from service.domain.errors import NotFoundError, ScopeMissingError


class Scope(StrEnum):
    """What a credential was made for. `admin` includes the others but `setup`, which portal links and sessions have;
    `deliver` includes `read` and `watch`, for what is delivered must be read.
    """

    ADMIN = "admin"
    READ = "read"
    WATCH = "watch"
    PROVISION = "provision"
    DELIVER = "deliver"
    SETUP = "setup"


GIVEN_SCOPES = tuple(scope for scope in Scope if scope is not Scope.SETUP)
"""Scopes that an API key can have."""

_TO_DELIVER = frozenset({Scope.READ, Scope.WATCH})

# An id that was asked for is repeated in the answer up to here; ours are shorter.
_MAX_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated credential. Empty bounds mean no bound.

    `membership_update_time`: REST shows this caller users whose `updated_at` moves when they join or leave a group.
    """

    id: str
    scopes: frozenset[Scope]
    organization_ids: frozenset[str] = frozenset()
    directory_ids: frozenset[str] = frozenset()
    membership_update_time: bool = False

    def require(self, scope: Scope) -> None:
        """Raise ScopeMissingError unless the caller was made for `scope`."""
        included = (Scope.ADMIN in self.scopes and scope is not Scope.SETUP) or (
            Scope.DELIVER in self.scopes and scope in _TO_DELIVER
        )
        if scope not in self.scopes and not included:
            raise ScopeMissingError(f"this credential lacks the scope {scope.value!r}", scope=scope.value)

    def reaches(self, directory_id: str, organization_id: str) -> bool:
        """Whether the directory is within the caller's bounds."""
        return (not self.directory_ids or directory_id in self.directory_ids) and (
            not self.organization_ids or organization_id in self.organization_ids
        )

    @property
    def unbounded(self) -> bool:
        """Whether every directory is within reach."""
        return not self.directory_ids and not self.organization_ids

    def require_unbounded(self) -> None:
        """Raise ScopeMissingError for a credential that is bound to some organizations or directories."""
        if not self.unbounded:
            raise ScopeMissingError(
                "this credential is bound to some organizations or directories; this call needs one that is not",
                scope=Scope.ADMIN.value,
            )

    def require_reach(self, resource_type: str, resource_id: str, directory_id: str, organization_id: str) -> None:
        """Raise NotFoundError for what is out of reach: a refused caller learns nothing about what exists."""
        if not self.reaches(directory_id, organization_id):
            raise not_found(resource_type, resource_id)


def not_found(resource_type: str, resource_id: str) -> NotFoundError:
    """The one wording for a missing or unreachable resource."""
    shown = resource_id[:_MAX_SHOWN]
    return NotFoundError(f"{resource_type} {shown!r} not found", resource_type=resource_type, id=shown)
