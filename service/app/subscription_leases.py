"""The leases that this process holds: renewed and checked together, the progress of their readers written together."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from service.domain.errors import StorageUnavailableError
from service.domain.subscription import Subscription, Window
from service.storage import subscriptions as table
from service.storage.database import Pool
from service.storage.subscriptions import Lease, Progress, lease_lost
from service.telemetry import Telemetry

# Acknowledgements are written at once when there are so many of them.
_MANY_EVENTS = 500
# A reader that leaves waits so long for its last acknowledgements to be written; they are tried for longer.
_FAREWELL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. A lease lasts `duration` and is renewed every `renewal`; takeovers are noticed within `check`."""

    duration: float = 10.0
    renewal: float = 3.0
    check: float = 1.0
    saving: float = 0.25


class Held:
    """One lease. `wake` is called when it is over, and why is in `over`. `saves`: acknowledgements are written here."""

    def __init__(self, leased: Subscription, window: Window, wake: Callable[[], None], *, saves: bool) -> None:
        self.lease: Lease = (leased.id, leased.lease_epoch)
        self.window = window
        self.cursor = leased.cursor
        self.over: Exception | None = None
        self.error: str | None = None
        self.done = False
        self.written = asyncio.Event()
        self.dirty = False
        self.unsaved_events = 0
        self.give_up_at = 0.0
        self._wake = wake
        self._saves = saves

    def end(self, error: Exception) -> None:
        """The reader has to stop."""
        if self.over is None:
            self.over = error
            self._wake()

    def progress(self) -> Progress:
        """To be written."""
        window = self.window
        return Progress(
            *self.lease,
            cursor=self.cursor if self._saves else None,
            place=window.acked if self._saves else None,
            sent=window.sent_to,
            attempts=window.attempts,
            done=self.done,
            error=self.error,
        )


class Leases:
    """`run()` must be running."""

    def __init__(self, pool: Pool, telemetry: Telemetry, pace: Pace | None = None) -> None:
        self._pool = pool
        self._telemetry = telemetry
        self.pace = pace or Pace()
        self._held: dict[Lease, Held] = {}
        self._changed = asyncio.Event()
        self._urgent = asyncio.Event()

    @property
    def duration(self) -> timedelta:
        """Of a lease."""
        return timedelta(seconds=self.pace.duration)

    def hold(self, held: Held) -> None:
        """Renew it and write its progress from now on."""
        self._held[held.lease] = held

    def changed(self, held: Held, events: int = 0) -> None:
        """There is progress to write; `events` were acknowledged."""
        held.dirty = True
        held.unsaved_events += events
        self._changed.set()
        if held.unsaved_events >= _MANY_EVENTS:
            self._urgent.set()

    async def release(self, held: Held) -> None:
        """Write the rest and give the lease back, after this call if the database is away."""
        if held.lease not in self._held:
            return
        held.done = True
        held.give_up_at = asyncio.get_running_loop().time() + self.pace.duration
        self.changed(held)
        self._urgent.set()
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await held.written.wait()
        except TimeoutError:
            pass

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._save_in_time())
            tasks.create_task(self._keep())

    async def flush(self) -> None:
        """Write what is known now. What cannot be written ends its reader, and is tried again."""
        self._changed.clear()
        self._urgent.clear()
        batch = [held for held in self._held.values() if held.dirty]
        if not batch:
            return
        for held in batch:
            held.dirty, held.unsaved_events = False, 0
        written = [(held, held.progress()) for held in batch]
        alive = await self._ask("save", table.save(self._pool, [progress for _, progress in written]))
        for held, progress in written:
            if alive is None:
                self._keep_unsaved(held)
            else:
                if held.lease not in alive:
                    held.end(lease_lost())
                if held.error == progress.error:
                    held.error = None
                if progress.done or held.lease not in alive:
                    self._held.pop(held.lease, None)
            if progress.done:
                held.written.set()

    def _keep_unsaved(self, held: Held) -> None:
        held.dirty = True
        held.end(StorageUnavailableError("the database cannot be reached; what is not acknowledged comes again"))
        if held.done and asyncio.get_running_loop().time() >= held.give_up_at:
            self._held.pop(held.lease, None)

    async def _save_in_time(self) -> None:
        while True:
            await self._changed.wait()
            try:
                async with asyncio.timeout(self.pace.saving):
                    await self._urgent.wait()
            except TimeoutError:
                pass
            await self.flush()
            if any(held.over is not None and held.dirty for held in self._held.values()):
                # The database was away.
                await asyncio.sleep(self.pace.check)
                self._changed.set()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            await asyncio.sleep(self.pace.check)
            held = [one for one in self._held.values() if not one.done]
            leases = [one.lease for one in held]
            now = loop.time()
            if not leases:
                renewed = now
            elif now - renewed < self.pace.renewal:
                self._sort_out(held, await self._ask("check", table.held(self._pool, leases)))
            else:
                alive = await self._ask("renew", table.renew(self._pool, leases, self.duration))
                self._sort_out(held, alive)
                if alive is not None:
                    renewed = now
                elif now - renewed >= self.pace.duration:
                    for one in held:
                        one.end(StorageUnavailableError("the database cannot be reached, and the lease ran out"))

    def _sort_out(self, held: list[Held], alive: set[Lease] | None) -> None:
        for one in held:
            if alive is not None and one.lease not in alive:
                one.end(lease_lost())

    async def _ask(self, what: str, query: Coroutine[Any, Any, set[Lease]]) -> set[Lease] | None:
        """None when the database did not answer, in whatever way it did not."""
        try:
            return await query
        except Exception as error:
            self._telemetry.storage_failed(f"subscription.{what}", error)
            return None
