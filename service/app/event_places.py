"""Where an event is that a reader knows by its id or number only."""

import asyncio
from datetime import UTC, datetime, timedelta

from service.app.tail_scope import Scope
from service.app.tail_start import Place, expired_behind
from service.domain.caller import Caller
from service.domain.errors import CursorInvalidError, DirectorySyncError, StorageUnavailableError
from service.domain.ids import EVENT, milliseconds_of
from service.storage import event_list as table
from service.storage import feed
from service.storage.database import Pool
from service.storage.feed import State

_SEQUENCER_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 0.02
_LATEST = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)


async def begun(pool: Pool) -> State:
    """The feed as it is now, once a sequencer has found the database to be the one it was."""
    state = await feed.state(pool)
    if state is None or not state.here:
        raise StorageUnavailableError("the feed has not begun; try again")
    return state


async def locate_event(pool: Pool, caller: Caller, scope: Scope, event_id: str) -> Place:
    """Behind the event of an id. CursorExpiredError when retention took it, CursorInvalidError when it never was.

    An event out of the caller's reach is one that never was. The id tells when it was made, so the two can be told
    apart without it.
    """
    state = await begun(pool)
    made = _made(event_id)
    found = None if made is None else await table.find(pool, event_id, made)
    if found is None or not caller.reaches(found.directory_id, found.organization_id):
        raise await _missing(pool, state, made)
    if scope.directory_id == found.directory_id:
        bounds = await feed.directory_bounds(pool, found.directory_id, found.seq)
        if bounds is None or (found.seq < bounds.newest and bounds.following != found.seq + 1):
            raise await expired_behind(pool, found.directory_id)
        return Place(state.epoch, found.seq, by_number=True, newest=bounds.newest, day=found.day)
    position = await position_of(pool, found.directory_id, found.seq)
    if position is None or position < state.oldest:
        raise await expired_behind(pool, None)
    return Place(state.epoch, position, by_number=False, newest=max(position, state.newest))


async def position_of(pool: Pool, directory_id: str, seq: int) -> int | None:
    """Position of a directory's event; None when retention took it. Waits for the sequencer, which is never far."""
    try:
        async with asyncio.timeout(_SEQUENCER_SECONDS):
            while True:
                position, awaited = await table.position(pool, directory_id, seq)
                if not awaited:
                    return position
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    except TimeoutError:
        raise StorageUnavailableError("the event has no position yet; try again") from None


def _made(event_id: str) -> datetime | None:
    milliseconds = milliseconds_of(event_id, EVENT)
    if milliseconds is None or milliseconds > _LATEST.timestamp() * 1000:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


async def _missing(pool: Pool, state: State, made: datetime | None) -> DirectorySyncError:
    if made is not None and made.date() < state.oldest_day:
        return await expired_behind(pool, None)
    return CursorInvalidError("there is no such event here")
