"""A named subscription: the service remembers how far its reader came. It survives every break and loses nothing."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from inspect import isawaitable
from typing import Self

import grpc
from google.protobuf import duration_pb2

from directorysync import errors
from directorysync.v1 import directory_sync_pb2_grpc
from directorysync.v1 import subscriptions_pb2 as pb
from directorysync.v1.events_pb2 import Event
from directorysync.watch import Backoff, jittered

_log = logging.getLogger("directorysync.subscription")

# One call waits so long for another reader to leave; then it asks again, so that a dead connection is noticed.
_WAIT_SECONDS = 60.0
# How long the end of a reading waits for its last acknowledgements to be kept.
_FAREWELL_SECONDS = 5.0
_LONGEST_REASON = 1_000


@dataclass(frozen=True, slots=True)
class SubscriptionSettings:
    """How to read. Times in seconds, sizes in events; see `Client.subscribe`."""

    name: str
    consumer: str = ""
    credit: int = 0
    max_batch_size: int = 0
    takeover: bool = False
    wait: float | None = None
    bookmark_interval: float = 15.0
    give_up_after: float | None = None
    metadata: Sequence[tuple[str, str]] = ()

    def begin(self, *, takeover: bool, wait: float) -> pb.SubscribeBegin:
        """The first message of a call."""
        return pb.SubscribeBegin(
            subscription=self.name,
            consumer=self.consumer or f"{socket.gethostname()}:{os.getpid()}",
            credit=self.credit,
            max_batch_size=self.max_batch_size,
            takeover=takeover,
            wait=_duration(wait),
            bookmark_interval=_duration(self.bookmark_interval),
        )


class SubscriptionBatch:
    """Events in order, all of whole commands. `redelivery_count`: how often they were sent before. Empty when there is
    only to tell that nothing newer waits.
    """

    __slots__ = ("_call", "_turn", "caught_up", "cursor", "events", "redelivery_count")

    def __init__(
        self, call: "_Call", events: tuple[Event, ...], message: pb.SubscribeResponse, redelivered: int
    ) -> None:
        self._call = call
        self._turn = call.turn
        self.events = events
        self.cursor = message.cursor
        self.caught_up = message.caught_up
        self.redelivery_count = redelivered

    def ack(self) -> None:
        """Done with this batch and all before it. Call it when their effects are stored. Of a batch that came before a
        break or a `nack` it says nothing: that one comes again.
        """
        self._call.ack(self.cursor, self._turn)

    def nack(self, reason: str = "", delay: float = 0.0) -> None:
        """Not done: it and everything behind it that is not acknowledged comes again after `delay` seconds (at most
        3,600). `reason` is shown to operators; no personal data belongs in it.
        """
        self._call.nack(reason[:_LONGEST_REASON], delay, self._turn)


Handler = Callable[[SubscriptionBatch], Awaitable[None] | None]


class Subscription:
    """One logical reading over as many calls as it takes: an async iterator of batches, or `run` with a handler."""

    def __init__(self, stub: directory_sync_pb2_grpc.DirectorySyncStub, settings: SubscriptionSettings) -> None:
        self._stub = stub
        self._settings = settings
        self._retry = Backoff(settings.give_up_after)
        self._takeover = settings.takeover
        self._iterator: AsyncGenerator[SubscriptionBatch] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SubscriptionBatch:
        if self._iterator is None:
            self._iterator = self.batches()
        return await anext(self._iterator)

    async def aclose(self) -> None:
        """Ends the reading and gives the subscription back, with everything acknowledged kept."""
        if self._iterator is not None:
            await self._iterator.aclose()
            self._iterator = None

    async def run(self, handler: Handler) -> None:
        """Hands each batch to `handler` and acknowledges it when that returns. Runs until it is cancelled or fails.

        An error of the handler loses nothing: the batch comes again, after growing pauses of at most 5 s, and the class
        of the error is shown to operators.
        """
        failures = 0
        async with aclosing(self.batches()) as batches:
            async for batch in batches:
                try:
                    result = handler(batch)
                    if isawaitable(result):
                        await result
                except Exception as error:
                    delay = jittered(failures)
                    failures += 1
                    _log.warning("the handler failed (%s), again in %.2f s", type(error).__name__, delay)
                    batch.nack(type(error).__name__, delay)
                else:
                    failures = 0
                    batch.ack()

    async def batches(self) -> AsyncGenerator[SubscriptionBatch]:
        """Never ends by itself. Raises the typed error once another try cannot help."""
        patience = _Patience(self._settings.wait)
        while True:
            call = _Call(self._stub, self._settings, takeover=self._takeover, wait=patience.next_wait())
            try:
                async with aclosing(call.batches(self._connected)) as batches:
                    async for batch in batches:
                        patience.begin_anew()
                        yield batch
                reason: Exception | None = None
            except grpc.aio.AioRpcError as error:
                reason = errors.from_rpc_error(error)
            except _Silence as error:
                reason = error
            if isinstance(reason, errors.SubscriptionHeld) and not patience.over():
                _log.info("%s, waiting", reason)
                await asyncio.sleep(jittered(0))
            else:
                await self._retry.pause(reason)

    def _connected(self, *, progress: bool) -> None:
        # Taking over is for the beginning: two that take over from each other at each break would never rest.
        self._takeover = False
        self._retry.connected(progress=progress)


class _Silence(Exception):
    """No message for too long."""


class _Patience:
    """How long to wait for another reader to leave: for ever without a `limit`."""

    def __init__(self, limit: float | None) -> None:
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()

    def begin_anew(self) -> None:
        """It was our turn."""
        self._since = self._loop.time()

    def over(self) -> bool:
        """Whether there is no waiting any more."""
        return self._limit is not None and self._loop.time() - self._since >= self._limit

    def next_wait(self) -> float:
        """Seconds that the next call may wait."""
        left = _WAIT_SECONDS if self._limit is None else self._limit - (self._loop.time() - self._since)
        return min(max(left, 0.0), _WAIT_SECONDS)


class _Call:
    """One call of Subscribe."""

    def __init__(
        self,
        stub: directory_sync_pb2_grpc.DirectorySyncStub,
        settings: SubscriptionSettings,
        *,
        takeover: bool,
        wait: float,
    ) -> None:
        self._stub = stub
        self._settings = settings
        self._wait = wait
        self._requests: asyncio.Queue[pb.SubscribeRequest | None] = asyncio.Queue()
        self._requests.put_nowait(pb.SubscribeRequest(begin=settings.begin(takeover=takeover, wait=wait)))
        self._over = False
        # Cursor of the last batch handed out and not acknowledged, and of a bookmark behind it.
        self._open = ""
        self._bookmark = ""
        self._stale = False
        # How often the service began to send. What came before cannot be acknowledged any more.
        self.turn = 0
        self._told_caught_up = False

    def ack(self, cursor: str, turn: int) -> None:
        """Done up to there; with everything done, a bookmark behind it says more."""
        if self._over or self._stale or turn != self.turn:
            return
        if cursor == self._open:
            cursor, self._open, self._bookmark = self._bookmark or cursor, "", ""
        self._requests.put_nowait(pb.SubscribeRequest(ack=pb.SubscribeAck(cursor=cursor)))

    def nack(self, reason: str, delay: float, turn: int) -> None:
        """What is under way before the service has heard of it is of no use any more."""
        if self._over or self._stale or turn != self.turn:
            return
        self._stale = True
        nack = pb.SubscribeNack(reason=reason, delay=_duration(delay))
        self._requests.put_nowait(pb.SubscribeRequest(nack=nack))

    async def batches(self, connected: Callable[..., None]) -> AsyncGenerator[SubscriptionBatch]:
        """Until the call ends."""
        call = self._stub.Subscribe(self._said(), metadata=self._settings.metadata)
        messages = aiter(call)
        parts: list[Event] = []
        patience = self._wait + 3 * self._settings.bookmark_interval
        ended = False
        redelivered = 0
        try:
            while (message := await _next(messages, patience)) is not None:
                connected(progress=not message.started)
                patience = 3 * self._settings.bookmark_interval
                if message.started:
                    self._stale, self._open, self._bookmark = False, "", ""
                    self.turn += 1
                    parts.clear()
                if self._stale:
                    continue
                redelivered = max(redelivered, message.redelivery_count) if parts else message.redelivery_count
                parts.extend(message.events)
                if message.continues:
                    continue
                if parts or self._tells(message):
                    self._open, self._bookmark = message.cursor, ""
                    self._told_caught_up = message.caught_up
                    yield SubscriptionBatch(self, tuple(parts), message, redelivered)
                    parts.clear()
                elif not message.started:
                    self._note(message.cursor)
            ended = True
        except grpc.aio.AioRpcError:
            ended = True
            raise
        finally:
            self._over = True
            await self._end(call, messages, ended=ended)

    def _tells(self, message: pb.SubscribeResponse) -> bool:
        """Whether a message without events is worth handing out."""
        return message.caught_up and not self._told_caught_up and not self._open

    def _note(self, cursor: str) -> None:
        """A bookmark: done at once, unless a batch before it is not."""
        if self._open:
            self._bookmark = cursor
        else:
            self._requests.put_nowait(pb.SubscribeRequest(ack=pb.SubscribeAck(cursor=cursor)))

    async def _said(self) -> AsyncIterator[pb.SubscribeRequest]:
        while (request := await self._requests.get()) is not None:
            yield request

    async def _end(self, call: object, messages: AsyncIterator[pb.SubscribeResponse], *, ended: bool) -> None:
        """Say what is left to say, wait until it was heard, and hang up."""
        self._requests.put_nowait(None)
        try:
            if not ended:
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    async for _ in messages:
                        pass
        except (grpc.aio.AioRpcError, TimeoutError):
            pass
        finally:
            if isinstance(call, grpc.aio.Call):
                call.cancel()
            elif isinstance(messages, AsyncGenerator):
                await messages.aclose()


async def _next(messages: AsyncIterator[pb.SubscribeResponse], patience: float) -> pb.SubscribeResponse | None:
    try:
        async with asyncio.timeout(patience):
            return await anext(messages, None)
    except TimeoutError:
        raise _Silence(f"no message for {patience:g} s") from None


def _duration(seconds: float) -> duration_pb2.Duration:
    duration = duration_pb2.Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    return duration
