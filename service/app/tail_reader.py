"""A reader: an index into what all share. It goes from the log to the ring to its channel, and queues nothing."""

from collections.abc import AsyncGenerator, Iterator

from service.app.tail import Tail
from service.app.tail_batches import Batch, Entry, Packer
from service.app.tail_channel import Channel
from service.app.tail_pages import Pages, Run
from service.app.tail_ring import Ring
from service.app.tail_start import Place
from service.domain.errors import CursorExpiredError, StorageUnavailableError

# Entries of the ring that one step looks through before others get their turn.
_RING_STEP = 2000


def replaced() -> StorageUnavailableError:
    """For readers of an epoch that has ended: their cursor decides whether they may go on."""
    return StorageUnavailableError("the database was replaced; resume with the last cursor")


class Reader:
    """`place` is the last event covered, `cursor` the place to resume from: the same but inside a parted command.

    It holds what it is about to send by reference: a few batches that it shares with others.
    """

    def __init__(self, tail: Tail, ring: Ring, pages: Pages, channel: Channel, place: Place) -> None:
        self._tail = tail
        self._ring = ring
        self._pages = pages
        self._channel = channel
        self._key = channel.key
        self._epoch = place.epoch
        self.place = self.cursor = place.place
        self._day = place.day
        # By number only a page that reached the end of the log tells that the channel has all that follows.
        self._live = not place.by_number and place.place >= ring.floor
        self._batches: Iterator[Batch] = iter(())
        self._parts: AsyncGenerator[Batch] | None = None
        self._run: Run | None = None

    @property
    def inside(self) -> bool:
        """Whether the next batch goes on with a command."""
        return self.cursor != self.place

    @property
    def caught_up(self) -> bool:
        """Whether nothing newer was known when the feed was last looked at."""
        end = self._channel.end
        at_end = self._live and (end is None or self.place >= end)
        return at_end and self._channel.quiet and self._tail.fresh and not self.inside

    def advance(self) -> None:
        """Having everything in scope, take note of what happened out of it."""
        if not self._key.by_number and self.caught_up:
            self.place = self.cursor = max(self.place, self._tail.whole)

    def close(self) -> None:
        """Nobody reads on."""
        self._pages.leave(self._key, self.place if self._run is None else self._run.end)

    async def next(self) -> Batch | None:
        """The next batch; None when it only moved on, or when it has everything."""
        batch = next(self._batches, None)
        if batch is None and self._parts is not None:
            batch = await anext(self._parts, None)
            if batch is None:
                self._parts = None
        if batch is None:
            self._finish_run()
            batch = self._at_hand() if self._live else None
            if batch is None and not self._live:
                batch = await self._from_log()
        if batch is not None:
            self.place, self.cursor = batch.end, batch.cursor
        if self._run is not None and (batch is None or batch.end == self._run.end):
            self._finish_run()
        return batch

    def _at_hand(self) -> Batch | None:
        """From the channel or the ring. Not live any more when they do not reach back so far."""
        sealed = self._channel.after(self.place)
        end = self._channel.end
        if sealed is not None or end is None or self.place >= end:
            return sealed
        # Up to the end of what the channel sealed: its next batch is then the next one here.
        entries = self._by_number(end) if self._key.by_number else self._by_position(end)
        if entries is None:
            self._live = False
            return None
        self._batches = iter(self._pack(entries))
        return next(self._batches, None)

    def _by_position(self, end: int) -> Iterator[tuple[int, Entry]] | None:
        if self.place < self._ring.floor:
            return None
        reaches = self._key.scope.reaches
        return (
            (entry.place, entry)
            for entry in self._ring.behind(self.place)
            if entry.place <= end and reaches(entry.directory_id, entry.organization_id)
        )

    def _by_number(self, end: int) -> Iterator[tuple[int, Entry]] | None:
        directory_id = self._key.scope.directory_id
        found = [
            (entry.seq, entry)
            for entry in self._ring.behind(0)
            if entry.directory_id == directory_id and self.place < entry.seq <= end
        ]
        return iter(found) if found and found[0][0] == self.place + 1 else None

    def _pack(self, entries: Iterator[tuple[int, Entry]]) -> list[Batch]:
        packer = Packer(self.place, self._key.limit, self.cursor)
        wants = self._key.scope.wants
        found: list[Batch] = []
        for looked, (place, entry) in enumerate(entries):
            found += packer.add(place, entry.frame if wants(entry.type) else None, ends=entry.transaction_end)
            if entry.transaction_end and (found or looked >= _RING_STEP):
                break
        found += packer.flush()
        if not found and not packer.inside:
            self.place = self.cursor = packer.last
        return found

    async def _from_log(self) -> Batch | None:
        run = None if self.inside else await self._pages.read(self._key, self.place, self._day)
        if run is not None and run.epoch != self._epoch:
            raise replaced()
        if run is not None and run.lost:
            raise CursorExpiredError("events behind this place were dropped by retention; take a new snapshot")
        if run is None or (run.end == self.place and not run.complete):
            self._parts = self._pages.command(self._key, self.place, self.cursor)
            return await anext(self._parts, None)
        if not run.complete:
            self._pages.read_ahead(self._key, run)
        self._run, self._batches = run, iter(run.batches)
        return next(self._batches, None)

    def _finish_run(self) -> None:
        """The page was handed out to its end."""
        run, self._run = self._run, None
        if run is not None:
            self.place = self.cursor = run.end
            self._day = run.day
            self._live = run.complete or (not self._key.by_number and run.end >= self._ring.floor)
            if self._live:
                self._pages.leave(self._key, run.end)
