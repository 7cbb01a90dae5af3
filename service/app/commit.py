"""Group commit: commands that arrive while a commit is running share the next one (DESIGN section 5).

A lane is one connection and the queue before it; directories are hashed onto lanes, so one directory's commands keep
their order of arrival. Nothing waits for a timer: an idle lane commits a lone command at once.
"""

import asyncio
import contextlib
import time
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import asyncpg

from service.app.batch import Batch, Pending, run_batch
from service.app.clock import Clock, IdSource
from service.app.eventlog import Encode
from service.domain.commands import Command
from service.domain.decision import Outcome
from service.domain.errors import DrainingError, OverloadedError, StorageUnavailableError
from service.storage import batches, events
from service.storage.database import BROKEN, Connection
from service.telemetry import Telemetry

_ATTEMPTS = 3


@dataclass(slots=True)
class Limits:
    """Ceilings: commands and bytes of one commit, commands waiting in one lane."""

    batch_commands: int = 128
    batch_bytes: int = 4 * 1024 * 1024
    queue_commands: int = 4_000


class CommitUnknown(Exception):
    """COMMIT was sent and its answer was lost; `batch` knows what it wrote."""


@dataclass(slots=True)
class _Lane:
    queue: deque[Pending] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    connection: Connection | None = None


class Committer:
    """`connect` opens a lane's connection; `committed` is called after every commit that appended events."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        *,
        lanes: int,
        limits: Limits,
        encode: Encode,
        new_ids: IdSource,
        clock: Clock,
        telemetry: Telemetry,
        committed: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._lanes = [_Lane() for _ in range(lanes)]
        self._limits = limits
        self._encode = encode
        self._ids = new_ids
        self._clock = clock
        self._telemetry = telemetry
        self._committed = committed
        self._draining = False

    async def submit(self, directory_id: str, command: Command, *, request_id: str, size: int = 0) -> Outcome:
        """The command's answer, after its commit. Raises the command's own error, or OverloadedError at once."""
        if self._draining:
            raise DrainingError("the server is going away; try another or try again")
        lane = self._lanes[zlib.crc32(directory_id.encode()) % len(self._lanes)]
        if len(lane.queue) >= self._limits.queue_commands:
            raise OverloadedError("too many writes are waiting; try again in a second")
        pending = Pending(directory_id, command, request_id, size, asyncio.get_running_loop().create_future())
        lane.queue.append(pending)
        self._telemetry.queued.inc()
        lane.arrived.set()
        return await pending.answer

    async def run(self) -> None:
        """Serve the lanes until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes:
                tasks.create_task(self._serve(lane))

    async def drain(self) -> None:
        """Take nothing new and wait until what was taken is answered."""
        self._draining = True
        waiting = [pending.answer for lane in self._lanes for pending in lane.queue]
        if waiting:
            await asyncio.wait(waiting)

    async def _serve(self, lane: _Lane) -> None:
        try:
            while True:
                await lane.arrived.wait()
                taken = self._take(lane)
                if not taken:
                    lane.arrived.clear()
                    continue
                await self._settle(lane, taken)
                for _ in taken:
                    lane.queue.popleft()
                self._telemetry.queued.dec(len(taken))
        finally:
            if lane.connection is not None:
                lane.connection.terminate()

    def _take(self, lane: _Lane) -> list[Pending]:
        """The next batch. It stays in the queue until it is answered, so that a drain waits for it."""
        taken: list[Pending] = []
        size = 0
        for pending in lane.queue:
            size += pending.size
            if taken and (len(taken) >= self._limits.batch_commands or size > self._limits.batch_bytes):
                break
            taken.append(pending)
        return taken

    async def _settle(self, lane: _Lane, taken: Sequence[Pending]) -> None:
        """Answer every command of the batch, one way or the other."""
        try:
            await self._attempt(lane, taken)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if isinstance(error, (*BROKEN, CommitUnknown)) or len(taken) == 1:
                answer = error if len(taken) == 1 and not isinstance(error, (*BROKEN, CommitUnknown)) else None
                _fail(taken, answer or StorageUnavailableError("the database cannot be reached"))
                return
            # One poisonous command must not fail its neighbours: each goes alone.
            for pending in taken:
                await self._settle(lane, [pending])

    async def _attempt(self, lane: _Lane, taken: Sequence[Pending]) -> None:
        """Commit the batch, again if that failed in a way that may pass."""
        for attempt in range(1, _ATTEMPTS + 1):
            batch = Batch([pending for pending in taken if not pending.answer.done()])
            if not batch.pending:
                return
            try:
                await self._commit(lane, batch)
            except (*BROKEN, CommitUnknown, asyncpg.PostgresError) as error:
                self._telemetry.commit_retried(error)
                unknown = isinstance(error, CommitUnknown)
                await self._drop(lane)
                if unknown and await self._went_through(lane, batch):
                    self._answer(batch)
                    return
                if attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(0.05 * 4 ** (attempt - 1))
            else:
                return

    async def _commit(self, lane: _Lane, batch: Batch) -> None:
        started = time.monotonic()
        connection = await self._connected(lane)
        transaction = connection.transaction()
        await transaction.start()
        try:
            await run_batch(connection, batch, self._clock, self._ids, self._encode)
        except BaseException:
            with contextlib.suppress(*BROKEN, asyncpg.PostgresError):
                await transaction.rollback()
            raise
        if batch.wrote:
            try:
                await transaction.commit()
            except (*BROKEN, asyncpg.PostgresError) as error:
                raise CommitUnknown from error
            self._telemetry.committed(len(batch.pending), len(batch.events), time.monotonic() - started)
        else:
            await transaction.rollback()  # nothing was written, so nothing needs a flush
        self._answer(batch)

    def _answer(self, batch: Batch) -> None:
        for pending, result in zip(batch.pending, batch.results, strict=True):
            if pending.answer.done():
                continue
            if isinstance(result, Outcome):
                pending.answer.set_result(result)
            else:
                pending.answer.set_exception(result)
        if batch.events:
            self._committed()

    async def _went_through(self, lane: _Lane, batch: Batch) -> bool:
        """After a lost answer: wait for the old transaction to end, then look whether its last event is there."""
        if not batch.events:
            return False  # what it wrote is written the same way again
        last = batch.events[-1]
        try:
            connection = await self._connected(lane)
            async with connection.transaction():
                await events.lock_head(connection, last.directory_id)
                return await batches.event_at(connection, last.directory_id, last.seq) == last.id
        except (*BROKEN, asyncpg.PostgresError) as error:
            await self._drop(lane)
            raise CommitUnknown from error

    async def _connected(self, lane: _Lane) -> Connection:
        if lane.connection is None or lane.connection.is_closed():
            lane.connection = await self._connect()
        return lane.connection

    async def _drop(self, lane: _Lane) -> None:
        if lane.connection is not None:
            lane.connection.terminate()
            lane.connection = None


def _fail(taken: Sequence[Pending], error: Exception) -> None:
    for pending in taken:
        if not pending.answer.done():
            pending.answer.set_exception(error)
