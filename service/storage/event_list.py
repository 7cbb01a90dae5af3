"""The log as a list: events by id, by time, newest first, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from service.storage.database import Pool
from service.storage.feed import Wanted
from service.storage.queries import directed, load_queries

SQL = load_queries("event_list")
_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Found:
    """Where an event is."""

    directory_id: str
    organization_id: str
    seq: int
    day: date


@dataclass(frozen=True, slots=True)
class Numbers:
    """Events of one directory behind number `low` up to `high`."""

    directory_id: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Window:
    """Positions behind `low` up to `high`. Of directories that are few, `numbers` says where their events in it are."""

    low: int
    high: int
    numbers: Sequence[Numbers] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One event of a page. `payload` is None when retention took it while the page was read."""

    position: int
    transaction_end: bool
    payload: bytes | None


@dataclass(frozen=True, slots=True)
class Scanned:
    """Events in the order that was asked for; `cut`: there may be more between the last one and the other end."""

    epoch: str
    oldest: int
    items: list[Item]
    cut: bool


async def find(pool: Pool, event_id: str, made: datetime) -> Found | None:
    """By an id that was made at about that time; None when there is no such event."""
    day = made.date()
    near = (max(day, date.min + _A_DAY) - _A_DAY, min(day, date.max - _A_DAY) + _A_DAY)
    # Ids have the service's time, days the database's: when a clock is wrong, all days have to be looked through.
    for first, last in (near, (date.min, date.max)):
        row = await pool.fetchrow(SQL["find"], event_id, first, last)
        if row is not None:
            return Found(**row)
    return None


async def position(pool: Pool, directory_id: str, seq: int) -> tuple[int | None, bool]:
    """Position of a directory's event, None without one; and whether it is yet to get one."""
    row = await pool.fetchrow(SQL["position"], directory_id, seq)
    return (None, False) if row is None else (row["pos"], row["awaited"])


async def seq_at(pool: Pool, directory_id: str, position: int) -> int | None:
    """Number of a directory's newest event up to a position; None when the feed has nothing of the directory."""
    found: int | None = await pool.fetchval(SQL["seq_at"], directory_id, position)
    return found


async def directories(pool: Pool, wanted: Wanted, limit: int) -> list[str]:
    """Up to `limit` directories within the bounds."""
    rows = await pool.fetch(SQL["directories"], wanted.directory_ids, wanted.organization_ids, limit)
    return [row["id"] for row in rows]


async def numbers(pool: Pool, directory_ids: Sequence[str], low: int, high: int) -> list[Numbers]:
    """What the directories have behind position `low` up to `high`; those that have nothing are left out."""
    return [Numbers(*row.values()) for row in await pool.fetch(SQL["numbers"], directory_ids, low, high)]


async def edges(pool: Pool, events: Sequence[tuple[str, int]]) -> tuple[int, int]:
    """Least and greatest position of events that have one, by directory and number."""
    row = await pool.fetchrow(SQL["edges"], [name for name, _ in events], [seq for _, seq in events])
    assert row is not None  # noqa: S101 (an aggregate)
    return row["least"], row["greatest"]


async def ends(pool: Pool, low: int, high: int) -> tuple[int, int] | None:
    """Least and greatest of the positions behind `low` up to `high`; None without any."""
    row = await pool.fetchrow(SQL["ends"], low, high)
    return None if row is None or row["least"] is None else (row["least"], row["greatest"])


async def command(pool: Pool, position: int) -> tuple[int, int]:
    """The position ahead of the command that a position lies in, and the command's last one."""
    row = await pool.fetchrow(SQL["command"], position)
    assert row is not None  # noqa: S101 (it reads no table)
    return row["ahead"], row["last"] or position


async def scan(
    pool: Pool,
    window: Window,
    wanted: Wanted,
    times: tuple[datetime | None, datetime | None],
    *,
    limit: int,
    size: int,
    backward: bool,
) -> Scanned:
    """Wanted events of a window, oldest first or newest first; at most `limit`, about `size` bytes. `times`: from the
    first on, before the second.
    """
    places: tuple[list[str] | None, list[int], list[int]] = (None, [], [])
    if window.numbers is not None:
        few = window.numbers
        places = ([one.directory_id for one in few], [one.low for one in few], [one.high for one in few])
    bounds = (wanted.directory_ids, wanted.organization_ids, wanted.types, wanted.beginnings)
    statement = directed(SQL["scan"], backward=backward)
    rows = await pool.fetch(statement, window.low, window.high, *places, *bounds, *times, limit, size)
    items = [Item(row["pos"], row["transaction_end"], row["payload"]) for row in rows if row["pos"] is not None]
    cut = bool(items) and (rows[0]["total"] >= limit or rows[0]["total"] > len(items))
    return Scanned(rows[0]["epoch"], rows[0]["oldest_pos"], items, cut)
