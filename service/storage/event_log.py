"""Size and reach of the log."""

from dataclasses import dataclass
from datetime import date, datetime

from service.storage.database import Pool
from service.storage.queries import load_queries

SQL = load_queries("event_log")


@dataclass(frozen=True, slots=True)
class Day:
    """Events of one day as far as statistics know, and bytes on disk with indexes. None: what lies in no day."""

    day: date | None
    events: int
    bytes: int


async def days(pool: Pool) -> list[Day]:
    """Oldest first."""
    return [Day(row["day"], row["events"], row["bytes"]) for row in await pool.fetch(SQL["days"])]


async def feed_bytes(pool: Pool) -> int:
    """What the order across directories takes."""
    return int(await pool.fetchval(SQL["feed_bytes"]))


async def times(pool: Pool, low: int, high: int) -> tuple[datetime | None, datetime | None]:
    """When the oldest and the newest event behind `low` up to `high` were committed."""
    row = await pool.fetchrow(SQL["times"], low, high)
    return (None, None) if row is None else (row["oldest"], row["newest"])
