"""Reading a subscription: take the lease, send within the credit, and move the cursor as the reader says."""

import asyncio
import math
import random
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from service.app.feed import Feed
from service.app.sealed import Sealed
from service.app.subscription_leases import Held, Leases
from service.app.tail_batches import Batch
from service.app.tail_scope import EventFilter, Scope, scope_within
from service.app.tail_start import expired_behind, locate
from service.app.tail_stream import Guard, Stream
from service.domain.caller import Caller, not_found
from service.domain.caller import Scope as Grant
from service.domain.cursor import FeedCursor, decode, feed_cursor
from service.domain.errors import (
    ConsumerTooSlowError,
    CursorDivergedError,
    CursorExpiredError,
    CursorInvalidError,
    LimitExceededError,
    SubscriptionHeldError,
)
from service.domain.subscription import Bounds, Subscription, Window
from service.storage import subscriptions as table
from service.storage.database import Pool

# How often those of a process that wait look whether the lease is free, and one without credit whether it has to end.
_LOOK_SECONDS = 0.5
_LONGEST_LOOK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Begin:
    """Whose turn it is to read, and how. Times in seconds, sizes in events."""

    subscription: str
    consumer: str
    credit: int
    batch: int
    takeover: bool
    wait: float
    interval: float


@dataclass(frozen=True, slots=True)
class Ack:
    """Everything up to the cursor is done."""

    cursor: str


@dataclass(frozen=True, slots=True)
class Nack:
    """Everything behind the last acknowledged cursor comes again after `delay` seconds."""

    delay: float
    reason: str


@dataclass(frozen=True, slots=True)
class Credit:
    """So many more events may be outstanding."""

    events: int


Control = Ack | Nack | Credit


@dataclass(frozen=True, slots=True)
class Marks:
    """What a message says besides its events and its cursor."""

    lease_epoch: int
    caught_up: bool = False
    started: bool = False
    continues: bool = False
    redelivered: int = 0


class SubscriptionWire(Protocol):
    """How a message is made."""

    def message(self, body: bytes, cursor: str, marks: Marks) -> Sealed:
        """A message from frames and what goes with them."""


class Readers:
    """Every Subscribe of the process."""

    def __init__(self, feed: Feed, pool: Pool, leases: Leases, wire: SubscriptionWire) -> None:
        self.feed = feed
        self.pool = pool
        self.leases = leases
        self.wire = wire
        # How many wait for each subscription.
        self._waiting: Counter[str] = Counter()

    async def read(self, caller: Caller, begin: Begin, controls: AsyncIterator[Control]) -> AsyncGenerator[Sealed]:
        """Messages until the controls end, or an error."""
        found = await self._find(caller, begin.subscription)
        guard = self.feed.guard(caller)
        leased = await self._take(found, begin, guard)
        session = _Session(self, guard, leased, begin)
        async with aclosing(session.messages(controls)) as messages:
            async for message in messages:
                yield message

    async def _find(self, caller: Caller, id_or_name: str) -> Subscription:
        kinds = {table.WEBHOOK} if Grant.DELIVER in caller.scopes else set()
        if Grant.WATCH in caller.scopes or Grant.ADMIN in caller.scopes:
            kinds.add(table.NAMED)
        if not kinds:
            caller.require(Grant.WATCH)
        found = await table.find(self.pool, id_or_name)
        if found is None or found[0].kind not in kinds or not Bounds.of(caller).holds(found[1]):
            raise not_found("Subscription", id_or_name)
        return found[0]

    async def _take(self, found: Subscription, begin: Begin, guard: Guard) -> Subscription:
        self._waiting[found.id] += 1
        try:
            return await self._wait(found, begin, guard)
        finally:
            self._waiting[found.id] -= 1
            if not self._waiting[found.id]:
                del self._waiting[found.id]

    async def _wait(self, found: Subscription, begin: Begin, guard: Guard) -> Subscription:
        loop = asyncio.get_running_loop()
        until = loop.time() + begin.wait
        while True:
            await guard.check()
            leased = await self._acquire(found, begin)
            if leased is not None:
                return leased
            holder = await table.holder(self.pool, found.id)
            if holder is None:
                raise not_found("Subscription", begin.subscription)
            consumer, remaining = holder
            if loop.time() >= until:
                held = SubscriptionHeldError(f"{consumer!r} reads this subscription", consumer=consumer)
                held.retry_after_seconds = max(1, math.ceil(remaining.total_seconds()))
                raise held
            # Many that wait ask no more often than one: each has its turn to look.
            pause = min(self._waiting[found.id] * _LOOK_SECONDS, _LONGEST_LOOK_SECONDS)
            pause *= random.uniform(0.5, 1)  # noqa: S311 (spreads those who wait)
            again = min(until, loop.time() + pause)
            while (left := again - loop.time()) > 0:
                await guard.check()
                await asyncio.sleep(min(left, _LOOK_SECONDS))

    async def _acquire(self, found: Subscription, begin: Begin) -> Subscription | None:
        taking = asyncio.ensure_future(
            table.acquire(self.pool, found.id, begin.consumer, self.leases.duration, takeover=begin.takeover)
        )
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            # It may have been taken all the same, for a reader that is no more.
            leased = await taking
            if leased is not None:
                held = Held(leased, Window(leased.place, credit=1), lambda: None, saves=False)
                self.leases.hold(held)
                await self.leases.release(held)
            raise


class _Session:
    """One reader with its lease."""

    def __init__(self, readers: Readers, guard: Guard, leased: Subscription, begin: Begin) -> None:
        self._feed = readers.feed
        self._pool = readers.pool
        self._leases = readers.leases
        self._wire = readers.wire
        self._guard = guard
        self._begin = begin
        self._scope: Scope = scope_within(
            leased.bounds.organization_ids,
            leased.bounds.directory_ids,
            EventFilter(leased.directory_ids, leased.organization_ids, leased.types),
        )
        self._window = Window(
            leased.place, credit=begin.credit, sent_before=leased.sent_place, redelivered=leased.redelivery_count
        )
        self._changed = asyncio.Event()
        self._held = Held(leased, self._window, self._changed.set, saves=leased.kind == table.NAMED)
        self._nack: Nack | None = None
        self._left = False
        self._loop = asyncio.get_running_loop()
        self._silent_since = self._loop.time()
        self._epoch = ""
        self._leases.hold(self._held)

    async def messages(self, controls: AsyncIterator[Control]) -> AsyncGenerator[Sealed]:
        """Until the controls end, or an error."""
        listening = asyncio.create_task(self._listen(controls))
        try:
            while not self._left:
                async with aclosing(self._run()) as run:
                    async for message in run:
                        yield message
                async with aclosing(self._pause()) as pause:
                    async for message in pause:
                        yield message
        except CursorExpiredError:
            expired = await expired_behind(self._pool, None)
            self._held.error = expired.detail
            raise expired from None
        except (CursorDivergedError, ConsumerTooSlowError, LimitExceededError) as error:
            self._held.error = error.detail
            raise
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await self._leases.release(self._held)

    async def _listen(self, controls: AsyncIterator[Control]) -> None:
        try:
            async for control in controls:
                match control:
                    case Ack():
                        self._acknowledge(control.cursor)
                    case Nack():
                        self._nack = control
                        self._held.error = control.reason or self._held.error
                        self._window.rewind()
                        self._leases.changed(self._held)
                    case Credit():
                        self._window.open(control.events)
                self._changed.set()
        except Exception as error:
            self._held.end(error)
        finally:
            self._left = True
            self._changed.set()

    def _acknowledge(self, token: str) -> None:
        cursor = decode(token)
        if not isinstance(cursor, FeedCursor) or cursor.epoch != self._epoch:
            raise CursorInvalidError("the cursor is not one that this stream gave")
        before = self._window.acked
        events = self._window.acknowledge(cursor.position)
        if self._window.acked > before:
            self._held.cursor = token
            self._leases.changed(self._held, events)

    async def _run(self) -> AsyncGenerator[Sealed]:
        """Messages from the last acknowledged place on, until a nack or the end of the controls."""
        at = await locate(self._pool, self._scope, self._held.cursor)
        self._epoch = at.epoch
        limit = min(self._begin.batch, self._begin.credit)
        with self._feed.follow(self._guard, self._scope, at, limit=limit, interval=self._begin.interval) as stream:
            yield self._plain(started=True, caught_up=at.place >= at.newest)
            async with aclosing(self._steps(stream)) as steps:
                async for message in steps:
                    yield message

    async def _steps(self, stream: Stream) -> AsyncGenerator[Sealed]:
        step: asyncio.Task[Batch | None] | None = None
        try:
            while not self._interrupted():
                if step is None:
                    step = asyncio.create_task(stream.step())
                    step.add_done_callback(lambda _: self._changed.set())
                elif not step.done():
                    self._changed.clear()
                    await self._changed.wait()
                elif self._fits(step.result()):
                    batch, step = step.result(), None
                    yield self._message(stream, batch)
                else:
                    await self._look()
                    await stream.check()
                    if self._silent():
                        yield self._plain()
        finally:
            if step is not None:
                step.cancel()
                await asyncio.gather(step, return_exceptions=True)

    async def _pause(self) -> AsyncGenerator[Sealed]:
        """The time that a nack asked for."""
        if self._nack is None or self._left:
            return
        until = self._loop.time() + self._nack.delay
        self._nack = None
        while not self._interrupted() and self._loop.time() < until:
            await self._guard.check()
            await self._look(until - self._loop.time())
            if self._silent():
                yield self._plain()

    def _interrupted(self) -> bool:
        if self._held.over is not None:
            raise self._held.over
        return self._left or self._nack is not None

    def _fits(self, batch: Batch | None) -> bool:
        return batch is None or self._window.fits(batch.count)

    async def _look(self, longest: float = _LOOK_SECONDS) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(min(longest, _LOOK_SECONDS)):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _silent(self) -> bool:
        return self._loop.time() - self._silent_since >= self._begin.interval

    def _message(self, stream: Stream, batch: Batch | None) -> Sealed:
        caught_up = stream.sent(batch)
        self._silent_since = self._loop.time()
        if batch is None:
            self._window.bookmark(stream.cursor)
            return self._seal(b"", stream.cursor, Marks(self._held.lease[1], caught_up=caught_up))
        redelivered = self._window.redelivered(batch.first)
        self._window.send(batch.count, batch.end, continues=batch.continues)
        self._leases.changed(self._held)
        marks = Marks(self._held.lease[1], caught_up, continues=batch.continues, redelivered=redelivered)
        return self._seal(batch.body, batch.end, marks)

    def _plain(self, *, started: bool = False, caught_up: bool = False) -> Sealed:
        """A message without events and without news: it repeats what was acknowledged, but inside a command."""
        self._silent_since = self._loop.time()
        redelivered, inside = self._window.redelivered(self._window.acked + 1), self._window.inside
        marks = Marks(self._held.lease[1], caught_up, started, continues=inside, redelivered=redelivered)
        return self._wire.message(b"", "" if inside else self._held.cursor, marks)

    def _seal(self, body: bytes, place: int, marks: Marks) -> Sealed:
        return self._wire.message(body, "" if marks.continues else feed_cursor(self._epoch, place), marks)
