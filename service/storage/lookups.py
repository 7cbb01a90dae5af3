"""Reads of users, groups and memberships for applications. Every statement is an index probe."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from service.domain.caller import Caller
from service.domain.change import GroupMember
from service.domain.group import Group
from service.domain.stretch import Stretch
from service.domain.user import User
from service.storage.database import Pool
from service.storage.queries import directed, load_queries
from service.storage.rows import Row, group_from_row, group_member_from_row, user_from_row

SQL = load_queries("lookups")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a user or group is, and its name."""

    directory_id: str
    organization_id: str
    name: str


def _users(rows: Sequence[Row]) -> list[User]:
    return [user_from_row(row) for row in rows]


async def user(pool: Pool, user_id: str, directory_id: str) -> User | None:
    """By id; an empty directory is any."""
    if directory_id:
        row = await pool.fetchrow(SQL["user_in_directory"], directory_id, user_id)
    else:
        row = await pool.fetchrow(SQL["user"], user_id)
    return None if row is None else user_from_row(row)


async def users(pool: Pool, ids: Sequence[str], caller: Caller) -> list[User]:
    """By id within the caller's bounds, in no order."""
    bounds = list(caller.directory_ids) or None, list(caller.organization_ids) or None
    return _users(await pool.fetch(SQL["users"], ids, *bounds))


async def users_by_email(
    pool: Pool, key: str, directory_ids: Sequence[str] | None, organization_ids: Sequence[str] | None, limit: int
) -> list[User]:
    """By a folded address; None is no bound."""
    return _users(await pool.fetch(SQL["users_by_email"], key, directory_ids, organization_ids, limit))


async def users_by_user_key(pool: Pool, key: str, directory_ids: Sequence[str] | None, limit: int) -> list[User]:
    """By a folded userName; None is every directory."""
    if directory_ids is None:
        return _users(await pool.fetch(SQL["users_by_user_key_anywhere"], key, limit))
    return _users(await pool.fetch(SQL["users_by_user_key"], key, directory_ids, limit))


async def users_by_external_id(pool: Pool, key: str, directory_ids: Sequence[str] | None, limit: int) -> list[User]:
    """By the provider's id; None is every directory."""
    if directory_ids is None:
        return _users(await pool.fetch(SQL["users_by_external_id_anywhere"], key, limit))
    return _users(await pool.fetch(SQL["users_by_external_id"], key, directory_ids, limit))


async def user_page(pool: Pool, directory_id: str, active: bool | None, stretch: Stretch) -> list[User]:
    """Users of a stretch; `active` None is any."""
    statement = directed(SQL["user_page" if active is None else "user_page_by_state"], backward=stretch.backward)
    of_state = () if active is None else (active,)
    return _users(await pool.fetch(statement, directory_id, stretch.low, stretch.high, stretch.limit, *of_state))


async def group(pool: Pool, group_id: str, directory_id: str) -> Group | None:
    """By id; an empty directory is any."""
    if directory_id:
        row = await pool.fetchrow(SQL["group_in_directory"], directory_id, group_id)
    else:
        row = await pool.fetchrow(SQL["group"], group_id)
    return None if row is None else group_from_row(row)


async def group_page(pool: Pool, directory_id: str, stretch: Stretch) -> list[Group]:
    """Groups of a stretch."""
    statement = directed(SQL["group_page"], backward=stretch.backward)
    rows = await pool.fetch(statement, directory_id, stretch.low, stretch.high, stretch.limit)
    return [group_from_row(row) for row in rows]


async def place_of_group(pool: Pool, group_id: str) -> Place | None:
    """None when there is no such group."""
    row = await pool.fetchrow(SQL["place_of_group"], group_id)
    return None if row is None else Place(**row)


async def place_of_user(pool: Pool, user_id: str) -> Place | None:
    """None when there is no such user."""
    row = await pool.fetchrow(SQL["place_of_user"], user_id)
    return None if row is None else Place(**row)


async def member_page(pool: Pool, place: Place, group_id: str, stretch: Stretch) -> list[GroupMember]:
    """Members of the group, a stretch of their ids."""
    statement = directed(SQL["member_page"], backward=stretch.backward)
    ends = (stretch.low, stretch.high, stretch.limit)
    rows = await pool.fetch(statement, place.directory_id, group_id, *ends, place.name)
    return [group_member_from_row(row) for row in rows]


async def membership_page(pool: Pool, directory_id: str, after: tuple[str, str], limit: int) -> list[GroupMember]:
    """At most `limit` memberships of the directory behind a group and member."""
    return [group_member_from_row(row) for row in await pool.fetch(SQL["membership_page"], directory_id, *after, limit)]


async def membership_update_times(pool: Pool, wanted: Sequence[User]) -> dict[str, datetime]:
    """By user id; users that never were in a group are left out."""
    directories, ids = [user.directory_id for user in wanted], [user.id for user in wanted]
    return {row["id"]: row["at"] for row in await pool.fetch(SQL["membership_update_times"], directories, ids)}


async def user_groups_page(pool: Pool, directory_id: str, user_id: str, stretch: Stretch) -> list[Group]:
    """Groups of the user, a stretch of their ids."""
    statement = directed(SQL["user_groups_page"], backward=stretch.backward)
    rows = await pool.fetch(statement, directory_id, user_id, stretch.low, stretch.high, stretch.limit)
    return [group_from_row(row) for row in rows]


async def groups_of_users(
    pool: Pool, user_ids: Sequence[str], caller: Caller, *, each: int, total: int
) -> tuple[dict[str, list[str]], list[Group]]:
    """Group ids by user, at most `each`, of users within the caller's bounds; and the groups, at most `total`."""
    bounds = list(caller.directory_ids) or None, list(caller.organization_ids) or None
    rows = await pool.fetch(SQL["groups_of_users"], user_ids, *bounds, each, total)
    of_users = {row["id"]: list(row["group_ids"]) for row in rows if row["group_ids"] is not None}
    return of_users, [group_from_row(row) for row in rows if row["group_ids"] is None]


async def effective_member_page(pool: Pool, place: Place, group_id: str, after: str, limit: int) -> list[GroupMember]:
    """At most `limit` users behind the id that are in the group or in one inside it, as if in the group itself."""
    rows = await pool.fetch(SQL["effective_member_page"], place.directory_id, group_id, after, limit, place.name)
    return [group_member_from_row(row) for row in rows]


async def effective_user_groups_page(
    pool: Pool, directory_id: str, user_id: str, after: str, limit: int
) -> list[Group]:
    """At most `limit` groups behind the id that the user is in, at any depth."""
    rows = await pool.fetch(SQL["effective_user_groups_page"], directory_id, user_id, after, limit)
    return [group_from_row(row) for row in rows]


async def epoch(pool: Pool) -> str:
    """The id of the database; empty before the feed was set up."""
    found: str | None = await pool.fetchval(SQL["epoch"])
    return found or ""
