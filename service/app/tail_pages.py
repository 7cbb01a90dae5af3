"""What lies behind the ring: pages of the log, cut into batches, shared by all readers who want the same."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from datetime import date

from service.app.tail_batches import Batch, Packer, cut
from service.app.tail_channel import ChannelKey
from service.domain.errors import CursorDivergedError
from service.storage import feed as table
from service.storage.database import Pool
from service.storage.feed import Packed

_PAGE_EVENTS = 500
# As many of large ones: what is larger than a megabyte takes memory that PostgreSQL is given anew for each page.
_LARGE_PAGE_EVENTS = 300
_LARGE_EVENT_BYTES = 800
_PAGE_BYTES = 2 * 1024 * 1024
# Pages end at multiples of half a page, of positions or numbers, so that readers who start apart soon read equal ones.
# A bounded scope may find little in many positions.
_BOUNDED_WINDOW = 2_500
_KEPT_BYTES = 32 * 1024 * 1024
# So many pages may be read before they are asked for, two for each reader: one is read while one waits to be sent.
# Among many readers they would push each other out.
_READ_AHEAD = 8
_READ_AHEAD_EACH = 2


@dataclass(frozen=True, slots=True)
class Run:
    """Batches of everything in scope up to `end`; see storage.feed.Page for the rest."""

    epoch: str
    batches: list[Batch]
    end: int
    complete: bool
    lost: bool
    day: date | None


class Pages:
    """`pool` is their own and bounds how many are read at a time: readers far behind cannot take every connection."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._running: dict[tuple[ChannelKey, int], asyncio.Task[Run]] = {}
        self._kept: OrderedDict[tuple[ChannelKey, int], Run] = OrderedDict()
        # Pages that nobody has asked for yet, and how many more are to be read behind each.
        self._ahead: dict[tuple[ChannelKey, int], int] = {}
        self._bytes = 0
        # What the next page may hold, by the size of the events in the one before.
        self._limit = _PAGE_EVENTS

    async def read(self, key: ChannelKey, place: int, day: date | None) -> Run:
        """The batches behind a place, whole commands only. `end` is `place` when the next command exceeds a page."""
        name = (key, place)
        self._ahead.pop(name, None)
        kept = self._kept.get(name)
        if kept is not None:
            self._kept.move_to_end(name)
            return kept
        return await asyncio.shield(self._running.get(name) or self._start(name, day))

    def read_ahead(self, key: ChannelKey, run: Run) -> None:
        """Read the pages behind this one while this one is sent, if there are few who would want that."""
        for more in reversed(range(_READ_AHEAD_EACH)):
            name = (key, run.end)
            following = self._kept.get(name)
            if following is None:
                self._start_ahead(name, run.day, more)
                return
            run = following

    def leave(self, key: ChannelKey, place: int) -> None:
        """Who was at `place` goes: what was read ahead for it makes room. The pages stay as long as there is space."""
        for _ in range(_READ_AHEAD_EACH):
            self._ahead.pop((key, place), None)
            following = self._kept.get((key, place))
            if following is None:
                return
            place = following.end

    async def command(self, key: ChannelKey, place: int, whole: int) -> AsyncGenerator[Batch]:
        """The one command behind `place`, in parts, however large it is. Without a wanted event: one empty batch.

        `whole` is the end of the command before, when `place` lies inside.
        """
        packer = Packer(place, 1, whole)
        empty = True
        while True:
            page = await self._page(key, packer.last, None, _PAGE_EVENTS)
            if page.lost or not page.places:
                return
            for at, ends, frame in page.events():
                for batch in packer.add(at, frame, ends=ends):
                    empty = False
                    yield batch
                if ends:
                    if empty:
                        yield Batch(place, at, at, at, 0, b"")
                    return

    def forget(self) -> None:
        """The database is another one. What is being read may yet come from the one before."""
        self._running.clear()
        self._kept.clear()
        self._ahead.clear()
        self._bytes = 0

    def _start_ahead(self, name: tuple[ChannelKey, int], day: date | None, more: int) -> None:
        if name not in self._running and len(self._ahead) < _READ_AHEAD:
            self._ahead[name] = more
            self._start(name, day)

    def _start(self, name: tuple[ChannelKey, int], day: date | None) -> "asyncio.Task[Run]":
        task = self._running[name] = asyncio.create_task(self._load(*name, day))
        task.add_done_callback(lambda done: self._done(name, done))
        return task

    async def _load(self, key: ChannelKey, place: int, day: date | None) -> Run:
        limit = self._limit
        page = await self._page(key, place, day, limit)
        if limit < _PAGE_EVENTS and page.end == place and not page.complete and not page.lost:
            # The next command is longer.
            page = await self._page(key, place, day, _PAGE_EVENTS)
        if page.places:
            large = len(page.body) > _LARGE_EVENT_BYTES * len(page.places)
            self._limit = _LARGE_PAGE_EVENTS if large else _PAGE_EVENTS
        batches = cut(place, key.limit, page.end, zip(page.places, page.ends, page.sizes, strict=True), page.body)
        return Run(page.epoch, batches, page.end, page.complete, page.lost, page.day)

    async def _page(self, key: ChannelKey, place: int, day: date | None, limit: int) -> Packed:
        wanted, step = key.scope.wanted(), limit // 2
        if not key.by_number:
            window = step if key.scope.unbounded else _BOUNDED_WINDOW
            return await table.packed_by_position(
                self._pool, place, wanted, window=window, limit=limit, size=_PAGE_BYTES, day=day
            )
        page = await table.packed_by_number(
            self._pool,
            key.scope.directory_id or "",
            place,
            wanted,
            limit=limit - place % step,
            size=_PAGE_BYTES,
            day=day,
        )
        if page is None:
            raise CursorDivergedError("the directory has no log in this database; take a new snapshot")
        return page

    def _done(self, name: tuple[ChannelKey, int], task: "asyncio.Task[Run]") -> None:
        run = None if task.cancelled() or task.exception() is not None else task.result()
        if self._running.get(name) is not task:
            return
        del self._running[name]
        # A page that reached the end grows; the others stay true.
        if run is None or run.complete or run.lost or run.end == name[1]:
            self._ahead.pop(name, None)
            return
        self._kept[name] = run
        self._bytes += _size(name[0], run.batches)
        while self._bytes > _KEPT_BYTES and self._kept:
            dropped, oldest = self._kept.popitem(last=False)
            self._ahead.pop(dropped, None)
            self._bytes -= _size(dropped[0], oldest.batches)
        if more := self._ahead.get(name):
            self._start_ahead((name[0], run.end), run.day, more - 1)


def _size(key: ChannelKey, batches: Iterable[Batch]) -> int:
    # Each body is there a second time in the message made of it. A page of nothing still holds the scope it is of.
    return 200 + key.scope.size + sum(200 + 2 * len(batch.body) for batch in batches)
