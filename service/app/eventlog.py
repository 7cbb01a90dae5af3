"""Append to the log outside the group commit: what administrators do, one transaction at a time."""

from collections.abc import Callable, Mapping, Sequence

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
        newest = await self.append_each(connection, organization_id, {directory_id: changes}, request_id)
        return newest[directory_id]

    async def append_each(
        self,
        connection: Connection,
        organization_id: str,
        changes: Mapping[str, Sequence[Change]],
        request_id: str,
    ) -> Mapping[str, int]:
        """As `append`, for directories of one organization: what is changed in each is a transaction of its log."""
        heads = await table.lock_heads(connection, list(changes))
        at = self._clock.now()
        events: list[Event] = []
        for directory_id, its in changes.items():
            if directory_id not in heads:
                raise not_found("Directory", directory_id)
            events += number(
                its,
                directory_id=directory_id,
                organization_id=organization_id,
                after_seq=heads[directory_id],
                at=at,
                request_id=request_id,
                new_event_id=lambda: self._ids.new(ids.EVENT),
                transaction_id=self._ids.new(ids.TRANSACTION),
            )
        await table.append(connection, events, [self._encode(event) for event in events], at)
        return table.heads_after(events)
