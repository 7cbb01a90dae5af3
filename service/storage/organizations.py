"""The tables `organization` and `organization_domain`. Bounds are lists of ids of organizations and directories."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from service.domain.caller import Caller
from service.domain.organization import Organization, OrganizationDomain
from service.domain.stretch import Stretch
from service.storage.database import Connection, Pool
from service.storage.queries import directed, load_queries
from service.storage.rows import organization_from_row

SQL = load_queries("organizations")
EXTERNAL_ID_CONSTRAINT = "organization_external_id_key"
DOMAIN_CONSTRAINT = "organization_domain_domain_key"
_KEYS = {"id": "by_id", "external_id": "by_external_id", "domain_id": "by_domain_id"}


def _bounds(caller: Caller) -> tuple[list[str] | None, list[str] | None]:
    return list(caller.organization_ids) or None, list(caller.directory_ids) or None


def _json(value: Organization) -> str:
    return msgspec.json.encode(value.metadata).decode()


async def insert(connection: Connection, value: Organization) -> None:
    """Store a new one with its domains; asyncpg.UniqueViolationError when its external id or a domain is taken."""
    await connection.execute(SQL["insert"], value.id, value.name, value.external_id, _json(value), value.created_at)
    await _insert_domains(connection, value.id, value.domains)


async def update(connection: Connection, before: Organization, after: Organization) -> None:
    """Store what changed of one that is locked; asyncpg.UniqueViolationError as for `insert`."""
    await connection.execute(SQL["update"], after.id, after.name, after.external_id, _json(after), after.updated_at)
    if after.domains == before.domains:
        return
    await connection.execute(SQL["delete_domains"], after.id, [domain.id for domain in after.domains])
    known = {domain.id for domain in before.domains}
    changed = [domain for domain in after.domains if domain.id in known and domain not in before.domains]
    columns = [d.id for d in changed], [d.verified for d in changed], [d.updated_at for d in changed]
    await connection.execute(SQL["update_domains"], after.id, *columns)
    await _insert_domains(connection, after.id, [domain for domain in after.domains if domain.id not in known])


async def get(pool: Pool, caller: Caller, key: str, value: str) -> Organization | None:
    """One within the caller's bounds. `key`: `id`, `external_id` or `domain_id`."""
    row = await pool.fetchrow(SQL[_KEYS[key]], value, *_bounds(caller))
    return None if row is None else organization_from_row(row)


async def page(
    pool: Pool, caller: Caller, stretch: Stretch, *, name: str | None, search: str | None, domains: Sequence[str]
) -> list[Organization]:
    """Those of a stretch within the caller's bounds; `search` is a folded text in the name, no domains are any."""
    arguments: list[object] = [stretch.low, stretch.high, stretch.limit, *_bounds(caller), search]
    if domains:
        statement = SQL["page_by_domain"]
        arguments += [name, domains]
    elif name is not None:
        statement = SQL["page_by_name"]
        arguments.append(name)
    else:
        statement = SQL["page"]
    rows = await pool.fetch(directed(statement, backward=stretch.backward), *arguments)
    return [organization_from_row(row) for row in rows]


async def lock(connection: Connection, organization_id: str) -> Organization | None:
    """Hold it until the transaction ends; None when there is none."""
    if await connection.fetchval(SQL["lock"], organization_id) is None:
        return None
    row = await connection.fetchrow(SQL["locked"], organization_id)
    return None if row is None else organization_from_row(row)


async def count_directories(connection: Connection, organization_id: str) -> int:
    """Those that are not deleted."""
    count: int = await connection.fetchval(SQL["count_directories"], organization_id)
    return count


async def hold(connection: Connection, organization_id: str) -> bool:
    """As `lock`, shared with others who make something in it."""
    return await connection.fetchval(SQL["hold"], organization_id) is not None


async def bury(connection: Connection, organization_id: str, at: datetime) -> None:
    """Mark it as deleted; its domains are free."""
    await connection.execute(SQL["bury"], organization_id, at)
    await connection.execute(SQL["delete_domains"], organization_id, [])


async def known(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of the ids that exist."""
    return {row["id"] for row in await connection.fetch(SQL["known"], ids)}


async def _insert_domains(connection: Connection, organization_id: str, domains: Sequence[OrganizationDomain]) -> None:
    if domains:
        columns = (
            [domain.id for domain in domains],
            [domain.domain for domain in domains],
            [domain.verified for domain in domains],
            [domain.created_at for domain in domains],
            [domain.updated_at for domain in domains],
        )
        await connection.execute(SQL["insert_domains"], organization_id, *columns)
