"""The sequencer: gives every committed event its place in the order across directories (DESIGN section 6).

Each process runs one. The row lock of sequence_feed_v1 is the fence, so rivals cost work and do no harm; a process that
dies between a commit and its hint is covered by the polls of the others.
"""

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta

import asyncpg

from service.app.clock import Clock
from service.storage import feed as table
from service.storage.database import BROKEN, Connection, connect
from service.telemetry import Telemetry

_POLL_SECONDS = 0.25
# Between two calls under load: commits of that time share one, and sequencing takes at most half of its connection.
_SHORTEST_PAUSE = 0.002
_LONGEST_PAUSE = 0.01
_FIRST_DELAY = 0.05
_LONGEST_DELAY = 2.0
_MAINTENANCE_SECONDS = 3600.0
# A dump holds the lock that dropping a partition needs, for hours; writers must not queue up behind each try.
_RETRY_MAINTENANCE_SECONDS = 300.0
_PARTITIONS_AHEAD = 3
_TRIM_ROWS = 10_000
# Longer than any statement of a reader may run.
FLOOR_GRACE = timedelta(minutes=1)
# Positions for what an outage or a restored dump left take one long statement, the first of a connection. Later ones
# that take long wait for a server that is gone.
_LONGEST_FIRST_SECONDS = 900
_LONGEST_SECONDS = 30


def new_epoch() -> str:
    """16 hexadecimal digits that no other epoch has."""
    return secrets.token_hex(8)


def report(telemetry: Telemetry, name: str, error: Exception) -> None:
    """Log what broke a loop that will go on: trouble with the database, or a fault of ours."""
    if isinstance(error, (*BROKEN, asyncpg.PostgresError, TimeoutError)):
        telemetry.storage_failed(name, error)
    else:
        telemetry.unexpected(name, "", error)


class Sequencer:
    """`on_position` is called with the newest position after each call that may have moved it."""

    def __init__(
        self,
        database_url: str,
        clock: Clock,
        telemetry: Telemetry,
        *,
        retention_days: int = 30,
        on_position: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._database_url = database_url
        self._clock = clock
        self._telemetry = telemetry
        self._retention_days = retention_days
        self._on_position = on_position
        self._hinted = asyncio.Event()
        self._claimed = asyncio.Event()

    async def ready(self) -> None:
        """Wait until this is known to be the database it was, or a new epoch has begun."""
        await self._claimed.wait()

    def hint(self) -> None:
        """Something was committed. Cheap; from the loop's own thread only."""
        self._hinted.set()

    async def run(self) -> None:
        """Until cancelled. Lost connections are made again."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._persist("sequencer", self._sequence))
            tasks.create_task(self._maintain())

    async def _persist(self, name: str, work: Callable[[Connection], Awaitable[None]]) -> None:
        delay = _FIRST_DELAY
        while True:
            started = self._clock.monotonic()
            try:
                await self._with_connection(work)
            except Exception as error:
                report(self._telemetry, name, error)
            if self._clock.monotonic() - started > 10 * _LONGEST_DELAY:
                delay = _FIRST_DELAY
            await asyncio.sleep(random.uniform(delay / 2, delay))  # noqa: S311 (spreads replicas, hides nothing)
            delay = min(2 * delay, _LONGEST_DELAY)

    async def _with_connection(self, work: Callable[[Connection], Awaitable[None]]) -> None:
        connection = await connect(self._database_url, statement_timeout=f"{_LONGEST_FIRST_SECONDS}s")
        try:
            await work(connection)
        finally:
            # After an error the state of the connection is anyone's guess.
            connection.terminate()

    async def _sequence(self, connection: Connection) -> None:
        hinted = True
        async with asyncio.timeout(_LONGEST_FIRST_SECONDS):
            found = await table.claim(connection, new_epoch())
            if found in {"promoted", "replaced"}:
                self._telemetry.log.warning("database_replaced", how=found)
            self._claimed.set()
            self._on_position(await table.sequence(connection, hinted=hinted))
        took = 0.0
        while True:
            await asyncio.sleep(min(max(_SHORTEST_PAUSE, took), _LONGEST_PAUSE))
            hinted = await self._wait()
            self._hinted.clear()
            started = self._clock.monotonic()
            async with asyncio.timeout(_LONGEST_SECONDS):
                self._on_position(await table.sequence(connection, hinted=hinted))
            took = self._clock.monotonic() - started

    async def _wait(self) -> bool:
        """Whether there was a hint before the poll was due."""
        if self._hinted.is_set():
            return True
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await self._hinted.wait()
        except TimeoutError:
            return False
        return True

    async def _maintain(self) -> None:
        await self.ready()
        while True:
            delay = _MAINTENANCE_SECONDS
            try:
                await self._with_connection(self.maintain_once)
            except Exception as error:
                report(self._telemetry, "sequencer.maintain", error)
                delay = _RETRY_MAINTENANCE_SECONDS
            await asyncio.sleep(random.uniform(delay / 2, delay))  # noqa: S311 (as above)

    async def maintain_once(self, connection: Connection, grace: timedelta = FLOOR_GRACE) -> None:
        """Partitions for the days to come; retention.

        Partitions go before the floor moves: what is dropped lies below a floor set in an earlier round, `grace` ago,
        so every page that a reader still waits for was read above it.
        """
        await table.ensure_partitions(connection, _PARTITIONS_AHEAD)
        await table.drop_expired(connection, grace)
        oldest_kept = self._clock.now().date() - timedelta(days=self._retention_days)
        await table.move_floor(connection, oldest_kept)
        while await table.trim(connection, _TRIM_ROWS):
            await asyncio.sleep(0)
        state = await table.state(connection)
        if state is None or state.oldest_day == date.min:
            return
        # Where the log ends, so does the history of memberships; a day's slack as for partitions.
        out_of_reach = datetime.combine(state.oldest_day, time(), UTC) - timedelta(days=1)
        while await table.trim_history(connection, out_of_reach, _TRIM_ROWS):
            await asyncio.sleep(0)
