"""A reader: an index into what all share. It goes from the log to the ring to its channel, and queues nothing."""

from collections.abc import AsyncIterator, Iterator

from service.app.tail import Tail
from service.app.tail_batches import Batch, Entry, Packer
from service.app.tail_channel import Channel
from service.app.tail_pages import Pages
from service.app.tail_ring import Ring
from service.app.tail_start import Place
from service.domain.errors import CursorExpiredError, StorageUnavailableError

# Entries of the ring that one step looks through before others get their turn.
_RING_STEP = 2000


def replaced() -> StorageUnavailableError:
    """For readers of an epoch that has ended: their cursor decides whether they may go on."""
    return StorageUnavailableError("the database was replaced; resume with the last cursor")


class Reader:
    """`place` is the last event covered, `cursor` the place to resume from: the same but inside a parted command."""

    def __init__(self, tail: Tail, ring: Ring, pages: Pages, channel: Channel, place: Place) -> None:
        self._tail = tail
        self._ring = ring
        self._pages = pages
        self._channel = channel
        self._key = channel.key
        self._epoch = place.epoch
        self.place = self.cursor = place.place
        self.day = place.day
        # By number only a page that reached the end of the log tells that the channel has all that follows.
        self._live = not place.by_number and place.place >= ring.floor

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

    async def step(self) -> AsyncIterator[Batch]:
        """The batches at hand; none when it only moved on, or when it has everything."""
        if self._live:
            found = self._at_hand()
            if found is not None:
                for batch in found:
                    self._cover(batch)
                    yield batch
                return
            self._live = False
        async for batch in self._from_log():
            yield batch

    def _cover(self, batch: Batch) -> None:
        self.place, self.cursor = batch.end, batch.cursor

    def _at_hand(self) -> list[Batch] | None:
        """From the channel or the ring; None when they do not reach back so far."""
        sealed = self._channel.after(self.place)
        if sealed is not None:
            return [sealed]
        end = self._channel.end
        if end is None or self.place >= end:
            return []
        # Up to the end of what the channel sealed: its next batch is then the next one here.
        entries = self._by_number(end) if self._key.by_number else self._by_position(end)
        return None if entries is None else self._pack(entries)

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

    async def _from_log(self) -> AsyncIterator[Batch]:
        if self.inside:
            async for batch in self._command():
                yield batch
            return
        run = await self._pages.read(self._key, self.place, self.day)
        if run.epoch != self._epoch:
            raise replaced()
        if run.lost:
            raise CursorExpiredError("events behind this place were dropped by retention; take a new snapshot")
        if run.end == self.place and not run.complete:
            async for batch in self._command():
                yield batch
            return
        for batch in run.batches:
            self._cover(batch)
            yield batch
        self.place = self.cursor = run.end
        self.day = run.day
        self._live = run.complete or (not self._key.by_number and run.end >= self._ring.floor)

    async def _command(self) -> AsyncIterator[Batch]:
        async for batch in self._pages.command(self._key, self.place, self.cursor):
            self._cover(batch)
            yield batch
