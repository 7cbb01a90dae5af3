"""The table `directory`, and what is removed with a row of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from service.domain.caller import Caller
from service.domain.directory import Directory, DirectorySummary
from service.domain.stretch import Stretch
from service.storage.database import Connection, Pool
from service.storage.queries import directed, load_queries
from service.storage.rows import directory_from_row

SQL = load_queries("directories")


# What goes with a directory, in this order.
_PURGE = (
    "purge_memberships", "purge_ended", "purge_pending", "purge_diagnostics", "purge_users", "purge_groups",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Locked:
    """A directory whose settings are held, and when its provider first reached it."""

    directory: Directory
    sequence: int
    linked_at: datetime | None


async def insert(connection: Connection, value: Directory) -> None:
    """Store a new directory in an organization that is held."""
    await connection.execute(
        SQL["insert"], value.id, value.organization_id, value.name, value.provider, value.scim_key, value.created_at
    )


async def resolve(pool: Pool, names: Sequence[str]) -> dict[str, Directory]:
    """Those found, under the id or the SCIM key they were asked for by."""
    found: dict[str, Directory] = {}
    for row in await pool.fetch(SQL["resolve"], names):
        value = directory_from_row(row)
        found[value.id] = found[value.scim_key] = value
    return found


async def with_counts(pool: Pool, directory_id: str) -> DirectorySummary | None:
    """One directory and how much is in it."""
    row = await pool.fetchrow(SQL["with_counts"], directory_id)
    if row is None:
        return None
    counts = (row["users"], row["groups"], row["inactive"])
    return DirectorySummary(directory_from_row(row), row["seq"], *counts)


async def page(
    pool: Pool, caller: Caller, stretch: Stretch, organization_id: str, search: str | None
) -> list[DirectorySummary]:
    """Those of a stretch within the caller's bounds; an empty organization is any, `search` is folded."""
    bounds = list(caller.directory_ids) or None, list(caller.organization_ids) or None
    arguments = (stretch.low, stretch.high, stretch.limit, *bounds, search)
    if organization_id:
        statement = directed(SQL["page_of_organization"], backward=stretch.backward)
        rows = await pool.fetch(statement, *arguments, organization_id)
    else:
        rows = await pool.fetch(directed(SQL["page"], backward=stretch.backward), *arguments)
    return [DirectorySummary(directory_from_row(row), row["seq"]) for row in rows]


async def of_organizations(pool: Pool, organization_ids: Sequence[str]) -> list[str]:
    """Ids of their directories."""
    return [row["id"] for row in await pool.fetch(SQL["of_organizations"], organization_ids)]


async def first_of_organization(connection: Connection, organization_id: str, limit: int) -> list[str]:
    """Ids of up to `limit` of its directories."""
    return [row["id"] for row in await connection.fetch(SQL["first_of_organization"], organization_id, limit)]


async def lock(connection: Connection, directory_id: str) -> Locked | None:
    """Hold its settings until the transaction ends."""
    row = await connection.fetchrow(SQL["lock"], directory_id)
    return None if row is None else Locked(directory_from_row(row), row["seq"], row["linked_at"])


async def update(connection: Connection, value: Directory) -> None:
    """Store name, provider, state and policy."""
    policy = msgspec.json.encode(value.policy.to_document()).decode()
    settings = (value.name, value.provider, value.state.value, value.updated_at, policy)
    await connection.execute(SQL["update"], value.id, *settings)


async def link(connection: Connection, directory_id: str, at: datetime) -> Directory | None:
    """Unlinked becomes linked; None when it was not unlinked."""
    row = await connection.fetchrow(SQL["link"], directory_id, at)
    return None if row is None else directory_from_row(row)


async def bury(connection: Connection, directory_ids: Sequence[str], at: datetime) -> list[Directory]:
    """Mark them as deleted; those that were not before, by id."""
    buried = [directory_from_row(row) for row in await connection.fetch(SQL["bury"], directory_ids, at)]
    return sorted(buried, key=lambda directory: directory.id)


async def unpurged(pool: Pool) -> list[str]:
    """Ids of deleted directories of which something is left."""
    return [row["id"] for row in await pool.fetch(SQL["unpurged"])]


async def purge(pool: Pool, directory_id: str, chunk: int) -> None:
    """Remove memberships, users and groups, `chunk` rows a transaction. May be stopped and started again."""
    for statement in _PURGE:
        # An answer "DELETE 17" names the number of rows.
        while int((await pool.execute(SQL[statement], directory_id, chunk)).rpartition(" ")[2]) >= chunk:
            pass


async def known(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of the ids that exist."""
    return {row["id"] for row in await connection.fetch(SQL["known"], ids)}
