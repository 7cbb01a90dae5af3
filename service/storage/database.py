"""Connections to PostgreSQL: a pool for reads and admin work; lanes and listeners take connections of their own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

# The stubs know these as generic, the driver does not.
if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

# Errors after which the connection is of no use; asyncpg raises two of them for broken protocol states.
BROKEN = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)

# Errors of a sound transaction that was rolled back for what goes on around it: a deadlock, a serialization failure,
# a lock not had in time, a server that stops, is short of something or became a standby. The same again may succeed.
PASSING = (
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.InsufficientResourcesError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.ReadOnlySQLTransactionError,
)

# PostgreSQL's text holds every character but NUL.
NOT_STORABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)

# A stuck statement must not hold a head row for long; the client has given up by then.
_SETTINGS = {
    "application_name": "directorysync",
    "jit": "off",  # every statement is small; compiling plans costs more than running them
    "idle_in_transaction_session_timeout": "30s",
    "lock_timeout": "10s",
    "statement_timeout": "30s",
}


async def connect(database_url: str, **settings: str) -> Connection:
    """One connection with the service's settings."""
    connection: Connection = await asyncpg.connect(database_url, server_settings={**_SETTINGS, **settings}, timeout=10)
    return connection


async def _keep_session(_: object) -> None:
    """Nobody changes a session of the pool (settings are set for a transaction only), so returning one needs no query.

    The driver's own reset costs a round trip after each read. It still rolls back a transaction that was left open.
    """


@contextlib.asynccontextmanager
async def open_pool(database_url: str, size: int, **settings: str) -> AsyncIterator[Pool]:
    """A pool of at most `size` connections, closed at the end even if some are busy."""
    pool: Any = await asyncpg.create_pool(
        database_url,
        min_size=1,
        max_size=size,
        server_settings={**_SETTINGS, **settings},
        timeout=10,
        max_inactive_connection_lifetime=300,
        # Plans depend on the size of a directory's share: PostgreSQL decides for itself after five runs.
        statement_cache_size=200,
        reset=_keep_session,
    )
    try:
        yield pool
    finally:
        try:
            async with asyncio.timeout(2):
                await pool.close()
        except TimeoutError:
            pool.terminate()
