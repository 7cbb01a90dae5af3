"""Time as the dispatcher sees it, so that a test can let days pass."""

import asyncio
import contextlib
import time
from typing import Protocol


class Clock(Protocol):
    """`now` in seconds since 1970."""

    def now(self) -> float:
        """The time."""

    async def wait(self, event: asyncio.Event, until: float | None) -> None:
        """Until the event is set, or that time has come."""


class SystemClock:
    """The machine's own."""

    def now(self) -> float:
        """The time."""
        return time.time()

    async def wait(self, event: asyncio.Event, until: float | None) -> None:
        """Until the event is set, or that time has come."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if until is None else max(0.0, until - self.now())):
                await event.wait()


async def pause(clock: Clock, seconds: float) -> None:
    """So long."""
    await clock.wait(asyncio.Event(), clock.now() + seconds)
