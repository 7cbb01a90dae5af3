"""One consistent state: a transaction over one snapshot, and pages of what is in it."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import asyncpg

from service.domain.directory import DirectorySummary
from service.domain.errors import StorageUnavailableError
from service.storage.database import Connection, Pool, connect
from service.storage.queries import load_queries
from service.storage.rows import Row, directory_from_row

SQL = load_queries("snapshot")

# A reader may let this long pass between two pages. Sessions that are left open hold back vacuum.
_IDLE = "60s"
_INTERRUPTED = (
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.LockNotAvailableError,
    asyncpg.OperatorInterventionError,
)

T = TypeVar("T")
# Directory and id of a user or group, or directory, group and member; empty: the beginning.
Key = tuple[str, ...]
# Group and its name, member, whether that is a group, its name, since when (microseconds since 1970). There are many.
Membership = tuple[str, str, str, bool, str, int]
_COLUMNS = ("group_ids", "member_ids", "nested", "created")
# Names that a moment keeps: those of most directories, in some dozens of megabytes.
_NAMES = 200_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """Directories and organizations; None is no bound."""

    directory_ids: Sequence[str] | None
    organization_ids: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Moment:
    """A transaction over one snapshot. Everything up to `place` is in it and nothing behind: a number of the directory
    that it was opened for, else a position in the feed.

    `names`: of users and groups that were read, by id, for their memberships; None for a hidden user. They are valid
    for as long as the moment, and most users are in several groups.
    """

    connection: Connection
    epoch: str
    place: int
    names: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Things in order; `more`: there may be others behind `last`.

    What has a document is still a row: the objects of a whole page would be megabytes, in no cache of the processor and
    a burden for the collector of garbage. Whoever puts a few into a message makes these few (service.storage.rows).
    """

    items: Sequence[T]
    more: bool
    last: Key


@contextlib.asynccontextmanager
async def moment(database_url: str, pool: Pool, directory_id: str | None) -> AsyncIterator[Moment]:
    """The state as it is now, held on a connection of its own; `directory_id` when only one directory matters."""
    connection = await connect(database_url, idle_in_transaction_session_timeout=_IDLE)
    try:
        await connection.transaction(isolation="repeatable_read", readonly=True).start()
        position = None if directory_id is not None else await _adopt(connection, pool)
        found = await connection.fetchrow(SQL["moment"], directory_id)
        if found is None or not found["here"]:
            raise _replaced()
        place: int | None = found["seq"] if position is None else position
        if place is None:
            raise StorageUnavailableError("the directory has no log; try again")
        yield Moment(connection, found["epoch"], place)
    except _INTERRUPTED:
        raise StorageUnavailableError("the snapshot was cut; start again") from None
    finally:
        # It only read.
        connection.terminate()


async def _adopt(connection: Connection, pool: Pool) -> int:
    """Give the transaction a snapshot of which everything has a position, and the newest of these positions.

    No position alone divides what a snapshot holds from what comes later: commits get theirs a little afterwards. So
    they get them here, in the very snapshot that is then read. Sequencers wait for these few statements, no writer.
    """
    async with pool.acquire() as other, other.transaction(isolation="repeatable_read"):
        await other.execute(SQL["hold_sequencers"])
        row = await other.fetchrow(SQL["place_all"])
        if row is None or row["position"] is None:
            raise _replaced()
        # Not a statement that takes parameters; the name is PostgreSQL's own: hexadecimal digits and hyphens.
        await connection.execute(f"SET TRANSACTION SNAPSHOT '{row['snapshot']}'")
        position: int = row["position"]
    return position


def _replaced() -> StorageUnavailableError:
    return StorageUnavailableError("the database was replaced; try again")


async def directories(at: Moment, bounds: Bounds, after: str, limit: int) -> list[DirectorySummary]:
    """At most `limit` directories behind an id."""
    rows = await at.connection.fetch(SQL["directories"], after, limit, bounds.directory_ids, bounds.organization_ids)
    return [DirectorySummary(directory_from_row(row), row["seq"]) for row in rows]


async def directory_ids(at: Moment, bounds: Bounds, after: str, limit: int) -> list[str]:
    """As `directories`."""
    rows = await at.connection.fetch(SQL["directory_ids"], after, limit, bounds.directory_ids, bounds.organization_ids)
    return [row["id"] for row in rows]


async def groups(at: Moment, ids: Sequence[str], after: Key, limit: int, size: int) -> Page[Row]:
    """At most `limit` groups of these directories, about `size` bytes, behind a key: rows, see `Page`."""
    rows = await at.connection.fetch(SQL["groups"], ids, *(after or ("", "")), limit, size)
    _make_room(at)
    at.names.update((row["id"], row["display_name"]) for row in rows)
    return Page(rows, _more(rows, limit), _key(rows))


async def users(at: Moment, ids: Sequence[str], after: Key, limit: int, size: int) -> Page[Row]:
    """As `groups`."""
    rows = await at.connection.fetch(SQL["users"], ids, *(after or ("", "")), limit, size)
    _make_room(at)
    at.names.update((row["id"], row["user_name"]) for row in rows)
    return Page(rows, _more(rows, limit), _key(rows))


async def memberships(at: Moment, ids: Sequence[str], after: Key, limit: int) -> Page[Membership]:
    """At most `limit` memberships of these directories behind a key, without those of hidden users."""
    row = await at.connection.fetchrow(SQL["memberships"], ids, *(after or ("", "", "")), limit)
    if row is None or row["group_ids"] is None:
        return Page([], more=False, last=())
    group_ids, member_ids, nested, created = (row[name] for name in _COLUMNS)
    group_names, names = await _names(at, ids, group_ids), await _names(at, ids, member_ids)
    rows = zip(group_ids, group_names, member_ids, nested, names, created, strict=True)
    items: list[Any] = [each for each in rows if each[4] is not None] if None in names else list(rows)
    return Page(items, len(group_ids) >= limit, (row["last_directory_id"], group_ids[-1], member_ids[-1]))


async def _names(at: Moment, directory_ids: Sequence[str], ids: Sequence[str]) -> list[str | None]:
    """Of each of `ids` its name."""
    _make_room(at)
    try:
        return [at.names[each] for each in ids]
    except KeyError:
        missing = list(set(ids).difference(at.names))
    rows = await at.connection.fetch(SQL["names"], directory_ids, missing)
    at.names.update(dict.fromkeys(missing))
    at.names.update((row["id"], row["name"]) for row in rows)
    return [at.names[each] for each in ids]


def _make_room(at: Moment) -> None:
    if len(at.names) >= _NAMES:
        at.names.clear()


def _more(rows: Sequence[Row], limit: int) -> bool:
    return bool(rows) and (rows[0]["total"] >= limit or rows[0]["total"] > len(rows))


def _key(rows: Sequence[Row]) -> Key:
    return (rows[-1]["directory_id"], rows[-1]["id"]) if rows else ()
