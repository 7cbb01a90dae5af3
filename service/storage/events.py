"""The table `event` as writers see it: lock a head, append, move the head."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from service.domain.change import Event
from service.storage.database import Connection
from service.storage.queries import load_queries

SQL = load_queries("events")
_encode = msgspec.json.encode


def event_rows(events: Sequence[Event]) -> list[dict[str, object]]:
    """The rows that append_events_v1 and write_batch_v2 take, without their payloads."""
    return [
        {
            "directory_id": event.directory_id,
            "seq": event.seq,
            "id": event.id,
            "organization_id": event.organization_id,
            "type": event.change.type,
            "entity_id": event.change.entity_id,
            "entity_version": event.change.entity_version,
            "transaction_end": event.transaction_end,
        }
        for event in events
    ]


def heads_after(events: Sequence[Event]) -> dict[str, int]:
    """The newest number of each directory that the events are of."""
    return {event.directory_id: event.seq for event in events}


def as_json(value: object) -> str:
    """JSON for a parameter of type jsonb."""
    return _encode(value).decode()


async def lock_heads(connection: Connection, directory_ids: Sequence[str]) -> dict[str, int]:
    """The newest numbers of those that exist, held until the transaction ends."""
    rows = await connection.fetch(SQL["lock_heads"], directory_ids)
    return {row["directory_id"]: row["seq"] for row in rows}


async def lock_head(connection: Connection, directory_id: str) -> int | None:
    """As `lock_heads`, of one directory; None when there is no such directory."""
    return (await lock_heads(connection, [directory_id])).get(directory_id)


async def new_head(connection: Connection, directory_id: str) -> None:
    """Begin a directory's log."""
    await connection.execute(SQL["new_head"], directory_id)


async def append(connection: Connection, events: Sequence[Event], payloads: Sequence[bytes], at: datetime) -> None:
    """Append the events of directories whose heads this transaction holds."""
    rows, heads = as_json(event_rows(events)), as_json(heads_after(events))
    await connection.execute(SQL["append"], rows, list(payloads), heads, at)
