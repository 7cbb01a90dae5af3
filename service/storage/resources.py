"""Reads of one SCIM resource with what belongs to it."""

from collections import defaultdict
from collections.abc import Sequence

from service.domain.group import Group
from service.domain.user import User
from service.scim.member_refs import MemberRef
from service.scim.rendering import GroupRef
from service.storage.database import Pool
from service.storage.queries import load_queries
from service.storage.rows import group_from_row, user_from_row

SQL = load_queries("resources")


async def user(pool: Pool, directory_id: str, user_id: str) -> User | None:
    """By id; None when there is none."""
    row = await pool.fetchrow(SQL["user"], directory_id, user_id)
    return None if row is None else user_from_row(row)


async def group(pool: Pool, directory_id: str, group_id: str) -> Group | None:
    """By id; None when there is none."""
    row = await pool.fetchrow(SQL["group"], directory_id, group_id)
    return None if row is None else group_from_row(row)


async def groups_of(pool: Pool, directory_id: str, user_id: str) -> list[GroupRef]:
    """The groups that a user is in, direct ones first, each kind oldest first."""
    rows = await pool.fetch(SQL["user_groups"], directory_id, user_id)
    groups = [GroupRef(row["id"], row["display_name"]) for row in rows]
    if rows and rows[0]["nested"]:
        groups += (await indirect_groups(pool, directory_id, [user_id], None)).get(user_id, [])
    return groups


async def indirect_groups(
    pool: Pool, directory_id: str, user_ids: Sequence[str], most: int | None
) -> dict[str, list[GroupRef]]:
    """By user, the groups that it is in by way of other groups only (RFC 7643 section 4.1.2); `most` in all."""
    rows = await pool.fetch(SQL["indirect_groups"], directory_id, user_ids, most)
    found: defaultdict[str, list[GroupRef]] = defaultdict(list)
    for row in rows:
        found[row["holder"]].append(GroupRef(row["id"], row["display_name"], "indirect"))
    return found


async def members_of(pool: Pool, directory_id: str, group_id: str, limit: int | None) -> list[MemberRef]:
    """Everyone in a group, or the first `limit` of them."""
    rows = await pool.fetch(SQL["members"], directory_id, group_id, limit)
    return [MemberRef(row["member_id"], row["member_type"], row["name"]) for row in rows]
