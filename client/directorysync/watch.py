"""A watch that survives every break: it resumes behind the last whole command that it delivered."""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from inspect import isawaitable
from typing import Literal, Self

import grpc
from google.protobuf import duration_pb2

from directorysync import errors
from directorysync.cursors import CursorStore
from directorysync.v1 import directory_sync_pb2 as sync_pb2
from directorysync.v1 import directory_sync_pb2_grpc, events_pb2

_log = logging.getLogger("directorysync.watch")

FIRST_DELAY = 0.1
LONGEST_DELAY = 5.0
LONGEST_ASKED_DELAY = 30.0
FAULTS_TOLERATED = 5

LOST = (errors.CursorExpired, errors.CursorDiverged)

_TRANSIENT_CODES = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
}
_TRANSIENT_REASONS = {"CONSUMER_TOO_SLOW", "OVERLOADED"}
# A reset connection arrives as INTERNAL, a proxy's answer as UNKNOWN. So does a fault of the service that will come
# back each time, so these are not tried for ever.
_DOUBTFUL_CODES = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events in order, all of whole commands. Store `cursor` together with what the events did, and start there next
    time. `events` is empty when there is only a newer cursor to tell.

    A batch with `snapshot` is a part of one consistent state instead. `reset` marks its first part, also when a
    snapshot that was cut begins anew: forget the parts that came before. With `snapshot.complete` the state is whole
    and takes the place of what the reader had; until then `cursor` is empty.
    """

    events: tuple[events_pb2.Event, ...]
    cursor: str
    caught_up: bool
    snapshot: sync_pb2.SnapshotPart | None = None
    reset: bool = False


OnExpired = Literal["raise", "snapshot"]
Handler = Callable[[EventBatch], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """How to watch. Times in seconds; `give_up_after` is how long to go without a connection, None for ever. `metadata`
    carries the credential where the channel does not.
    """

    filter: events_pb2.EventFilter | None = None
    max_batch_size: int = 0
    bookmark_interval: float = 15.0
    give_up_after: float | None = None
    metadata: Sequence[tuple[str, str]] = ()
    on_expired: OnExpired = "raise"
    snapshot: sync_pb2.WatchStart.Snapshot | None = None

    @property
    def longest_silence(self) -> float:
        """A stream that is silent for longer is dead, whatever the network says."""
        return 3 * self.bookmark_interval


class _Silence(Exception):
    """No message within `longest_silence`."""


class Watch:
    """One logical stream over as many calls as it takes: an async iterator of batches, or `run` with a handler."""

    def __init__(
        self,
        stub: directory_sync_pb2_grpc.DirectorySyncStub,
        start: sync_pb2.WatchStart | None,
        settings: WatchSettings,
    ) -> None:
        self._stub = stub
        self._settings = settings
        self._start = start
        self._cursor: str | None = None
        self._retry = Backoff(settings.give_up_after)
        self._iterator: AsyncGenerator[EventBatch] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> EventBatch:
        if self._iterator is None:
            self._iterator = self.batches()
        return await anext(self._iterator)

    async def aclose(self) -> None:
        """Ends the stream. A watch that is dropped ends by itself, but later."""
        if self._iterator is not None:
            await self._iterator.aclose()
            self._iterator = None

    async def run(self, handler: Handler, cursors: CursorStore | None = None, *, retry: bool = False) -> None:
        """Hands each batch to `handler`, then saves its cursor. Begins behind the cursor in `cursors`, or where the
        watch begins. Runs until it is cancelled or fails.

        An error of the handler ends it, with the cursor still ahead of the batch that was not handled: the next `run`,
        of this program or the next one, is given that batch again. With `retry` the handler is tried again instead,
        after growing pauses of at most 5 s.
        """
        saved = None if cursors is None else await cursors.load()
        if saved is not None:
            self._start, self._cursor = sync_pb2.WatchStart(cursor=saved), None
        handled = self._cursor
        try:
            async with aclosing(self.batches()) as batches:
                async for batch in batches:
                    if batch.snapshot is not None:
                        handled = None
                    elif not batch.events:
                        handled = batch.cursor
                    await _handle(handler, batch, retry=retry)
                    handled = batch.cursor or None
                    if cursors is not None and handled is not None and handled != saved:
                        await cursors.save(handled)
                        saved = handled
        finally:
            self._cursor = handled

    async def batches(self) -> AsyncGenerator[EventBatch]:
        """Never ends by itself. Raises the typed error once resuming cannot help."""
        while True:
            try:
                async with aclosing(self._one_call()) as batches:
                    async for batch in batches:
                        yield batch
                reason: Exception | None = None
            except grpc.aio.AioRpcError as error:
                reason = errors.from_rpc_error(error)
            except _Silence as error:
                reason = error
            await self._retry.pause(None if self._renewed(reason) else reason)

    def _renewed(self, reason: Exception | None) -> bool:
        """Whether the events behind the cursor are gone, and a snapshot takes their place."""
        if self._settings.on_expired != "snapshot" or not isinstance(reason, LOST):
            return False
        _log.warning("events are gone (%s), starting anew with a snapshot", reason)
        self._cursor = None
        self._start = sync_pb2.WatchStart(snapshot=self._settings.snapshot or sync_pb2.WatchStart.Snapshot())
        return True

    async def _one_call(self) -> AsyncGenerator[EventBatch]:
        call = self._stub.WatchEvents(self._request(), metadata=self._settings.metadata)
        messages = aiter(call)
        parts: list[events_pb2.Event] = []
        whole = False
        try:
            while (message := await self._next(messages)) is not None:
                self._retry.connected(progress=not message.started)
                if message.HasField("snapshot"):
                    self._cursor = message.cursor if message.snapshot.complete else None
                    yield EventBatch((), self._cursor or "", message.caught_up, message.snapshot, reset=not whole)
                    whole = True
                    continue
                parts.extend(message.events)
                if message.continues:
                    continue
                resumed = message.started and self._cursor is not None
                if parts or not resumed or message.caught_up:
                    self._cursor = message.cursor
                    yield EventBatch(tuple(parts), message.cursor, message.caught_up)
                parts.clear()
        finally:
            await _end(call, messages)

    async def _next(self, messages: AsyncIterator[sync_pb2.WatchEventsResponse]) -> sync_pb2.WatchEventsResponse | None:
        try:
            async with asyncio.timeout(self._settings.longest_silence):
                return await anext(messages, None)
        except TimeoutError:
            raise _Silence(f"no message for {self._settings.longest_silence:g} s") from None

    def _request(self) -> sync_pb2.WatchEventsRequest:
        start = self._start if self._cursor is None else sync_pb2.WatchStart(cursor=self._cursor)
        interval = duration_pb2.Duration()
        interval.FromTimedelta(timedelta(seconds=self._settings.bookmark_interval))
        return sync_pb2.WatchEventsRequest(
            filter=self._settings.filter,
            start=start,
            max_batch_size=self._settings.max_batch_size,
            bookmark_interval=interval,
        )


async def _end(call: object, messages: object) -> None:
    """A network call is cancelled; one inside the process is a plain generator, which is closed."""
    if isinstance(call, grpc.aio.Call):
        call.cancel()
    elif isinstance(messages, AsyncGenerator):
        await messages.aclose()


async def _handle(handler: Handler, batch: EventBatch, *, retry: bool) -> None:
    """Once, or until it passes. What was wrong is named without the data that it was about."""
    failures = 0
    while True:
        try:
            result = handler(batch)
            if isawaitable(result):
                await result
        except Exception as error:
            if not retry:
                raise
            delay = jittered(failures)
            failures += 1
            _log.warning("the handler failed (%s), again in %.2f s", type(error).__name__, delay)
            await asyncio.sleep(delay)
        else:
            return


def jittered(failures: int) -> float:
    """Full jitter: between 0 and a ceiling that doubles from 0.1 s to 5 s."""
    return random.uniform(0, min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(failures, 16)))  # noqa: S311


class Backoff:
    """When a stream is tried again, and when it is given up."""

    def __init__(self, give_up_after: float | None) -> None:
        self._give_up_after = give_up_after
        self._failures = 0
        self._faults = 0
        self._last_connected = asyncio.get_running_loop().time()

    def connected(self, *, progress: bool) -> None:
        """A message arrived. Only `progress` forgets the failures: a server that greets and falls over is not well."""
        self._last_connected = asyncio.get_running_loop().time()
        if progress:
            self._failures = self._faults = 0

    async def pause(self, reason: Exception | None) -> None:
        """Waits, or raises `reason` when another try cannot help."""
        if isinstance(reason, errors.DirectorySyncError):
            self._judge(reason)
        delay = jittered(self._failures)
        if isinstance(reason, errors.DirectorySyncError) and reason.retry_after:
            delay += min(reason.retry_after, LONGEST_ASKED_DELAY)
        self._failures += 1
        _log.info("watch broke (%s), resuming in %.2f s", reason or "the server ended it", delay)
        await asyncio.sleep(delay)

    def _judge(self, error: errors.DirectorySyncError) -> None:
        if error.code in _DOUBTFUL_CODES:
            self._faults += 1
            if self._faults > FAULTS_TOLERATED:
                raise error
        elif error.code not in _TRANSIENT_CODES and error.reason not in _TRANSIENT_REASONS:
            raise error
        silent_for = asyncio.get_running_loop().time() - self._last_connected
        if self._give_up_after is not None and silent_for > self._give_up_after:
            raise error
