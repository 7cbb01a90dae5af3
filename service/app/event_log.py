"""What there is of the log, for operators."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from service.app.event_places import begun
from service.domain.caller import Caller
from service.domain.cursor import feed_cursor
from service.storage import event_log as table
from service.storage.database import Pool
from service.storage.event_log import Day


@dataclass(frozen=True, slots=True)
class LogReach:
    """`events` and `days` as far as statistics know. Times are None without events."""

    events: int
    bytes: int
    oldest_at: datetime | None
    newest_at: datetime | None
    oldest_cursor: str
    newest_cursor: str
    positions: int
    days: Sequence[Day]


async def reach_of_log(pool: Pool, caller: Caller) -> LogReach:
    """Raises ScopeMissingError for a caller with bounds."""
    caller.require_unbounded()
    state = await begun(pool)
    parts = await table.days(pool)
    oldest_at, newest_at = await table.times(pool, state.oldest, state.newest)
    return LogReach(
        events=sum(part.events for part in parts),
        bytes=sum(part.bytes for part in parts) + await table.feed_bytes(pool),
        oldest_at=oldest_at,
        newest_at=newest_at,
        oldest_cursor=feed_cursor(state.epoch, state.oldest),
        newest_cursor=feed_cursor(state.epoch, state.newest),
        positions=state.newest - state.oldest,
        days=[part for part in parts if part.day is not None and part.events],
    )
