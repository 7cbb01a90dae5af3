"""The database of `dirsync serve`: the embedded one, kept alive, or one that somebody else runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import structlog

from directorysync.cli.embedded import EmbeddedPostgres
from directorysync.cli.failure import Failure
from directorysync.cli.supervisor import Deaths, Policy

_POLL_SECONDS = 0.2


class Database(Protocol):
    """What the supervisor needs of either."""

    url: str
    where: str

    async def failed(self) -> None:
        """Never returns while the database can be counted on; raises Failure when it cannot."""


class ExternalDatabase:
    """A PostgreSQL that is looked after elsewhere. The workers wait for it when it is away."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.where = "external"

    async def failed(self) -> None:
        """Waits for ever."""
        await asyncio.Event().wait()


class KeptPostgres:
    """An embedded server that is started again when it dies."""

    def __init__(self, postgres: EmbeddedPostgres) -> None:
        self._postgres = postgres
        self._log: Any = structlog.get_logger("directorysync.postgres")
        self._starting: asyncio.Future[None] | None = None
        self.url = ""
        self.where = str(postgres.data)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["KeptPostgres"]:
        """Serves while the block lasts."""
        try:
            await self._start()
            yield self
        finally:
            if self._starting is not None:
                with suppress(Failure):
                    await self._starting
            await asyncio.to_thread(self._postgres.stop)
            self._log.info("postgres_stopped")

    async def failed(self) -> None:
        """Starts the server again each time it dies. Raises Failure when that does not help."""
        deaths = Deaths("PostgreSQL", Policy())
        clock = asyncio.get_running_loop().time
        began = clock()
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            status = self._postgres.poll()
            if status is None:
                continue
            delay = deaths.delay_after(clock() - began)
            self._log.error("postgres_died", status=status, restart_in=delay)
            await asyncio.sleep(delay)
            began = clock()
            await self._start()

    async def _start(self) -> None:
        # A thread cannot be cancelled: when the start is interrupted, whoever stops the server waits for it first.
        self._starting = asyncio.ensure_future(asyncio.to_thread(self._postgres.start))
        await asyncio.shield(self._starting)
        self._starting = None
        self.url = self._postgres.url()
