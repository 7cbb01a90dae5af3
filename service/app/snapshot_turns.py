"""Whose turn it is to read a snapshot: a few at a time, and never all of them of one credential."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from weakref import WeakValueDictionary

from service.domain.errors import OverloadedError

# Each holds a connection and a transaction.
_AT_ONCE = 3
# A reader that is slow keeps its turn for long: one place is left to others.
_AT_ONCE_OF_ONE = 2
_WAITING = 100
_WAITING_OF_ONE = 50


@dataclass(frozen=True, slots=True)
class Turn:
    """To be ended."""

    own: asyncio.Semaphore
    all: asyncio.Semaphore

    def end(self) -> None:
        """It is over."""
        self.all.release()
        self.own.release()


class Turns:
    """Those of one process."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(_AT_ONCE)
        # Of credentials that read or wait.
        self._own: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._waiting: Counter[str] = Counter()

    async def take(self, credential: str, seconds: float) -> Turn | None:
        """None when none comes within so many seconds. OverloadedError when too many wait already."""
        if self._waiting.total() >= _WAITING or self._waiting[credential] >= _WAITING_OF_ONE:
            raise OverloadedError("too many snapshots are being read; try again")
        own = self._own.setdefault(credential, asyncio.Semaphore(_AT_ONCE_OF_ONE))
        self._waiting[credential] += 1
        try:
            async with asyncio.timeout(seconds):
                await self._both(own)
        except TimeoutError:
            return None
        finally:
            self._waiting[credential] -= 1
            if not self._waiting[credential]:
                del self._waiting[credential]
        return Turn(own, self._all)

    async def _both(self, own: asyncio.Semaphore) -> None:
        await own.acquire()
        try:
            await self._all.acquire()
        except BaseException:
            own.release()
            raise
