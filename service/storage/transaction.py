"""One transaction on a connection of the pool."""

import contextlib
from collections.abc import AsyncIterator
from typing import cast

from service.storage.database import Connection, Pool


@contextlib.asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """Committed at the end of the block, rolled back when it raises."""
    async with pool.acquire() as connection, connection.transaction():
        # The pool's proxy does all that a connection does; the stubs do not say so.
        yield cast("Connection", connection)
