"""Where a reader begins: a place in the feed or in one directory's log, checked against the database as it is now."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from service.app.tail_scope import Scope
from service.domain.caller import not_found
from service.domain.cursor import (
    Cursor,
    DirectoryCursor,
    FeedCursor,
    decode,
    directory_cursor,
    feed_cursor,
    require_scope,
)
from service.domain.errors import CursorDivergedError, CursorExpiredError, StorageUnavailableError
from service.storage import feed as table
from service.storage.database import Pool
from service.storage.feed import DirectoryBounds, State


class Edge(Enum):
    """The ends of what is kept."""

    BEGINNING = "beginning"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class Content:
    """What a snapshot is to hold besides the directories."""

    groups: bool = True
    users: bool = True
    memberships: bool = True


@dataclass(frozen=True, slots=True)
class EventId:
    """Behind the event of this id."""

    value: str


# An end of what is kept, a cursor's token, or a time.
Point = Edge | str | datetime
Start = Point | EventId | Content


@dataclass(frozen=True, slots=True)
class Place:
    """`by_number`: `place` is a number of the scope's one directory; else a position in the feed."""

    epoch: str
    place: int
    by_number: bool
    newest: int
    day: date | None = None


async def locate(pool: Pool, scope: Scope, start: Point) -> Place:
    """Raises CursorInvalidError, CursorExpiredError or CursorDivergedError for a start that cannot be."""
    cursor = decode(start) if isinstance(start, str) else None
    if cursor is not None:
        require_scope(cursor, scope.directory_ids)
    state = await table.state(pool)
    if state is None or not state.here:
        raise StorageUnavailableError("the feed has not begun; try again")
    if isinstance(cursor, FeedCursor):
        return await _at_position(pool, state, cursor)
    if isinstance(start, datetime):
        return await _at_time(pool, state, start)
    if scope.directory_id is not None:
        return await _in_directory(pool, state, scope.directory_id, start, cursor)
    if start is Edge.BEGINNING:
        return Place(state.epoch, state.oldest, by_number=False, newest=state.newest)
    # What was committed before now has its position: a write that was answered is not news to who begins behind it.
    newest = await table.sequence(pool, hinted=False)
    return Place(state.epoch, newest, by_number=False, newest=newest)


async def expired_behind(pool: Pool, directory_id: str | None) -> CursorExpiredError:
    """The error for a reader who fell behind retention, in the feed or in one directory's log."""
    state = await table.state(pool)
    bounds = None if directory_id is None else await table.directory_bounds(pool, directory_id, 0)
    if state is None or (bounds is None and directory_id is not None):
        return CursorExpiredError("the log begins anew; take a new snapshot")
    return _expired(state.epoch, state.oldest if bounds is None else _oldest(bounds), directory_id)


def _expired(epoch: str, oldest: int, directory_id: str | None) -> CursorExpiredError:
    # It says where a reader who can bear the gap may go on.
    token = feed_cursor(epoch, oldest) if directory_id is None else directory_cursor(epoch, directory_id, oldest)
    detail = "events behind this place were dropped by retention; take a new snapshot"
    return CursorExpiredError(detail, oldest_cursor=token)


def _diverged() -> CursorDivergedError:
    return CursorDivergedError("the cursor comes from a history that this database does not have; take a new snapshot")


async def _at_position(pool: Pool, state: State, cursor: FeedCursor) -> Place:
    position = cursor.position
    if cursor.epoch != state.epoch:
        ended = await table.ended_epoch(pool, cursor.epoch)
        if ended is None or position > ended[0]:
            raise _diverged()
    if position > state.newest:
        raise _diverged()
    if position < state.oldest:
        raise _expired(state.epoch, state.oldest, None)
    return Place(state.epoch, position, by_number=False, newest=state.newest)


async def _at_time(pool: Pool, state: State, time: datetime) -> Place:
    position = await table.position_at(pool, time)
    if position <= state.oldest and state.oldest > 0:
        # Events between this time and the floor may have been dropped.
        raise _expired(state.epoch, state.oldest, None)
    return Place(state.epoch, position, by_number=False, newest=max(position, state.newest))


async def _in_directory(pool: Pool, state: State, directory_id: str, start: Point, cursor: Cursor | None) -> Place:
    after = cursor.seq if isinstance(cursor, DirectoryCursor) else 0
    bounds = await table.directory_bounds(pool, directory_id, after)
    if bounds is None:
        raise not_found("Directory", directory_id)
    if isinstance(cursor, DirectoryCursor):
        await _check_number(pool, state, bounds, cursor)
        return Place(state.epoch, cursor.seq, by_number=True, newest=bounds.newest, day=cursor.day)
    place = bounds.newest if start is Edge.NOW else _oldest(bounds)
    return Place(state.epoch, place, by_number=True, newest=bounds.newest)


async def _check_number(pool: Pool, state: State, bounds: DirectoryBounds, cursor: DirectoryCursor) -> None:
    if cursor.epoch != state.epoch and cursor.seq > 0:
        ended = await table.ended_epoch(pool, cursor.epoch)
        if ended is None or not await table.survived(pool, cursor.directory_id, cursor.seq, ended[1]):
            raise _diverged()
    if cursor.seq > bounds.newest:
        raise _diverged()
    if cursor.seq < bounds.newest and bounds.following != cursor.seq + 1:
        raise _expired(state.epoch, _oldest(bounds), cursor.directory_id)


def _oldest(bounds: DirectoryBounds) -> int:
    return bounds.newest if bounds.oldest is None else bounds.oldest - 1
