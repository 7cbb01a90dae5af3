"""What a mirror took in, told to those who want to react to it."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Self
from weakref import WeakSet

from directorysync.v1.events_pb2 import Event

_MOST_WAITING = 1_000


@dataclass(frozen=True, slots=True)
class MirrorChange:
    """Events that the copy now reflects. With `reset` the whole copy was replaced, or its reader was too slow: look
    everything up anew.
    """

    events: tuple[Event, ...]
    reset: bool


class Changes:
    """An async iterator of MirrorChange, from its making on. It ends with the mirror, with the mirror's error if it had
    one.
    """

    def __init__(self) -> None:
        self._changes: deque[MirrorChange] = deque()
        self._news = asyncio.Event()
        self._ended = False
        self._error: BaseException | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> MirrorChange:
        while not self._changes:
            if self._ended:
                raise StopAsyncIteration if self._error is None else self._error
            self._news.clear()
            await self._news.wait()
        return self._changes.popleft()

    def tell(self, change: MirrorChange) -> None:
        """A reader that does not keep up loses the single changes, and is told."""
        if len(self._changes) >= _MOST_WAITING:
            self._changes.clear()
            change = MirrorChange((), reset=True)
        self._changes.append(change)
        self._news.set()

    def end(self, error: BaseException | None) -> None:
        """Nothing more will come."""
        self._ended, self._error = True, error
        self._news.set()


class Audience:
    """All readers of changes; one that nobody holds any more is forgotten."""

    def __init__(self) -> None:
        self._readers: WeakSet[Changes] = WeakSet()

    def join(self) -> Changes:
        """A new reader."""
        reader = Changes()
        self._readers.add(reader)
        return reader

    def tell(self, events: tuple[Event, ...], *, reset: bool) -> None:
        """Everyone."""
        for reader in list(self._readers):
            reader.tell(MirrorChange(events, reset))

    def end(self, error: BaseException | None) -> None:
        """Nothing more will come."""
        for reader in list(self._readers):
            reader.end(error)
