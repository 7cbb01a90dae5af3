"""One transaction on a connection of the pool."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import cast

from service.storage.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class _Outer:
    """A transaction in which others nest. Tasks inherit variables, not connections: it serves its own task only."""

    pool: Pool
    connection: Connection
    task: asyncio.Task[object] | None


_outer: ContextVar[_Outer | None] = ContextVar("outer_transaction", default=None)


@contextlib.asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """Committed at the end of the block, rolled back when it raises. In an `outer_transaction`: a part of it."""
    outer = _outer.get()
    if outer is not None and outer.pool is pool and outer.task is asyncio.current_task():
        async with outer.connection.transaction():
            yield outer.connection
        return
    async with pool.acquire() as connection, connection.transaction():
        # The pool's proxy does all that a connection does; the stubs do not say so.
        yield cast("Connection", connection)


@contextlib.asynccontextmanager
async def outer_transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A transaction of which every `transaction` that this task opens within the block is a part."""
    async with transaction(pool) as connection:
        token = _outer.set(_Outer(pool, connection, asyncio.current_task()))
        try:
            yield connection
        finally:
            _outer.reset(token)
