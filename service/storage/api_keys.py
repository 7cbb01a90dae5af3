"""The table `api_key` as administrators see it."""

from datetime import datetime

from service.domain.api_key import ApiKey
from service.storage.database import Connection, Pool
from service.storage.queries import load_queries
from service.storage.rows import api_key_from_row

SQL = load_queries("api_keys")


async def insert(connection: Connection, key: ApiKey, digest: bytes) -> None:
    """Store a new key."""
    await connection.execute(
        SQL["insert"],
        key.id,
        key.name,
        digest,
        key.suffix,
        [scope.value for scope in key.scopes],
        list(key.organization_ids),
        list(key.directory_ids),
        key.created_at,
        key.expires_at,
        key.membership_update_time,
    )


async def insert_missing(connection: Connection, key: ApiKey, digest: bytes) -> None:
    """Store an unbounded key unless its secret is known already."""
    scopes = [scope.value for scope in key.scopes]
    await connection.execute(SQL["insert_missing"], key.id, key.name, digest, key.suffix, scopes, key.created_at)


async def by_digest(connection: Connection, digest: bytes) -> ApiKey | None:
    """The key with this secret, revoked or not."""
    row = await connection.fetchrow(SQL["by_digest"], digest)
    return None if row is None else api_key_from_row(row)


async def page(pool: Pool, after: str, limit: int) -> list[ApiKey]:
    """At most `limit` keys behind the id."""
    return [api_key_from_row(row) for row in await pool.fetch(SQL["page"], after, limit)]


async def revoke(connection: Connection, key_id: str, at: datetime) -> ApiKey | None:
    """End the key; None when there is none."""
    row = await connection.fetchrow(SQL["revoke"], key_id, at)
    return None if row is None else api_key_from_row(row)
