"""A budget for what was handed to gRPC and not taken by its readers: of each message it keeps a copy for each stream.

gRPC gives such a copy back when the reader takes it or its connection ends, and not before: a server cannot reset a
call. So streams are held back before they make the next message, those of a credential that has too much under way
first.
"""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable

DEFAULT_BYTES = 128 * 1024 * 1024
# Whatever the others have under way, a credential may have this.
_LEAST_BYTES = 1024 * 1024
_LOOK_SECONDS = 0.1


class Outflow:
    """Of all streams of a process, in bytes; one credential's streams have half of the budget at most.

    A reader has to take each message within `patience` seconds, and a stream waits as long for room.
    """

    def __init__(self, budget: int = DEFAULT_BYTES, *, patience: float) -> None:
        self.patience = patience
        self.budget = budget
        self.used = 0
        self.used_by: dict[str, int] = {}

    def has_room(self, credential: str) -> bool:
        """Whether a stream of the credential may make another message."""
        its = self.used_by.get(credential, 0)
        return its < _LEAST_BYTES or (its < self.budget // 2 and self.used < self.budget)

    def add(self, credential: str, size: int) -> None:
        """So much more is under way; less when negative."""
        self.used += size
        its = self.used_by.get(credential, 0) + size
        if its:
            self.used_by[credential] = its
        else:
            self.used_by.pop(credential, None)


class Flow:
    """The writes of one stream, one at a time, in one task. To be closed when the call is over."""

    __slots__ = ("_alarm", "_credential", "_due", "_late", "_loop", "_outflow", "_size", "_task")

    def __init__(self, outflow: Outflow, credential: str) -> None:
        self._outflow = outflow
        self._credential = credential
        self._size = 0
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[object] | None = None
        # When the write that is under way has to be done, on the loop's clock; infinity when none is.
        self._due = math.inf
        self._late = False
        self._alarm: asyncio.TimerHandle | None = None

    async def room(self) -> None:
        """To be awaited before another message is made. TimeoutError when none comes."""
        if self._outflow.has_room(self._credential):
            return
        async with asyncio.timeout(self._outflow.patience):
            while not self._outflow.has_room(self._credential):
                # Not all at once: each looks at what the others have taken before.
                await asyncio.sleep(random.uniform(0.1, 1) * _LOOK_SECONDS)  # noqa: S311 (spreads load)

    async def write(self, send: Callable[[bytes], Awaitable[None]], message: bytes) -> None:
        """TimeoutError when the reader does not take it in time. It counts until the call is over."""
        self._size = len(message)
        self._outflow.add(self._credential, self._size)
        self._task = task = asyncio.current_task()
        self._due = self._loop.time() + self._outflow.patience
        if self._alarm is None:
            self._ring()
        try:
            await send(message)
        except asyncio.CancelledError:
            if self._late and task is not None and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            self._due = math.inf
        self._uncount()

    def close(self) -> None:
        """Nothing is under way."""
        self._uncount()
        if self._alarm is not None:
            self._alarm.cancel()

    def _uncount(self) -> None:
        if self._size:
            self._outflow.add(self._credential, -self._size)
            self._size = 0

    def _ring(self) -> None:
        """The alarm: one for many writes, as setting one for each would cost as much as half a write."""
        self._alarm = None
        if self._due == math.inf:
            return
        if self._due > self._loop.time():
            self._alarm = self._loop.call_at(self._due, self._ring)
        elif self._task is not None:
            self._late = True
            self._task.cancel()
