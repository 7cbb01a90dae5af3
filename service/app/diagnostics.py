"""Diagnostics of directories: counted in memory, written every few seconds, off the path of commits.

What was counted and not yet written is lost when the process dies; the next such request counts again.
"""

import asyncio
from collections.abc import Sequence

from service.app.clock import Clock
from service.domain.diagnostic import DiagnosticCount, DiagnosticKind
from service.domain.directory import Directory
from service.scim.documents import Diagnostic
from service.storage import diagnostics as table
from service.storage.credentials import CONNECTION_ERRORS
from service.storage.database import Pool
from service.telemetry import Telemetry

MAX_KINDS = 200
"""Kinds that are kept of one directory: those seen last."""
_MAX_WAITING = 5_000
_MAX_REQUEST_ID = 200
_FLUSH_SECONDS = 3.0


class Diagnostics:
    """`run()` must be running."""

    def __init__(self, pool: Pool, clock: Clock, telemetry: Telemetry) -> None:
        self._pool = pool
        self._clock = clock
        self._telemetry = telemetry
        self._waiting: dict[DiagnosticKind, DiagnosticCount] = {}

    def note(self, directory_id: str, resource_type: str, found: Sequence[Diagnostic], request_id: str) -> None:
        """Count what one request held. New kinds are passed over while too many wait to be written."""
        now = self._clock.now()
        request_id = request_id[:_MAX_REQUEST_ID]
        for kind in {DiagnosticKind.of(directory_id, resource_type, each) for each in found}:
            before = self._waiting.get(kind)
            if before is not None:
                self._waiting[kind] = before.again(now, request_id)
            elif len(self._waiting) < _MAX_WAITING:
                self._waiting[kind] = DiagnosticCount(kind, 1, now, now, request_id)

    async def of_directory(self, directory: Directory) -> list[DiagnosticCount]:
        """At most 200, those seen last first."""
        return await table.of_directory(self._pool, directory.id, MAX_KINDS)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write what waits. What cannot be written is given up: a diagnostic is not worth more."""
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        try:
            await table.add(self._pool, list(waiting.values()), MAX_KINDS)
        except CONNECTION_ERRORS as error:
            self._telemetry.storage_failed("diagnostics.add", error)
