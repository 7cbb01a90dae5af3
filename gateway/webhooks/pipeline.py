"""The deliveries of one endpoint: in order within a directory, several directories at once, one while it is down.

A directory whose event fails becomes a lane: its later events are left in the log, and are read from there when the
event has arrived or its schedule has ended. So what is held in memory is bounded by the subscription's credit.
"""

import asyncio
import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gateway.webhooks.attempts import FAILED, RETRYING, SUCCEEDED, Attempted, Attempts, Endpoint, Tries
from gateway.webhooks.clock import Clock
from gateway.webhooks.health import Health
from gateway.webhooks.lane import Lane
from gateway.webhooks.log import Entry, Service
from gateway.webhooks.metrics import WebhookMetrics
from gateway.webhooks.recorder import Recorder
from gateway.webhooks.schedule import DAY, next_delay, retry_after_seconds

_MOST_PROBED: Final = 256
"""Lanes of an endpoint that is down; with so many, no more directories are tried."""
_RECOVERY_SECONDS: Final = 30.0
"""Within this time all lanes are tried once an endpoint is up again."""
_LANE_SECONDS: Final = 0.25
"""So much of it for each, so that a few do not wait for long and many do not come at once."""


@dataclass(slots=True, eq=False)
class _Batch:
    """Events of one message of the subscription: behind `before`, up to `cursor` (empty: its command goes on)."""

    before: str
    cursor: str
    left: int
    settled: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Item:
    entry: Entry
    batch: _Batch


@dataclass(frozen=True, slots=True)
class Parts:
    """What pipelines share."""

    service: Service
    attempts: Attempts
    metrics: WebhookMetrics
    clock: Clock
    chance: Callable[[], float]
    disable_seconds: float


class Pipeline:
    """Of one endpoint under one lease. `run()` must be running."""

    def __init__(
        self, endpoint: Endpoint, lanes: Sequence[Lane], health: Health, recorder: Recorder, parts: Parts
    ) -> None:
        self.endpoint = endpoint
        self.health = health
        self._recorder = recorder
        self._parts = parts
        self._lanes = {lane.directory_id: lane for lane in lanes}
        self._queues: dict[str, deque[_Item]] = {}
        self._ready: deque[str] = deque()
        self._passed: dict[str, int] = {}
        """Numbers up to which lanes went that ended while the subscription was behind them."""
        self._batches: deque[_Batch] = deque()
        self._due: list[tuple[float, int, Lane]] = []
        self._order = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._broken: BaseException | None = None
        self._lane_next = False
        self.stopped = False
        self._sleeping = {lane for lane in lanes if lane.sleeps}
        for lane in lanes:
            self._plan(lane)

    @property
    def waiting(self) -> int:
        """Directories that wait for an event that fails."""
        return len(self._lanes)

    def offer(
        self, entries: Sequence[Entry], before: str, cursor: str, *, caught_up: bool, settled: Callable[[], None]
    ) -> None:
        """A message of the subscription. `settled` is called when its events are done."""
        batch = _Batch(before, cursor, len(entries), settled)
        self._batches.append(batch)
        for entry in entries:
            self._queue(_Item(entry, batch))
        if caught_up:
            self._passed.clear()
        self._settle()
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled. Raises what makes going on impossible."""
        clock, metrics = self._parts.clock, self._parts.metrics
        metrics.lanes.inc(len(self._lanes))
        metrics.down.inc(self.health.down)
        try:
            while True:
                self._wake.clear()
                if self._broken is not None:
                    raise self._broken
                self._start(clock.now())
                await clock.wait(self._wake, self._next_time(clock.now()))
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            metrics.lanes.dec(len(self._lanes))
            metrics.down.dec(self.health.down)

    def wake(self) -> None:
        """Something changed."""
        self._wake.set()

    def stop(self) -> None:
        """Start nothing more."""
        self.stopped = True

    async def idle(self) -> None:
        """Until no request runs."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _queue(self, item: _Item) -> None:
        event = item.entry.event
        lane = self._lanes.get(event.directory_id)
        if lane is not None:
            lane.seen = max(lane.seen, event.directory_sequence)
            item.batch.left -= 1
        elif event.directory_sequence <= self._passed.get(event.directory_id, 0):
            item.batch.left -= 1
        elif (queue := self._queues.get(event.directory_id)) is not None:
            queue.append(item)
        else:
            self._queues[event.directory_id] = deque([item])
            self._ready.append(event.directory_id)

    def _settle(self) -> None:
        while self._batches and not self._batches[0].left:
            batch = self._batches.popleft()
            batch.settled()
            if batch.cursor:
                self._recorder.done(batch.cursor)

    def _start(self, now: float) -> None:
        while len(self._tasks) < self.health.limit and not self._recorder.full:
            if self.stopped or now < self.health.quiet_until:
                return
            turn = self._next_turn(now)
            if turn is None:
                return
            task = asyncio.create_task(turn)
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _next_turn(self, now: float) -> Coroutine[None, None, None] | None:
        """Of a lane that is due and of a directory by turns: none keeps the other from its place."""
        self._lane_next = not self._lane_next
        if self._lane_next:
            return self._next_lane(now) or self._next_directory(now)
        return self._next_directory(now) or self._next_lane(now)

    def _next_lane(self, now: float) -> Coroutine[None, None, None] | None:
        while self._due and self._due[0][0] <= now:
            due, _, lane = heapq.heappop(self._due)
            if lane.due == due and not lane.busy and self._lanes.get(lane.directory_id) is lane:
                lane.busy = True
                return self._lane_turn(lane)
        return None

    def _next_directory(self, now: float) -> Coroutine[None, None, None] | None:
        if not self._ready or now < self._directory_time(now):
            return None
        return self._directory_turn(self._ready.popleft())

    def _directory_time(self, now: float) -> float:
        """From when on a directory that does not wait may be tried."""
        if not self.health.down:
            return now
        return self.health.probe_at if len(self._lanes) < _MOST_PROBED else math.inf

    def _next_time(self, now: float) -> float | None:
        """When there may be something to start without anybody saying so."""
        if self.stopped or self._recorder.full or len(self._tasks) >= self.health.limit:
            return None
        times = [self._due[0][0]] if self._due else []
        if self._ready:
            times.append(self._directory_time(now))
        soonest = min(times, default=math.inf)
        return None if soonest == math.inf else max(soonest, self.health.quiet_until)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken = self._broken or error
        self._wake.set()

    async def _directory_turn(self, directory_id: str) -> None:
        item = self._queues[directory_id][0]
        tried = await self._attempt(Tries.of(item.entry, self._parts.clock.now()))
        if tried is None:
            self._ready.appendleft(directory_id)
        elif tried.ok:
            self._arrived(tried)
            self._pass(directory_id)
        else:
            self._block(directory_id, item, tried)
        self._settle()

    def _pass(self, directory_id: str) -> None:
        queue = self._queues[directory_id]
        queue.popleft().batch.left -= 1
        if queue:
            self._ready.append(directory_id)
        else:
            del self._queues[directory_id]

    def _block(self, directory_id: str, item: _Item, tried: Attempted) -> None:
        """The directory waits from now on; what else came of it stays in the log."""
        queue = self._queues.pop(directory_id)
        lane = Lane(directory_id, item.entry.event.directory_sequence, item.batch.before, tried.ended)
        for other in queue:
            lane.seen = max(lane.seen, other.entry.event.directory_sequence)
            other.batch.left -= 1
        self._lanes[directory_id] = lane
        self._parts.metrics.lanes.inc()
        due = self._due_after(tried)
        assert due is not None  # noqa: S101 (a first attempt is not the last)
        lane.failed(tried.tries, due, self._not_before(tried))
        self._recorder.delivery(tried.delivery(RETRYING, due))
        self._recorder.lane(lane.message())
        self._plan(lane)
        self._not_arrived(tried)

    async def _lane_turn(self, lane: Lane) -> None:
        now = self._parts.clock.now()
        entry = await lane.next(self._parts.service, self.endpoint)
        lane.busy = False
        if entry is None:
            del self._lanes[lane.directory_id]
            self._parts.metrics.lanes.dec()
            self._passed[lane.directory_id] = lane.sequence - 1
            self._recorder.end_lane(lane.directory_id)
            return
        lane.busy = True
        self._sleeping.discard(lane)
        tried = await self._attempt(lane.tries(entry, now))
        lane.busy = False
        if tried is None:
            return
        if tried.ok:
            self._arrived(tried)
            lane.passed(tried.ended)
        else:
            due = self._due_after(tried)
            self._recorder.delivery(tried.delivery(FAILED if due is None else RETRYING, due))
            if due is None:
                self._parts.metrics.given_up.inc()
                lane.passed(tried.ended)
            else:
                lane.failed(tried.tries, due, self._not_before(tried))
                if lane.sleeps:
                    self._sleeping.add(lane)
            self._not_arrived(tried)
        self._recorder.lane(lane.message())
        self._plan(lane)

    async def _attempt(self, tries: Tries) -> Attempted | None:
        return await self._parts.attempts.make(
            self.endpoint, tries, suspect=bool(self.health.failures), may=lambda: not self.stopped
        )

    def _arrived(self, tried: Attempted) -> None:
        self._recorder.delivery(tried.delivery(SUCCEEDED))
        self.answered(tried.ended)

    def answered(self, now: float) -> None:
        """The endpoint took something, be it a replay or a test."""
        if self.health.succeeded():
            self._parts.metrics.down.dec()
            self._hasten([*self._lanes.values()], now)
        elif self._sleeping:
            self._hasten([*self._sleeping], now)

    def _not_arrived(self, tried: Attempted) -> None:
        health = self.health
        was_down = health.down
        health.failed(tried.ended, self._retry_after(tried))
        if health.down and not was_down:
            self._parts.metrics.down.inc()
        if tried.outcome.status == 410:
            self.disable("the receiver answered 410 Gone")
        elif health.failing_for(tried.ended) >= self._parts.disable_seconds and health.failing_since is not None:
            since = datetime.fromtimestamp(health.failing_since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            days = self._parts.disable_seconds / DAY
            self.disable(f"no delivery succeeded for {days:g} days, since {since}")

    def disable(self, reason: str) -> None:
        """Turn the endpoint off."""
        self.stop()
        self._parts.metrics.disabled.inc()
        self._recorder.disable(reason)

    def _due_after(self, tried: Attempted) -> float | None:
        delay = next_delay(tried.tries.made, self._parts.chance(), self._retry_after(tried))
        return None if delay is None else tried.ended + delay

    @staticmethod
    def _retry_after(tried: Attempted) -> float | None:
        return retry_after_seconds(tried.outcome.retry_after, tried.ended)

    def _not_before(self, tried: Attempted) -> float:
        return tried.ended + (self._retry_after(tried) or 0.0)

    def _hasten(self, lanes: Sequence[Lane], now: float) -> None:
        """What waits is tried soon, not when its schedule says. While the endpoint stays up only once for each event:
        one that the receiver refuses for itself would use up its schedule.
        """
        window = min(_RECOVERY_SECONDS, _LANE_SECONDS * len(lanes))
        self._sleeping.clear()
        for lane in lanes:
            soon = max(now + window * self._parts.chance(), lane.not_before)
            if not lane.busy and lane.due > soon:
                lane.due, lane.woken = soon, True
                self._recorder.lane(lane.message())
                self._plan(lane)

    def _plan(self, lane: Lane) -> None:
        heapq.heappush(self._due, (lane.due, next(self._order), lane))
        self._wake.set()
