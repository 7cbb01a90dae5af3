"""The table `idempotent_call`: who used which key for what, and the answer, which only the key opens."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from service.domain.errors import OverloadedError
from service.storage.database import Connection, Pool
from service.storage.queries import load_queries

SQL = load_queries("idempotency")


@dataclass(frozen=True, slots=True)
class Claim:
    """A key of a caller and a request, by their SHA-256."""

    caller_id: str
    key: bytes
    request: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """What a key was used for; `response` is encrypted."""

    request: bytes
    response: bytes


async def claim(connection: Connection, wanted: Claim, at: datetime, ended: datetime) -> bool:
    """True: the key is the caller's from now on. False: it has been used after `ended`.

    OverloadedError when a call with the same key has been under way for too long.
    """
    try:
        row = await connection.fetchrow(SQL["claim"], wanted.caller_id, wanted.key, wanted.request, at, ended)
    except asyncpg.LockNotAvailableError as error:
        raise OverloadedError("a call with this idempotency key is being carried out; try again") from error
    return row is not None


async def find(connection: Connection, wanted: Claim) -> Answered | None:
    """What a key that is claimed was used for; None when it was forgotten just now."""
    row = await connection.fetchrow(SQL["find"], wanted.caller_id, wanted.key)
    return None if row is None else Answered(row["request_sha256"], row["response"])


async def answer(connection: Connection, wanted: Claim, response: bytes) -> None:
    """Store the answer in the transaction that claimed the key."""
    await connection.execute(SQL["answer"], wanted.caller_id, wanted.key, response)


async def forget(pool: Pool, until: datetime, chunk: int) -> None:
    """Forget answers from a time or before, `chunk` rows a transaction."""
    # An answer "DELETE 17" names the number of rows.
    while int((await pool.execute(SQL["forget"], until, chunk)).rpartition(" ")[2]) >= chunk:
        pass
