"""Tables of credentials as authentication sees them: digests in, what they open out."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from service.domain.caller import Caller, Scope
from service.storage.database import BROKEN, Connection, Pool, connect
from service.storage.queries import load_queries

SQL = load_queries("credentials")
CONNECTION_ERRORS = (*BROKEN, asyncpg.PostgresError, TimeoutError)
_CHANNEL = "directorysync_credentials"
_PING_SECONDS = 10.0

# Directory id (empty for all but tokens) and id of the credential.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Credential:
    """A live credential; `directory_id` is empty for all but tokens."""

    caller: Caller
    expires_at: datetime | None
    directory_id: str

    @property
    def key(self) -> Key:
        """What it is found by without its secret."""
        return self.directory_id, self.caller.id


async def by_digest(pool: Pool, digests: Sequence[bytes], now: datetime) -> dict[bytes, Credential]:
    """The live credentials among the digests."""
    return {row["secret_sha256"]: _credential(row) for row in await pool.fetch(SQL["by_digest"], digests, now)}


async def live(pool: Pool, keys: Sequence[Key], now: datetime) -> set[str]:
    """Ids of those that are neither revoked nor expired."""
    return {row["id"] for row in await pool.fetch(SQL["live"], *_columns(keys), now)}


async def touch(pool: Pool, used: Mapping[Key, datetime]) -> None:
    """Set last_used_at, at most once a minute for each credential."""
    tokens = [key for key in used if key[0]]
    api_keys = [key for key in used if not key[0]]
    if tokens:
        await pool.execute(SQL["touch_tokens"], *_columns(tokens), [used[key] for key in tokens])
    if api_keys:
        await pool.execute(SQL["touch_api_keys"], _columns(api_keys)[1], [used[key] for key in api_keys])


async def announce(connection: Connection, *changed_ids: str) -> None:
    """Within the transaction that changed these keys, tokens, directories: every process drops what it cached."""
    await connection.execute(SQL["announce"], changed_ids)


async def listen(database_url: str, ready: Callable[[], None], heard: Callable[[str], None]) -> None:
    """Call `heard` with each announced id. Raises one of CONNECTION_ERRORS when the connection is lost."""
    connection = await connect(database_url)
    try:
        await connection.add_listener(_CHANNEL, lambda *message: heard(message[3]))
        ready()
        while True:
            await asyncio.sleep(_PING_SECONDS)
            # A connection that died without a word is found out here.
            await connection.execute("SELECT", timeout=_PING_SECONDS)
    finally:
        connection.terminate()


def _columns(keys: Sequence[Key]) -> tuple[list[str], list[str]]:
    return [key[0] for key in keys], [key[1] for key in keys]


def _credential(row: Any) -> Credential:
    caller = Caller(
        id=row["id"],
        scopes=frozenset(Scope(scope) for scope in row["scopes"]),
        organization_ids=frozenset(row["organization_ids"]),
        directory_ids=frozenset(row["directory_ids"]),
        membership_update_time=row["membership_update_time"],
    )
    return Credential(caller, row["expires_at"], row["directory_id"] or "")
