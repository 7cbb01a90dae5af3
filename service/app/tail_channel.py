"""A channel: what all readers of one scope share. It seals batches as events come and wakes its readers."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from service.app.tail_batches import Batch, Entry, Packer
from service.app.tail_scope import Scope

# A process sends about 20,000 messages a second if it does nothing else: sealing slows down so that the readers of a
# channel take half of that, up to where waiting longer would be felt.
_MESSAGES_PER_SECOND = 10_000
_SHORTEST_HOLD_SECONDS = 0.005
_LONGEST_HOLD_SECONDS = 0.05
_BATCHES_KEPT = 64
_BYTES_KEPT = 128 * 1024


@dataclass(frozen=True, slots=True)
class ChannelKey:
    """Readers with equal keys share bytes. `by_number`: places are numbers of the one directory, not positions."""

    scope: Scope
    limit: int
    by_number: bool


class Channel:
    """`start` is the position from which it hears of everything; None by number, where the first event tells."""

    def __init__(self, key: ChannelKey, start: int | None) -> None:
        self.key = key
        self.readers = 0
        # Counts changes: readers compare numbers, and wait only when they have everything.
        self.version = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._packer = None if start is None else Packer(start, key.limit)
        self._batches: deque[Batch] = deque()
        self._bytes = 0
        self._sealed_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.end = start

    @property
    def quiet(self) -> bool:
        """Whether everything it heard of is sealed."""
        return self._packer is None or not (self._packer.pending or self._packer.inside)

    def publish(self, entries: Sequence[Entry]) -> None:
        """Take events that are next in the feed, of the scope's directories or all."""
        scope, by_number = self.key.scope, self.key.by_number
        for entry in entries:
            if not scope.reaches(entry.directory_id, entry.organization_id):
                continue
            place = entry.seq if by_number else entry.place
            if self._packer is None:
                self._packer = Packer(place - 1, self.key.limit)
                self.end = place - 1
            frame = entry.frame if scope.wants(entry.type) else None
            for batch in self._packer.add(place, frame, ends=entry.transaction_end):
                self._keep(batch)
        if self._packer is not None and self._packer.pending and self._timer is None:
            self._seal_in_time()

    def after(self, place: int) -> Batch | None:
        """The kept batch that a reader at `place` can be sent whole."""
        for batch in reversed(self._batches):
            if batch.start <= place:
                return batch if place < batch.first else None
        return None

    async def change(self, waiter: "asyncio.Future[None]") -> None:
        """Wait for the next change, or until someone else sets `waiter`."""
        self._waiting.add(waiter)
        try:
            await waiter
        finally:
            self._waiting.discard(waiter)

    def wake(self) -> None:
        """Make every reader look again."""
        self.version += 1
        waiting, self._waiting = self._waiting, set()
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def close(self) -> None:
        """No reader is left."""
        if self._timer is not None:
            self._timer.cancel()

    def _seal_in_time(self) -> None:
        loop = asyncio.get_running_loop()
        hold = min(max(_SHORTEST_HOLD_SECONDS, self.readers / _MESSAGES_PER_SECOND), _LONGEST_HOLD_SECONDS)
        due = self._sealed_at + hold
        if due <= loop.time():
            self._seal()
        else:
            self._timer = loop.call_at(due, self._seal)

    def _seal(self) -> None:
        self._timer = None
        if self._packer is not None:
            for batch in self._packer.flush():
                self._keep(batch)

    def _keep(self, batch: Batch) -> None:
        self._batches.append(batch)
        self._bytes += len(batch.body)
        while len(self._batches) > _BATCHES_KEPT or (self._bytes > _BYTES_KEPT and len(self._batches) > 1):
            self._bytes -= len(self._batches.popleft().body)
        self.end = batch.end
        self._sealed_at = asyncio.get_running_loop().time()
        self.wake()
