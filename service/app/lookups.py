"""What applications ask about users and groups. What is out of the caller's reach does not exist for it."""

from collections.abc import Sequence
from datetime import datetime

from service.app.directories import Directories
from service.domain import ids
from service.domain.caller import Caller, not_found
from service.domain.change import GroupMember
from service.domain.errors import ArgumentError, LimitExceededError
from service.domain.group import Group
from service.domain.stretch import Stretch
from service.domain.user import User
from service.scim.keys import email_key, user_key
from service.scim.limits import MAX_MARKS, has_too_many_marks
from service.storage import directories as directories_table
from service.storage import lookups as table
from service.storage.database import Pool
from service.storage.lookups import Place

MAX_BATCH = 1_000
MAX_FOUND = 100
MAX_GROUPS_OF_USER = 1_000
MAX_GROUPS = 10_000
_MAX_KEY = 4_096


class Lookups:
    """Reads of the state as it is now."""

    def __init__(self, pool: Pool, directories: Directories) -> None:
        self._pool = pool
        self._directories = directories

    async def user(self, caller: Caller, user_id: str, directory_id: str) -> User:
        """One user; an empty directory is any."""
        found = await table.user(self._pool, user_id, directory_id)
        if found is None:
            raise not_found("User", user_id)
        caller.require_reach("User", user_id, found.directory_id, found.organization_id)
        return found

    async def users(self, caller: Caller, user_ids: Sequence[str]) -> list[User]:
        """Those found, in the order of the request, each once for each time it was asked for."""
        _check_batch(user_ids, "ids")
        found = {user.id: user for user in await table.users(self._pool, user_ids, caller)} if user_ids else {}
        return [found[user_id] for user_id in user_ids if user_id in found]

    async def users_by_email(
        self, caller: Caller, directory_id: str, organization_id: str, *, email: str
    ) -> list[User]:
        """At most 100 users with this address, oldest first."""
        directory_ids, organization_ids = _narrow(caller, directory_id, organization_id)
        key = _key(email, "email")
        return await table.users_by_email(self._pool, email_key(key), directory_ids, organization_ids, MAX_FOUND)

    async def users_by_user_name(
        self, caller: Caller, directory_id: str, organization_id: str, *, user_name: str
    ) -> list[User]:
        """At most 100 users with this userName, oldest first."""
        key = _key(user_name, "user_name")
        where = await self._directory_ids(caller, directory_id, organization_id)
        return await table.users_by_user_key(self._pool, user_key(key), where, MAX_FOUND)

    async def users_by_idp_id(
        self, caller: Caller, directory_id: str, organization_id: str, *, idp_id: str
    ) -> list[User]:
        """At most 100 users with this externalId, oldest first."""
        key = _key(idp_id, "idp_id")
        where = await self._directory_ids(caller, directory_id, organization_id)
        return await table.users_by_external_id(self._pool, key, where, MAX_FOUND)

    async def user_page(
        self, caller: Caller, directory_id: str, stretch: Stretch, *, active: bool | None
    ) -> list[User]:
        """Users of a directory."""
        await self._directories.reached(caller, directory_id)
        return await table.user_page(self._pool, directory_id, active, stretch)

    async def group(self, caller: Caller, group_id: str, directory_id: str) -> Group:
        """One group; an empty directory is any."""
        found = await table.group(self._pool, group_id, directory_id)
        if found is None:
            raise not_found("Group", group_id)
        caller.require_reach("Group", group_id, found.directory_id, found.organization_id)
        return found

    async def group_page(self, caller: Caller, directory_id: str, stretch: Stretch) -> list[Group]:
        """Groups of a directory."""
        await self._directories.reached(caller, directory_id)
        return await table.group_page(self._pool, directory_id, stretch)

    async def member_page(
        self, caller: Caller, group_id: str, stretch: Stretch, *, users_only: bool
    ) -> list[GroupMember]:
        """Members of a group by id."""
        place = _reached(caller, "Group", group_id, await table.place_of_group(self._pool, group_id))
        wanted = stretch.among(ids.USER) if users_only else stretch
        return await table.member_page(self._pool, place, group_id, wanted)

    async def effective_member_page(self, caller: Caller, group_id: str, after: str, limit: int) -> list[GroupMember]:
        """The users behind an id that are in a group or in the groups inside it."""
        place = _reached(caller, "Group", group_id, await table.place_of_group(self._pool, group_id))
        return await table.effective_member_page(self._pool, place, group_id, after, limit)

    async def user_groups_page(self, caller: Caller, user_id: str, stretch: Stretch) -> list[Group]:
        """Groups that a user is a direct member of."""
        place = _reached(caller, "User", user_id, await table.place_of_user(self._pool, user_id))
        return await table.user_groups_page(self._pool, place.directory_id, user_id, stretch)

    async def membership_page(
        self, caller: Caller, directory_id: str, after: tuple[str, str], limit: int
    ) -> list[GroupMember]:
        """Memberships of a directory behind a group and member."""
        await self._directories.reached(caller, directory_id)
        return await table.membership_page(self._pool, directory_id, after, limit)

    async def membership_update_times(self, caller: Caller, users: Sequence[User]) -> dict[str, datetime]:
        """When each of these users last joined or left a group; nothing for a caller who was not made to see it."""
        if not caller.membership_update_time or not users:
            return {}
        return await table.membership_update_times(self._pool, users)

    async def effective_user_groups_page(self, caller: Caller, user_id: str, after: str, limit: int) -> list[Group]:
        """Groups behind an id that a user is a member of, at any depth."""
        place = _reached(caller, "User", user_id, await table.place_of_user(self._pool, user_id))
        return await table.effective_user_groups_page(self._pool, place.directory_id, user_id, after, limit)

    async def groups_of_users(
        self, caller: Caller, user_ids: Sequence[str]
    ) -> tuple[list[tuple[str, list[str]]], list[Group]]:
        """Ids of the direct groups of each user found, in the order of the request; and these groups, each once.

        At most 1,000 of one user, the oldest; 10,000 groups in all.
        """
        _check_batch(user_ids, "user_ids")
        if not user_ids:
            return [], []
        limits = {"each": MAX_GROUPS_OF_USER, "total": MAX_GROUPS + 1}
        of_users, groups = await table.groups_of_users(self._pool, user_ids, caller, **limits)
        if len(groups) > MAX_GROUPS:
            raise LimitExceededError(
                f"these users are in more than {MAX_GROUPS} groups; ask for fewer users", limit=str(MAX_GROUPS)
            )
        return [(user_id, of_users[user_id]) for user_id in user_ids if user_id in of_users], groups

    async def epoch(self) -> str:
        """Changes when the database is replaced or rolled back."""
        return await table.epoch(self._pool)

    async def _directory_ids(self, caller: Caller, directory_id: str, organization_id: str) -> list[str] | None:
        """The directories to look in; None is all of them."""
        directory_ids, organization_ids = _narrow(caller, directory_id, organization_id)
        if organization_ids is None:
            return directory_ids
        of_organizations = await directories_table.of_organizations(self._pool, organization_ids)
        return of_organizations if directory_ids is None else sorted({*directory_ids} & {*of_organizations})


def _check_batch(wanted: Sequence[str], field: str) -> None:
    if len(wanted) > MAX_BATCH:
        raise ArgumentError(f"{field} has more than {MAX_BATCH} entries", field=field)


def _narrow(caller: Caller, directory_id: str, organization_id: str) -> tuple[list[str] | None, list[str] | None]:
    """The caller's bounds and the request's together. Each bound: None is none, an empty list is nothing."""
    return _both(caller.directory_ids, directory_id), _both(caller.organization_ids, organization_id)


def _both(bound: frozenset[str], asked: str) -> list[str] | None:
    if not asked:
        return sorted(bound) or None
    return [asked] if not bound or asked in bound else []


def _key(value: str, field: str) -> str:
    if not value or len(value) > _MAX_KEY:
        raise ArgumentError(f"{field} is needed, of at most {_MAX_KEY} characters", field=field)
    if "\0" in value:
        raise ArgumentError(f"{field} holds a NUL character", field=field)
    if has_too_many_marks(value):
        raise ArgumentError(f"{field} holds more than {MAX_MARKS} combining characters in a row", field=field)
    return value


def _reached(caller: Caller, resource_type: str, resource_id: str, place: Place | None) -> Place:
    if place is None or not caller.reaches(place.directory_id, place.organization_id):
        raise not_found(resource_type, resource_id)
    return place
