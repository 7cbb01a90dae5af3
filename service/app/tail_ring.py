"""The newest events of the feed in memory, bounded in number and bytes."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import attrgetter

from service.app.tail_batches import Entry

_place = attrgetter("place")


class Ring:
    """Entries in order of position. Everything behind `floor` up to the last entry is in it."""

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._entries: list[Entry] = []
        self._bytes = 0
        self.floor = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes_held(self) -> int:
        """Bytes of all frames."""
        return self._bytes

    def reset(self, floor: int) -> None:
        """Empty, from a new position."""
        self._entries.clear()
        self._bytes = 0
        self.floor = floor

    def extend(self, entries: Sequence[Entry]) -> None:
        """Append what comes next; the oldest make room."""
        self._entries.extend(entries)
        self._bytes += sum(len(entry.frame) for entry in entries)
        if len(self._entries) > self._max_events or self._bytes > self._max_bytes:
            self._evict()

    def behind(self, position: int) -> Iterator[Entry]:
        """Entries behind a position. To be used up before the ring changes."""
        entries = self._entries
        return (entries[index] for index in range(bisect_right(entries, position, key=_place), len(entries)))

    def _evict(self) -> None:
        # A tenth more than needed goes, so that moving the list is rare.
        events, size = self._max_events * 9 // 10, self._max_bytes * 9 // 10
        gone = 0
        while gone < len(self._entries) - 1 and (len(self._entries) - gone > events or self._bytes > size):
            self._bytes -= len(self._entries[gone].frame)
            gone += 1
        if gone:
            self.floor = self._entries[gone - 1].place
            del self._entries[:gone]
