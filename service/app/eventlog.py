"""Append to the log outside the group commit: what administrators do, one transaction at a time."""

from collections.abc import Callable, Sequence

from service.app.clock import Clock, IdSource
from service.domain import ids
from service.domain.caller import not_found
from service.domain.change import Change, Event
from service.domain.log import number
from service.storage import events as table
from service.storage.database import Connection

Encode = Callable[[Event], bytes]


class EventLog:
    """`encode` makes the stored bytes of an event; `committed` is to be called after each commit that appended."""

    def __init__(self, encode: Encode, new_ids: IdSource, clock: Clock, committed: Callable[[], None]) -> None:
        self._encode = encode
        self._ids = new_ids
        self._clock = clock
        self.committed = committed

    async def append(
        self,
        connection: Connection,
        directory_id: str,
        organization_id: str,
        changes: Sequence[Change],
        request_id: str,
    ) -> int:
        """Within the caller's transaction; returns the newest number. Call `committed()` after the commit."""
        seq = await table.lock_head(connection, directory_id)
        if seq is None:
            raise not_found("Directory", directory_id)
        at = self._clock.now()
        numbered = number(
            changes,
            directory_id=directory_id,
            organization_id=organization_id,
            after_seq=seq,
            at=at,
            request_id=request_id,
            new_event_id=lambda: self._ids.new(ids.EVENT),
            transaction_id=self._ids.new(ids.TRANSACTION),
        )
        await table.append(connection, numbered, [self._encode(event) for event in numbered], at)
        return numbered[-1].seq
