"""The table `directory_token` as administrators see it."""

from collections.abc import Sequence
from datetime import datetime

from service.domain.directory import DirectoryToken
from service.storage.database import Connection, Pool
from service.storage.queries import load_queries
from service.storage.rows import token_from_row

SQL = load_queries("tokens")


async def insert(connection: Connection, token: DirectoryToken, digest: bytes) -> None:
    """Store a new token."""
    await connection.execute(
        SQL["insert"], token.directory_id, token.id, digest, token.suffix, token.created_at, token.expires_at
    )


async def of_directory(pool: Pool, directory_id: str) -> list[DirectoryToken]:
    """All that are kept, oldest first."""
    return [token_from_row(row) for row in await pool.fetch(SQL["of_directory"], directory_id)]


async def make_room(connection: Connection, directory_id: str, most: int, now: datetime) -> bool:
    """Forget the oldest ended tokens so that one more makes at most `most`; False when too many are live."""
    await connection.execute(SQL["forget"], directory_id, most - 1, now)
    kept: int = await connection.fetchval(SQL["count"], directory_id)
    return kept < most


async def revoke(connection: Connection, directory_id: str, token_id: str, at: datetime) -> DirectoryToken | None:
    """End a live token; None when there is none."""
    row = await connection.fetchrow(SQL["revoke"], directory_id, token_id, at)
    return None if row is None else token_from_row(row)


async def get(connection: Connection, directory_id: str, token_id: str) -> DirectoryToken | None:
    """One token, revoked or not."""
    row = await connection.fetchrow(SQL["by_id"], directory_id, token_id)
    return None if row is None else token_from_row(row)


async def revoke_all(connection: Connection, directory_ids: Sequence[str], at: datetime) -> None:
    """End all tokens of these directories."""
    await connection.execute(SQL["revoke_all"], directory_ids, at)
