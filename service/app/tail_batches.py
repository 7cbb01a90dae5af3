"""Cutting a run of events into batches at the ends of commands. Values only."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from service.app.sealed import Sealed

# The events of one command are parted only beyond these. gRPC clients take messages of 4 MiB unless told otherwise.
WHOLE_COMMAND_EVENTS = 1000
WHOLE_COMMAND_BYTES = 3 * 1024 * 1024
# A batch is full at this size: sending a message costs what sending 100 kB does.
FULL_BATCH_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as readers hand it around. `frame` is the event as a field of a message, ready to send."""

    place: int
    directory_id: str
    organization_id: str
    seq: int
    type: str
    transaction_end: bool
    frame: bytes


@dataclass(slots=True)
class Batch:
    """Sealed events of a scope: everything of it behind place `start` up to `end`, the first one at `first`.

    `cursor` is the place to resume from: `end`, or the one before a command that `continues` in the next batch.
    `messages` keeps what was built of it, so that all readers share the bytes.
    """

    start: int
    first: int
    end: int
    cursor: int
    count: int
    body: bytes
    continues: bool = False
    messages: dict[bool, Sealed] = field(default_factory=dict)


class Packer:
    """Takes the events of a scope in order, hands out full batches, and keeps the rest until `flush`.

    Places order the run: positions, or the numbers of one directory. `limit` is in events. `whole` is the end of the
    last whole command when `start` lies inside one whose beginning was handed out.
    """

    def __init__(self, start: int, limit: int, whole: int | None = None) -> None:
        self._limit = limit
        # Where the next batch begins, the end of the last whole command, and the last event taken.
        self._start = self._last = start
        self._whole = start if whole is None else whole
        self._closed: list[bytes] = []
        self._closed_bytes = 0
        self._open: list[bytes] = []
        self._open_bytes = 0
        self._first = 0
        self._open_first = 0
        self._parted = self.inside

    @property
    def pending(self) -> bool:
        """Whether `flush` would hand out something."""
        return bool(self._closed)

    @property
    def inside(self) -> bool:
        """Whether the last event taken belongs to a command that goes on."""
        return self._last != self._whole

    @property
    def last(self) -> int:
        """Place of the last event taken."""
        return self._last

    def add(self, place: int, frame: bytes | None, *, ends: bool) -> Iterator[Batch]:
        """One event; None as `frame` when the reader does not want it."""
        if frame is not None:
            too_many = len(self._open) >= WHOLE_COMMAND_EVENTS or (
                self._open and self._open_bytes + len(frame) > WHOLE_COMMAND_BYTES
            )
            if too_many:
                yield from self.flush()
                yield self._part()
            if not self._open:
                self._open_first = place
            self._open.append(frame)
            self._open_bytes += len(frame)
        self._last = place
        if ends:
            yield from self._close(place)

    def advance(self, place: int) -> None:
        """Nothing of the scope lies between the last event and `place`, where a command ends."""
        if not self.inside and place > self._whole:
            self._last = self._whole = place

    def flush(self) -> Iterator[Batch]:
        """The whole commands that are waiting."""
        if self._closed:
            yield self._batch(self._closed, self._first, self._whole, self._whole, continues=False)
            self._closed, self._closed_bytes = [], 0

    def _close(self, place: int) -> Iterator[Batch]:
        if self._parted:
            # The command's last message comes even if it is empty: it brings the cursor behind the command.
            first = self._open_first if self._open else place
            self._whole = place
            yield self._batch(self._open, first, place, place, continues=False)
            self._parted = False
        elif self._open:
            if self._closed and (
                len(self._closed) + len(self._open) > self._limit
                or self._closed_bytes + self._open_bytes > FULL_BATCH_BYTES
            ):
                yield from self.flush()
            if not self._closed:
                self._first = self._open_first
            self._closed += self._open
            self._closed_bytes += self._open_bytes
        self._open, self._open_bytes = [], 0
        self._whole = place
        if len(self._closed) >= self._limit or self._closed_bytes >= FULL_BATCH_BYTES:
            yield from self.flush()

    def _part(self) -> Batch:
        part = self._batch(self._open, self._open_first, self._last, self._whole, continues=True)
        self._open, self._open_bytes = [], 0
        self._parted = True
        return part

    def _batch(self, frames: Sequence[bytes], first: int, end: int, cursor: int, *, continues: bool) -> Batch:
        batch = Batch(self._start, first, end, cursor, len(frames), b"".join(frames), continues)
        self._start = end
        return batch


def cut(start: int, limit: int, end: int, events: Iterable[tuple[int, bool, int]], body: bytes) -> list[Batch]:
    """What a Packer makes of events whose frames lie one behind the other in `body`, without taking them apart.

    An event is its place, whether it ends a command, and the length of its frame (0: not wanted). Those behind `end`
    are left; no command up to there may be so large that it must be parted.
    """
    batches: list[Batch] = []
    # Of the batch that grows, and of the command at its end: where it begins in `body`, its events, its first place.
    begun = at = held = count = 0
    first = opened = open_first = 0
    whole = start
    for place, ends, size in events:
        if place > end:
            break
        if size:
            if not opened:
                open_first = place
            opened += 1
            at += size
        if not ends:
            continue
        if opened:
            if count and (count + opened > limit or at - begun > FULL_BATCH_BYTES):
                batches.append(Batch(start, first, whole, whole, count, body[begun:held]))
                start, begun, count = whole, held, 0
            if not count:
                first = open_first
            count, opened, held = count + opened, 0, at
        whole = place
        if count >= limit or held - begun >= FULL_BATCH_BYTES:
            batches.append(Batch(start, first, whole, whole, count, body[begun:held]))
            start, begun, count = whole, held, 0
    if count:
        last = max(whole, end)
        batches.append(Batch(start, first, last, last, count, body[begun:held]))
    return batches
