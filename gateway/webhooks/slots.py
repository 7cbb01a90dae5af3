"""Requests of all endpoints together: those that fail or hang get at most half, so that the others always have room."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slots:
    """`total` requests at once in this process."""

    def __init__(self, total: int) -> None:
        self._all = asyncio.Semaphore(total)
        self._suspects = asyncio.Semaphore(max(1, total // 2))

    @asynccontextmanager
    async def taken(self, *, suspect: bool) -> AsyncIterator[None]:
        """Room for one request. `suspect`: the endpoint's last attempt failed."""
        if suspect:
            async with self._suspects, self._all:
                yield
        else:
            async with self._all:
                yield


class Turns:
    """Attempts that may begin in one turn of the event loop, so that whoever shares it gets on in between."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._left = each
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._resetting = False

    async def wait(self) -> None:
        """Until it is the caller's turn, in the order of asking."""
        loop = asyncio.get_running_loop()
        if not self._resetting:
            self._resetting = True
            loop.call_soon(self._reset, loop)
        if self._left > 0 and not self._waiting:
            self._left -= 1
            return
        mine = loop.create_future()
        self._waiting.append(mine)
        await mine

    def _reset(self, loop: asyncio.AbstractEventLoop) -> None:
        self._left = self._each
        while self._waiting and self._left > 0:
            mine = self._waiting.popleft()
            if not mine.done():
                mine.set_result(None)
                self._left -= 1
        self._resetting = bool(self._waiting) or self._left < self._each
        if self._resetting:
            loop.call_soon(self._reset, loop)


class Budget:
    """Bytes of events that wait in this process. Whoever holds none may always take some."""

    def __init__(self, total: int) -> None:
        self._free = total
        self._given = asyncio.Event()

    async def room(self, held: int) -> None:
        """Until there is room, or at once for one that holds nothing."""
        while self._free <= 0 and held > 0:
            self._given.clear()
            await self._given.wait()

    def take(self, size: int) -> None:
        """Hold bytes."""
        self._free -= size

    def give(self, size: int) -> None:
        """Give them back."""
        self._free += size
        self._given.set()
