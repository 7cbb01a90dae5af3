"""The table `subscription`: how far each reader came, who reads now, and the fence between readers.

What moves the row for a reader names the `lease_epoch` that it was given; another one stands for another reader.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from service.domain.cursor import DirectoryCursor, decode, feed_cursor
from service.domain.errors import AlreadyExistsError, CursorInvalidError, LeaseLostError, StorageUnavailableError
from service.domain.subscription import MAX_ERROR, Bounds, Filter, Lag, Subscription
from service.storage.database import Connection, Pool
from service.storage.queries import load_queries

SQL = load_queries("subscriptions")

NAMED = "named"
WEBHOOK = "webhook"

Source = Connection | Pool
# Id of a subscription and the lease_epoch that a reader was given.
Lease = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Progress:
    """What one reader acknowledged and was sent. `cursor` and `place` are None where acknowledgements come another way.

    `sent`: last position sent. `attempts`: how often what is not acknowledged was sent. `error`: None leaves the last.
    """

    subscription_id: str
    lease_epoch: int
    cursor: str | None
    place: int | None
    sent: int
    attempts: int
    done: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class LagTotal:
    """Of one kind: how many there are, and the events that wait for all of them together."""

    subscriptions: int
    events: int


def lease_lost() -> LeaseLostError:
    """The one wording for a reader whose lease is another's."""
    return LeaseLostError("another reader took the subscription over, or it was reset or deleted")


async def now(source: Source) -> tuple[str, int]:
    """Cursor and position of the end of the log. StorageUnavailableError before the first sequencer ran."""
    row = await source.fetchrow(SQL["now"])
    if row is None:
        raise StorageUnavailableError("the feed has not begun; try again")
    return feed_cursor(row["epoch"], row["pos"]), row["pos"]


async def insert(
    source: Source,
    *,
    subscription_id: str,
    kind: str,
    name: str,
    wanted: Filter,
    bounds: Bounds,
    reach: Bounds,
    cursor: str,
    place: int,
    at: datetime,
) -> None:
    """A new one. AlreadyExistsError when the name is taken; names of webhook endpoints' are their ids."""
    try:
        await source.execute(
            SQL["insert"], subscription_id, kind, name, *_filter_columns(wanted, bounds, reach), cursor, place, at
        )
    except asyncpg.UniqueViolationError:
        raise AlreadyExistsError(f"there is a subscription called {name!r}", name=name) from None


async def find(source: Source, id_or_name: str) -> tuple[Subscription, Bounds] | None:
    """One of any kind by id, or of kind `named` by name; and what it reaches."""
    row = await source.fetchrow(SQL["find"], id_or_name)
    return None if row is None else (_subscription(row), _reach(row))


async def page(source: Source, after: str, limit: int, bounds: Bounds) -> list[Subscription]:
    """At most `limit` of kind `named` behind an id, within `bounds`."""
    directories, organizations = sorted(bounds.directory_ids) or None, sorted(bounds.organization_ids) or None
    found = await source.fetch(SQL["page"], after, limit, directories, organizations)
    return [_subscription(row) for row in found]


async def count(source: Source) -> int:
    """How many of kind `named` there are."""
    return int(await source.fetchval(SQL["count"]))


async def move(source: Source, subscription_id: str, cursor: str, place: int) -> bool:
    """To another place in the log; its reader is shut out. False when it is gone."""
    return await source.fetchval(SQL["move"], subscription_id, cursor, place) is not None


async def change_filter(source: Source, subscription_id: str, wanted: Filter, *, bounds: Bounds, reach: Bounds) -> bool:
    """Another filter from the same place; its reader is shut out. False when it is gone."""
    columns = _filter_columns(wanted, bounds, reach)
    return await source.fetchval(SQL["change_filter"], subscription_id, *columns) is not None


async def delete(source: Source, subscription_id: str) -> bool:
    """Forget it. False when it is gone already."""
    return await source.fetchval(SQL["delete"], subscription_id) is not None


async def acquire(
    source: Source, subscription_id: str, consumer: str, duration: timedelta, *, takeover: bool
) -> Subscription | None:
    """Take the lease; None when another reader has it, or the subscription is gone."""
    row = await source.fetchrow(SQL["acquire"], subscription_id, consumer, duration, takeover)
    return None if row is None else _subscription(row)


async def holder(source: Source, subscription_id: str) -> tuple[str, timedelta] | None:
    """Who has the lease and for how long still; None when the subscription is gone."""
    row = await source.fetchrow(SQL["holder"], subscription_id)
    return None if row is None else (row["consumer"], row["remaining"] or timedelta())


async def held(source: Source, leases: Sequence[Lease]) -> set[Lease]:
    """Those whose lease_epoch is still this one."""
    return _leases(await source.fetch(SQL["held"], *_columns(leases)))


async def renew(source: Source, leases: Sequence[Lease], duration: timedelta) -> set[Lease]:
    """The same, and they hold for another `duration`."""
    return _leases(await source.fetch(SQL["renew"], *_columns(leases), duration))


async def save(source: Source, progress: Sequence[Progress]) -> set[Lease]:
    """Write it, never back; the leases that were still those named. `done` gives the lease back."""
    columns = [
        (
            one.subscription_id,
            one.lease_epoch,
            one.cursor,
            one.place,
            one.sent,
            one.attempts,
            one.done,
            None if one.error is None else one.error[:MAX_ERROR],
        )
        for one in progress
    ]
    return _leases(await source.fetch(SQL["save"], *map(list, zip(*columns, strict=True))))


async def acknowledge(source: Source, subscription_id: str, lease_epoch: int, cursor: str) -> None:
    """Everything up to the cursor is done; an older one changes nothing. For a transaction of the caller's own.

    Raises LeaseLostError, upon which the transaction must not be committed, and CursorInvalidError for a cursor that no
    Subscribe gave out.
    """
    decoded = decode(cursor)
    if isinstance(decoded, DirectoryCursor):
        raise CursorInvalidError("the cursor is not one of a subscription")
    if await source.fetchval(SQL["acknowledge"], subscription_id, lease_epoch, cursor, decoded.position) is None:
        raise lease_lost()


async def fail(source: Source, subscription_id: str, error: str) -> None:
    """Keep what went wrong with one that nobody reads."""
    await source.execute(SQL["fail"], subscription_id, error[:MAX_ERROR])


async def lags(source: Source, most: int) -> tuple[list[Lag], dict[str, LagTotal]]:
    """Of each kind those furthest behind, at most twice `most` and no others further behind than these; and the totals.

    Endpoints that are turned off are left out.
    """
    rows = await source.fetch(SQL["lags"], most)
    found = [Lag(row["kind"], row["id"], int(row["events"]), max(0.0, row["age"].total_seconds())) for row in rows]
    return found, {row["kind"]: LagTotal(row["subscriptions"], int(row["total"])) for row in rows}


async def position_of(source: Source, directory_id: str, seq: int) -> int | None:
    """Position of the last event of a directory up to a number; None when retention left none of them."""
    found = await source.fetchval(SQL["position_of"], directory_id, seq)
    return None if found is None else int(found)


def _filter_columns(wanted: Filter, bounds: Bounds, reach: Bounds) -> list[list[str]]:
    return [
        list(wanted.directory_ids),
        list(wanted.organization_ids),
        list(wanted.types),
        sorted(bounds.directory_ids),
        sorted(bounds.organization_ids),
        sorted(reach.directory_ids),
        sorted(reach.organization_ids),
    ]


def _columns(leases: Sequence[Lease]) -> tuple[list[str], list[int]]:
    return [name for name, _ in leases], [epoch for _, epoch in leases]


def _leases(rows: Sequence[asyncpg.Record]) -> set[Lease]:
    return {(row["id"], row["lease_epoch"]) for row in rows}


def _reach(row: asyncpg.Record) -> Bounds:
    return Bounds(frozenset(row["reach_organization_ids"]), frozenset(row["reach_directory_ids"]))


def _subscription(row: asyncpg.Record) -> Subscription:
    shown: dict[str, Any] = dict(row)
    held = shown.get("held", True)
    return Subscription(
        id=row["id"],
        kind=row["kind"],
        name=row["name"],
        directory_ids=tuple(row["directory_ids"]),
        organization_ids=tuple(row["organization_ids"]),
        types=tuple(row["types"]),
        bounds=Bounds(frozenset(row["bound_organization_ids"]), frozenset(row["bound_directory_ids"])),
        cursor=row["cursor"],
        place=row["place"],
        created_at=row["created_at"],
        acked_at=row["acked_at"],
        consumer=row["consumer"] if held else "",
        lease_epoch=row["lease_epoch"],
        lease_until=row["lease_until"] if held else None,
        sent_place=row["sent_place"],
        redelivery_count=row["redelivery_count"],
        last_error=row["last_error"],
        last_error_at=row["last_error_at"],
        lag=shown.get("lag") or 0,
        lag_time=shown.get("lag_time") or timedelta(),
    )
