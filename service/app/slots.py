"""A few places for work that is heavy on the database, shared out so that one directory cannot take them all."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from service.domain.errors import OverloadedError


class Slots:
    """At most `total` at once, at most one of a directory, and at most `waiting` of it in line or at work."""

    def __init__(self, total: int, waiting: int) -> None:
        self._total = asyncio.Semaphore(total)
        self._waiting = waiting
        self._lines: dict[str, asyncio.Lock] = {}
        self._counts: Counter[str] = Counter()

    @contextlib.asynccontextmanager
    async def one(self, directory_id: str) -> AsyncIterator[None]:
        """A place for as long as the block lasts; OverloadedError at once when the directory's line is full."""
        if self._counts[directory_id] >= self._waiting:
            raise OverloadedError("too many queries of this directory are waiting; try again in a second")
        self._counts[directory_id] += 1
        line = self._lines.setdefault(directory_id, asyncio.Lock())
        try:
            async with line, self._total:
                yield
        finally:
            self._counts[directory_id] -= 1
            if not self._counts[directory_id]:
                del self._counts[directory_id], self._lines[directory_id]
