"""The tail: one follower of the feed per process. It fills the ring and hands on what is new."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from service.app.sequencer import report
from service.app.tail_batches import Entry
from service.app.tail_ring import Ring
from service.storage import feed as table
from service.storage.database import Connection, connect
from service.storage.feed import Page, Row, Wanted
from service.telemetry import Telemetry

_POLL_SECONDS = 0.25
_BEGIN_SECONDS = 0.02
# Between two reads under load: hints of that time share one.
_PAUSE_SECONDS = 0.001
_FIRST_DELAY = 0.05
_LONGEST_DELAY = 2.0
_PAGE_EVENTS = 1000
_PAGE_BYTES = 4 * 1024 * 1024
# What a new process keeps at hand for clients that come over from an old one.
_HEAD_START = 1000

Frame = Callable[[bytes], bytes]


def entry_of(row: Row, frame: Frame) -> Entry:
    """A row of a page as readers hand it around."""
    return Entry(
        place=row.place,
        directory_id=row.directory_id,
        organization_id=row.organization_id,
        seq=row.seq,
        type=row.type,
        transaction_end=row.transaction_end,
        frame=b"" if row.payload is None else frame(row.payload),
    )


class Tail:
    """`deliver` is called with each run of new events, `reset` when the database turns out to be another one.

    While nobody is `watched` for, it only keeps up with the newest position: whoever comes reads the log up to there.
    """

    def __init__(
        self,
        database_url: str,
        ring: Ring,
        telemetry: Telemetry,
        *,
        frame: Frame,
        deliver: Callable[[Sequence[Entry]], None],
        reset: Callable[[], None],
        watched: Callable[[], bool],
    ) -> None:
        self._database_url = database_url
        self._ring = ring
        self._telemetry = telemetry
        self._frame = frame
        self._deliver = deliver
        self._reset = reset
        self._watched = watched
        self._hinted = asyncio.Event()
        self.started = asyncio.Event()
        self.epoch = ""
        # The last event read, and the last one that ended a command.
        self.position = 0
        self.whole = 0
        # The day of the last event read.
        self._day: date | None = None
        # Whether the last look at the feed went well and reached its end.
        self.fresh = False

    def hint(self, position: int) -> None:
        """There may be something up to `position`. From the loop's own thread only."""
        if position != self.position:
            self._hinted.set()

    async def run(self) -> None:
        """Until cancelled. Lost connections are made again."""
        delay = _FIRST_DELAY
        while True:
            try:
                await self._follow()
            except Exception as error:
                report(self._telemetry, "tail", error)
            if self.fresh:
                delay = _FIRST_DELAY
            self.fresh = False
            await asyncio.sleep(random.uniform(delay / 2, delay))  # noqa: S311 (spreads replicas, hides nothing)
            delay = min(2 * delay, _LONGEST_DELAY)

    async def _follow(self) -> None:
        # Its few statements are planned once: they are run for each write, and planning costs more than running them.
        connection = await connect(self._database_url, plan_cache_mode="force_generic_plan")
        try:
            await connection.add_listener(table.CHANNEL, self._notified)
            while not await self._begin(connection):
                await asyncio.sleep(_BEGIN_SECONDS)
            while True:
                self._hinted.clear()
                while not await self._read(connection):
                    await asyncio.sleep(0)
                await asyncio.sleep(_PAUSE_SECONDS)
                await self._wait()
        finally:
            # After an error the state of the connection is anyone's guess.
            connection.terminate()

    def _notified(self, _: Any, __: int, ___: str, payload: object) -> None:
        self.hint(int(payload) if isinstance(payload, str) and payload.isdecimal() else -1)

    async def _wait(self) -> None:
        if self._hinted.is_set():
            return
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await self._hinted.wait()
        except TimeoutError:
            pass

    async def _begin(self, connection: Connection) -> bool:
        """Take up the feed where it was left; anew in a new process or another epoch. False: no sequencer was here."""
        state = await table.state(connection)
        if state is None or not state.here:
            return False
        if state.epoch != self.epoch or not state.oldest <= self.position <= state.newest:
            self._start(state)
        return True

    def _start(self, state: table.State) -> None:
        again = self.started.is_set()
        self.epoch = state.epoch
        self.position = self.whole = max(state.oldest, state.newest - _HEAD_START)
        self._ring.reset(self.position)
        self.started.set()
        if again:
            self._telemetry.log.warning("feed_restarted", epoch=state.epoch)
            self._reset()

    async def _read(self, connection: Connection) -> bool:
        """Read one page; whether it reached the end."""
        if not self._watched():
            return await self._pass_by(connection)
        page = await table.page_by_position(
            connection,
            self.position,
            Wanted(),
            window=_PAGE_EVENTS // 2,
            limit=_PAGE_EVENTS,
            size=_PAGE_BYTES,
            day=self._day,
        )
        if page.lost or page.epoch != self.epoch:
            state = await table.state(connection)
            if state is not None:
                self._start(state)
            return False
        self._take(page)
        self.fresh = page.complete
        return page.complete

    async def _pass_by(self, connection: Connection) -> bool:
        """Go to the newest position without the events up to there; whether nobody came to watch meanwhile."""
        state = await table.state(connection)
        if state is None or not state.here:
            return True
        if state.epoch != self.epoch or state.newest < self.position:
            self._start(state)
        if self._watched():
            return False
        if state.newest > self.position:
            # Commands get their positions whole, so this is the end of one.
            self.position = self.whole = state.newest
            self._ring.reset(state.newest)
            self._telemetry.feed_position.set(state.newest)
        self.fresh = True
        return True

    def _take(self, page: Page) -> None:
        # Events behind the last whole command are taken as well: the command may be larger than a page.
        entries = [entry_of(row, self._frame) for row in page.rows]
        self._day = page.day
        if entries:
            self.position = entries[-1].place
            self._ring.extend(entries)
        self.position = max(self.position, page.end)
        self.whole = max(self.whole, page.end)
        self._telemetry.feed_position.set(self.position)
        if entries:
            self._deliver(entries)
