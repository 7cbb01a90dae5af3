"""Keeps a mirror's copy equal to the service: snapshot, follow, notice loss, begin anew."""

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from directorysync.client import Client
from directorysync.errors import CursorInvalid
from directorysync.mirror.changes import Audience
from directorysync.mirror.file import MirrorFile, Saved
from directorysync.mirror.lookups import Held
from directorysync.mirror.state import Gap, Row, State
from directorysync.mirror.waiting import Waiting
from directorysync.v1.directory_sync_pb2 import WatchStart
from directorysync.v1.events_pb2 import Event, EventFilter
from directorysync.watch import EventBatch, Watch, jittered

_log = logging.getLogger("directorysync.mirror")

# Events between two turns of others on the loop, about a millisecond; a command is never parted.
_SLICE = 100


@dataclass(slots=True)
class Progress:
    """How far the copy is. `heard` in seconds of time.monotonic; minus infinity: never."""

    cursor: str = ""
    heard: float = -math.inf
    snapshots: int = 0
    gaps: int = 0


class Follower:
    """Writes the copy in `held`, and the file behind it."""

    def __init__(
        self,
        client: Client,
        wanted: EventFilter,
        held: Held,
        *,
        bookmark_interval: float,
        file: MirrorFile | None = None,
        saved: Saved | None = None,
    ) -> None:
        self._client = client
        self._filter = wanted
        self._held = held
        self._bookmark_interval = bookmark_interval
        self._file = file
        self._building: State | None = None
        self.progress = Progress()
        self.ready = asyncio.Event()
        self.at_head = asyncio.Event()
        self.waiting = Waiting(held)
        self.audience = Audience()
        if saved is not None:
            held.state = saved.state
            self.progress.cursor = saved.cursor
            self.progress.heard = time.monotonic() - max(0.0, time.time() - saved.heard)
            self.ready.set()

    async def run(self) -> None:
        """Until cancelled, or until the service refuses for good: DirectorySyncError."""
        failures = 0
        while True:
            try:
                async with aclosing(self._watch()) as batches:
                    async for batch in batches:
                        await self._take(batch)
                        if batch.events:
                            failures = 0
            except Gap as gap:
                self.progress.gaps += 1
                _log.warning("events are missing (%s), starting anew with a snapshot", gap)
            except CursorInvalid as error:
                if not self.progress.cursor:
                    raise
                _log.warning("the cursor is not understood (%s), starting anew with a snapshot", error)
            self.progress.cursor = ""
            self._note(caught_up=False)
            await asyncio.sleep(jittered(failures))
            failures += 1

    def _watch(self) -> Watch:
        cursor = self.progress.cursor
        start = WatchStart(cursor=cursor) if cursor else WatchStart(snapshot=WatchStart.Snapshot())
        return self._client.watch(
            filter=self._filter,
            start=start,
            max_batch_size=1_000,
            bookmark_interval=self._bookmark_interval,
            on_expired="snapshot",
        )

    async def _take(self, batch: EventBatch) -> None:
        if batch.snapshot is not None:
            await self._take_part(batch)
        else:
            await self._take_events(batch)
        self.progress.heard = time.monotonic()
        self._note(caught_up=batch.caught_up)

    def _note(self, *, caught_up: bool) -> None:
        if caught_up:
            self.at_head.set()
        else:
            self.at_head.clear()

    async def _take_part(self, batch: EventBatch) -> None:
        """The copy that is there goes on answering until the new one is complete."""
        assert batch.snapshot is not None  # noqa: S101 (narrowing)
        if batch.reset or self._building is None:
            self._building = State()
            if self._file is not None:
                await self._file.begin()
        for rows in self._building.take(batch.snapshot):
            if self._file is not None and rows:
                await self._file.add(rows)
            await asyncio.sleep(0)
        if not batch.snapshot.complete:
            return
        if self._file is not None:
            await self._file.commit(batch.cursor, time.time())
        with self._held.lock:
            if self._held.state is not None:
                self._building.succeed(self._held.state)
            self._held.state, self._building = self._building, None
        self.progress.cursor = batch.cursor
        self.progress.snapshots += 1
        self.ready.set()
        self.waiting.check()
        self.audience.tell((), reset=True)

    async def _take_events(self, batch: EventBatch) -> None:
        rows: list[Row] = []
        news: list[Event] = []
        state = self._held.current()
        for command in _commands(batch.events):
            with self._held.lock:
                news += [event for event in command if state.apply(event, rows)]
            await asyncio.sleep(0)
        if news:
            rows += [
                ("put_sequence", (directory_id, state.sequences[directory_id]))
                for directory_id in dict.fromkeys(event.directory_id for event in news)
            ]
        if self._file is not None and batch.cursor != self.progress.cursor:
            await self._file.save(rows, batch.cursor, time.time())
        self.progress.cursor = batch.cursor
        if news:
            self.waiting.check()
            self.audience.tell(tuple(news), reset=False)
        for _ in state.tidy():
            await asyncio.sleep(0)


def _commands(events: Sequence[Event]) -> list[Sequence[Event]]:
    """Slices of whole commands."""
    found, first = [], 0
    for place, event in enumerate(events, 1):
        if event.transaction_end and place - first >= _SLICE:
            found.append(events[first:place])
            first = place
    if first < len(events):
        found.append(events[first:])
    return found
