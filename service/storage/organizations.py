"""The table `organization`. Bounds are lists of organization and directory ids; None is no bound."""

from collections.abc import Sequence
from datetime import datetime

from service.domain.caller import Caller
from service.domain.directory import Organization
from service.storage.database import Connection, Pool
from service.storage.queries import load_queries
from service.storage.rows import organization_from_row

SQL = load_queries("organizations")
EXTERNAL_ID_CONSTRAINT = "organization_external_id_key"


def _bounds(caller: Caller) -> tuple[list[str] | None, list[str] | None]:
    return list(caller.organization_ids) or None, list(caller.directory_ids) or None


async def insert(pool: Pool, value: Organization) -> None:
    """Store a new organization; asyncpg.UniqueViolationError when its external id is taken."""
    await pool.execute(SQL["insert"], value.id, value.name, value.external_id, value.created_at)


async def get(pool: Pool, caller: Caller, *, id: str = "", external_id: str = "") -> Organization | None:  # noqa: A002
    """One within the caller's bounds, by either key."""
    statement, key = ("by_id", id) if id else ("by_external_id", external_id)
    row = await pool.fetchrow(SQL[statement], key, *_bounds(caller))
    return None if row is None else organization_from_row(row)


async def page(pool: Pool, caller: Caller, after: str, limit: int, name: str) -> list[Organization]:
    """At most `limit` behind the id; an empty name is any name."""
    arguments: list[object] = [after, limit, *_bounds(caller)]
    rows = await (pool.fetch(SQL["page_by_name"], *arguments, name) if name else pool.fetch(SQL["page"], *arguments))
    return [organization_from_row(row) for row in rows]


async def lock(connection: Connection, organization_id: str) -> bool:
    """Hold it until the transaction ends; False when there is none."""
    return await connection.fetchval(SQL["lock"], organization_id) is not None


async def count_directories(connection: Connection, organization_id: str) -> int:
    """Those that are not deleted."""
    count: int = await connection.fetchval(SQL["count_directories"], organization_id)
    return count


async def hold(connection: Connection, organization_id: str) -> bool:
    """As `lock`, shared with others who make directories in it."""
    return await connection.fetchval(SQL["hold"], organization_id) is not None


async def bury(connection: Connection, organization_id: str, at: datetime) -> None:
    """Mark it as deleted."""
    await connection.execute(SQL["bury"], organization_id, at)


async def known(pool: Pool, ids: Sequence[str]) -> set[str]:
    """Those of the ids that exist."""
    return {row["id"] for row in await pool.fetch(SQL["known"], ids)}
