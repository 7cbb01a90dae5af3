"""The table `event` as writers see it: lock a head, append, move the head."""

from collections.abc import Sequence
from datetime import datetime

from service.domain.change import Event
from service.storage.database import Connection
from service.storage.queries import load_queries

SQL = load_queries("events")


def event_columns(events: Sequence[Event], payloads: Sequence[bytes]) -> list[list[object]]:
    """The arrays that append_events_v1 and write_batch_v1 take after the heads, in their order."""
    return [
        [event.directory_id for event in events],
        [event.seq for event in events],
        [event.id for event in events],
        [event.organization_id for event in events],
        [event.change.type.value for event in events],
        [event.change.entity_id for event in events],
        [event.change.entity_version for event in events],
        [event.transaction_end for event in events],
        list(payloads),
    ]


async def lock_head(connection: Connection, directory_id: str) -> int | None:
    """The newest number of the directory, held until the transaction ends; None when there is no such directory."""
    seq: int | None = await connection.fetchval(SQL["lock_head"], directory_id)
    return seq


async def new_head(connection: Connection, directory_id: str) -> None:
    """Begin a directory's log."""
    await connection.execute(SQL["new_head"], directory_id)


async def append(connection: Connection, events: Sequence[Event], payloads: Sequence[bytes], at: datetime) -> None:
    """Append the events of one directory whose head this transaction holds."""
    columns = event_columns(events, payloads)
    await connection.execute(SQL["append"], [events[-1].directory_id], [events[-1].seq], *columns, at)
