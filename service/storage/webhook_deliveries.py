"""The tables `webhook_delivery` and `webhook_lane`: what dispatchers did, written for many endpoints at once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from service.domain.webhook import Attempt, Delivery, DeliveryState, DisabledEndpoint, Lane, Record, Replay
from service.storage.database import Connection, Pool
from service.storage.queries import load_queries

SQL = load_queries("webhook_deliveries")
_ATTEMPTS = msgspec.json.Decoder(tuple[Attempt, ...])

Source = Connection | Pool


async def hold(connection: Connection, records: Sequence[Record]) -> set[str]:
    """Endpoints whose lease is still that of the record; nobody takes them over before the transaction ends."""
    ids, epochs = [record.endpoint_id for record in records], [record.lease_epoch for record in records]
    return {row["id"] for row in await connection.fetch(SQL["hold"], ids, epochs)}


async def write(connection: Connection, records: Sequence[Record]) -> None:
    """Everything but cursors and what turns endpoints off."""
    if rows := [_delivery_row(one.endpoint_id, delivery) for one in records for delivery in one.deliveries]:
        await connection.execute(SQL["upsert"], _json(rows))
    if rows := [_lane_row(one.endpoint_id, lane) for one in records for lane in one.lanes]:
        await connection.execute(SQL["upsert_lanes"], _json(rows))
    if ended := [(one.endpoint_id, directory_id) for one in records for directory_id in one.ended_lanes]:
        await connection.execute(SQL["end_lanes"], [pair[0] for pair in ended], [pair[1] for pair in ended])
    if rows := [_replay_row(replay) for one in records for replay in one.replays]:
        await connection.execute(SQL["advance_replays"], _json(rows))
    if failing := [one for one in records if one.failing_since is not None or one.succeeded]:
        ids, since = [one.endpoint_id for one in failing], [one.failing_since for one in failing]
        await connection.execute(SQL["set_failing"], ids, since)


async def disable(
    connection: Connection, endpoint_id: str, reason: str, at: datetime, version: int
) -> DisabledEndpoint | None:
    """Turn an endpoint off; None: it was off."""
    row = await connection.fetchrow(SQL["disable"], endpoint_id, reason, at, version)
    return None if row is None else DisabledEndpoint(endpoint_id, reason, row["failing_since"])


async def longest_waiting(connection: Connection, endpoint_id: str) -> tuple[str, str] | None:
    """Directory and organization of the lane that has waited longest; None: nothing waits."""
    row = await connection.fetchrow(SQL["longest_waiting"], endpoint_id)
    return None if row is None else (row["id"], row["organization_id"])


async def page(
    source: Source, endpoint_id: str, before: str, limit: int, *, state: DeliveryState | None, event_id: str
) -> list[Delivery]:
    """At most `limit` before an id, newest first, without attempts."""
    if event_id:
        rows = await source.fetch(SQL["page_by_event"], endpoint_id, before, limit, event_id, state)
    elif state is not None:
        rows = await source.fetch(SQL["page_by_state"], endpoint_id, before, limit, state)
    else:
        rows = await source.fetch(SQL["page"], endpoint_id, before, limit)
    return [_delivery(row) for row in rows]


async def get(source: Source, endpoint_id: str, delivery_id: str) -> Delivery | None:
    """One with its attempts."""
    row = await source.fetchrow(SQL["get"], endpoint_id, delivery_id)
    return None if row is None else _delivery(row, _ATTEMPTS.decode(row["attempts"]))


async def purge(source: Source, endpoint_id: str, before: str, limit: int) -> int:
    """Take away at most `limit` before an id; how many there were."""
    return int((await source.execute(SQL["purge"], endpoint_id, before, limit)).split()[-1])


async def purge_replays(source: Source, endpoint_id: str, before: str) -> None:
    """Take away replays before an id."""
    await source.execute(SQL["purge_replays"], endpoint_id, before)


def _delivery_row(endpoint_id: str, value: Delivery) -> dict[str, Any]:
    return {
        "endpoint_id": endpoint_id,
        "id": value.id,
        "event_id": value.event_id,
        "event_type": value.event_type,
        "directory_id": value.directory_id,
        "state": value.state,
        "attempt_count": value.attempt_count,
        "created_at": value.created_at,
        "updated_at": value.updated_at,
        "next_attempt_at": value.next_attempt_at,
        "response_status": value.response_status,
        "attempts": value.attempts,
    }


def _lane_row(endpoint_id: str, value: Lane) -> dict[str, Any]:
    return {
        "endpoint_id": endpoint_id,
        "directory_id": value.directory_id,
        "directory_seq": value.directory_seq,
        "attempt_count": value.attempt_count,
        "next_attempt_at": value.next_attempt_at,
        "delivery_id": value.delivery_id,
        "cursor": value.cursor,
    }


def _replay_row(value: Replay) -> dict[str, Any]:
    return {
        "endpoint_id": value.endpoint_id,
        "id": value.id,
        "completed_at": value.completed_at,
        "delivered_count": value.delivered_count,
        "cursor": value.cursor,
        "error": value.error,
    }


def _delivery(row: asyncpg.Record, attempts: tuple[Attempt, ...] = ()) -> Delivery:
    return Delivery(
        id=row["id"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        directory_id=row["directory_id"],
        state=DeliveryState(row["state"]),
        attempt_count=row["attempt_count"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        next_attempt_at=row["next_attempt_at"],
        response_status=row["response_status"],
        attempts=attempts,
        endpoint_id=row["endpoint_id"],
        error=row["error"] or "",
    )


def _json(rows: Sequence[dict[str, Any]]) -> str:
    return msgspec.json.encode(rows).decode()
