"""Requests of all endpoints together: those that fail or hang get at most half, so that the others always have room."""

import asyncio
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
