"""The tables `webhook_endpoint` and `webhook_replay`, and the counter of their changes.

Secrets pass through here as they are stored: sealed or plain (service.app.sealing).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import asyncpg
import msgspec

from service.domain.stretch import Stretch
from service.domain.webhook import Endpoint, Lane, Replay, Secret, Target
from service.storage.database import Connection, Pool
from service.storage.queries import load_queries

SQL = load_queries("webhooks")
URL_CONSTRAINT = "webhook_endpoint_url_key"
_SECRETS = msgspec.json.Decoder(tuple[Secret, ...])

Source = Connection | Pool
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Targets:
    """Endpoints in the order of their ids, ids of those that are gone, and the counter before both were read."""

    targets: list[Target]
    gone: list[str]
    version: int


async def next_version(connection: Connection) -> int:
    """Count a change; the last statement of a transaction but those that need the number."""
    return int(await connection.fetchval(SQL["next_version"]))


async def insert(connection: Connection, value: Endpoint, version: int) -> None:
    """A new one; asyncpg.UniqueViolationError of URL_CONSTRAINT when its URL is taken."""
    await connection.execute(
        SQL["insert"],
        value.id,
        value.url,
        value.description,
        _json(value.secrets),
        value.subscription_id,
        list(value.directory_ids),
        list(value.organization_ids),
        list(value.types),
        value.created_at,
        version,
    )


async def count(source: Source) -> int:
    """Those that are not deleted."""
    return int(await source.fetchval(SQL["count"]))


async def get(source: Source, endpoint_id: str) -> Endpoint | None:
    """One that is not deleted."""
    row = await source.fetchrow(SQL["get"], endpoint_id)
    return None if row is None else _endpoint(row)


async def lock(connection: Connection, endpoint_id: str) -> Endpoint | None:
    """The same, held until the transaction ends."""
    row = await connection.fetchrow(SQL["lock"], endpoint_id)
    return None if row is None else _endpoint(row)


async def page(source: Source, stretch: Stretch) -> list[Endpoint]:
    """In the order in which the stretch is read."""
    statement = SQL["page_backward"] if stretch.backward else SQL["page"]
    return [_endpoint(row) for row in await source.fetch(statement, stretch.low, stretch.high, stretch.limit)]


async def update(connection: Connection, value: Endpoint, version: int) -> None:
    """Write everything that may change."""
    await connection.execute(
        SQL["update"],
        value.id,
        value.url,
        value.description,
        "enabled" if value.enabled else "disabled",
        value.status_reason,
        _json(value.secrets),
        list(value.directory_ids),
        list(value.organization_ids),
        list(value.types),
        value.updated_at,
        value.failing_since,
        version,
    )


async def hasten_lanes(connection: Connection, endpoint_id: str, at: datetime) -> None:
    """What waits is due now."""
    await connection.execute(SQL["hasten_lanes"], endpoint_id, at)


async def bury(connection: Connection, endpoint_id: str, at: datetime, version: int) -> None:
    """Mark it as deleted; its secrets go at once."""
    await connection.execute(SQL["bury"], endpoint_id, at, version)


async def touch(connection: Connection, endpoint_id: str, version: int) -> None:
    """Let dispatchers look at it."""
    await connection.execute(SQL["touch"], endpoint_id, version)


async def targets(connection: Connection, after: str, since: int, limit: int) -> Targets:
    """At most `limit` enabled ones behind an id that changed since a version or that nobody reads."""
    version = int(await connection.fetchval(SQL["version"]))
    if since > version:
        since = 0
    rows = await connection.fetch(SQL["targets"], after, since, limit)
    gone = await connection.fetch(SQL["gone"], since) if since and not after else []
    return Targets(await _targets(connection, rows), [row["id"] for row in gone], version)


async def targets_by_id(connection: Connection, ids: Sequence[str]) -> Targets:
    """Those of these that are enabled."""
    version = int(await connection.fetchval(SQL["version"]))
    rows = await connection.fetch(SQL["targets_by_id"], list(ids))
    return Targets(await _targets(connection, rows), sorted({*ids} - {row["id"] for row in rows}), version)


async def subscriptions_of(source: Source, ids: Sequence[str]) -> dict[str, str]:
    """Subscription by endpoint."""
    return {row["id"]: row["subscription_id"] for row in await source.fetch(SQL["subscriptions_of"], list(ids))}


async def insert_replay(connection: Connection, value: Replay) -> None:
    """A new one."""
    await connection.execute(
        SQL["insert_replay"],
        value.endpoint_id,
        value.id,
        value.event_id,
        value.start_at,
        value.end_at,
        value.test_event_type,
        value.created_at,
        value.cursor,
    )


async def count_unfinished(connection: Connection, endpoint_id: str) -> int:
    """Replays that are not done."""
    return int(await connection.fetchval(SQL["count_unfinished"], endpoint_id))


async def replays(source: Source, endpoint_id: str) -> list[Replay]:
    """The last 100, newest first."""
    return [_replay(row) for row in await source.fetch(SQL["replays"], endpoint_id)]


async def expired(source: Source, oldest: int) -> list[tuple[str, str]]:
    """Endpoints and subscriptions whose place is before the oldest event kept."""
    return [(row["id"], row["subscription_id"]) for row in await source.fetch(SQL["expired"], oldest)]


async def graves(source: Source, before: datetime) -> list[str]:
    """Endpoints deleted before a time."""
    return [row["id"] for row in await source.fetch(SQL["graves"], before)]


async def all_ids(source: Source, after: str) -> list[str]:
    """At most 1,000, deleted ones too."""
    return [row["id"] for row in await source.fetch(SQL["all_ids"], after)]


async def remove(source: Source, endpoint_id: str) -> None:
    """Forget a deleted one."""
    await source.execute(SQL["remove"], endpoint_id)


async def _targets(connection: Connection, rows: Sequence[asyncpg.Record]) -> list[Target]:
    ids = [row["id"] for row in rows]
    if not ids:
        return []
    lanes = _by_endpoint(await connection.fetch(SQL["lanes"], ids), _lane)
    replays = _by_endpoint(await connection.fetch(SQL["unfinished_replays"], ids), _replay)
    return [
        Target(
            endpoint=_endpoint(row),
            lanes=tuple(lanes.get(row["id"], ())),
            replays=tuple(replays.get(row["id"], ())),
            consumer=row["consumer"],
            lease_until=row["lease_until"],
        )
        for row in rows
    ]


def _by_endpoint(rows: Sequence[asyncpg.Record], convert: Callable[[asyncpg.Record], _T]) -> dict[str, list[_T]]:
    found: dict[str, list[_T]] = {}
    for row in rows:
        found.setdefault(row["endpoint_id"], []).append(convert(row))
    return found


def _endpoint(row: asyncpg.Record) -> Endpoint:
    return Endpoint(
        id=row["id"],
        url=row["url"],
        description=row["description"],
        secrets=_SECRETS.decode(row["secrets"]),
        subscription_id=row["subscription_id"],
        directory_ids=tuple(row["directory_ids"]),
        organization_ids=tuple(row["organization_ids"]),
        types=tuple(row["types"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        enabled=row["status"] == "enabled",
        status_reason=row["status_reason"],
        failing_since=row["failing_since"],
    )


def _lane(row: asyncpg.Record) -> Lane:
    return Lane(
        directory_id=row["directory_id"],
        directory_seq=row["directory_seq"],
        attempt_count=row["attempt_count"],
        next_attempt_at=row["next_attempt_at"],
        delivery_id=row["delivery_id"],
        cursor=row["cursor"],
    )


def _replay(row: asyncpg.Record) -> Replay:
    return Replay(
        id=row["id"],
        endpoint_id=row["endpoint_id"],
        created_at=row["created_at"],
        event_id=row["event_id"] or "",
        start_at=row["start_at"],
        end_at=row["end_at"],
        test_event_type=row["test_event_type"] or "",
        completed_at=row["completed_at"],
        delivered_count=row["delivered_count"],
        cursor=row["cursor"],
        error=row["error"],
    )


def _json(secrets: Sequence[Secret]) -> str:
    return msgspec.json.encode(secrets).decode()
