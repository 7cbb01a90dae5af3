"""Pages of the log: oldest first or newest first, by cursor, event id or time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from service.app.event_places import begun, locate_event, position_of
from service.app.tail_reader import replaced
from service.app.tail_scope import EventFilter, Scope, resolve_scope
from service.app.tail_start import Place, expired_behind, locate
from service.domain.caller import Caller
from service.domain.cursor import directory_cursor, feed_cursor
from service.domain.errors import ArgumentError, LimitExceededError
from service.storage import event_list as table
from service.storage import feed
from service.storage.database import Pool
from service.storage.event_list import Item, Numbers, Scanned, Window

# A page is about so large at most; one that holds one huge command may be larger, up to a ceiling.
_AIM_BYTES = 2 * 1024 * 1024
_CEILING_BYTES = 32 * 1024 * 1024
# Of so many directories, the log of each is read by its numbers; of more, the feed by its positions.
_FEW = 32
# What one call looks through before it answers with what it has.
_WINDOWS = 20
_FIRST_WINDOW = 1_000
_LARGEST_WINDOW = 50_000
_DEEP = 2_000
_MOST_EVENTS = 1_000_000
# Clocks of replicas differ by less. Positions follow times only roughly.
_SKEW = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Query:
    """Which page. `cursor` and `after` (an event id) are places to go on from, behind them, or with `descending` back
    from them: a cursor covers its event, an event id is left out. `exact`: commands may be parted.
    """

    limit: int
    cursor: str = ""
    after: str = ""
    since: datetime | None = None
    until: datetime | None = None
    descending: bool = False
    exact: bool = False

    def __post_init__(self) -> None:
        if self.cursor and self.after:
            raise ArgumentError("after_event_id cannot go with cursor", field="after_event_id")
        if self.since is not None and self.until is not None and self.since > self.until:
            raise ArgumentError("end_time lies before start_time", field="end_time")


@dataclass(frozen=True, slots=True)
class EventPage:
    """Frames of events and where to go on."""

    body: bytes
    cursor: str
    more: bool


class _Gone(Exception):
    """Retention came by."""


class EventList:
    """`frame` makes a stored event a field of a message."""

    def __init__(self, pool: Pool, frame: Callable[[bytes], bytes]) -> None:
        self._pool = pool
        self._frame = frame

    async def page(self, caller: Caller, wanted: EventFilter, query: Query) -> EventPage:
        """One page. Never more than `limit` events, but for one command larger than that which is not to be parted.

        What was committed before the call is in the log: who writes and then reads finds what was written.
        """
        scope = await resolve_scope(self._pool, caller, wanted)
        state = await begun(self._pool)
        page = await self._page(caller, scope, query, state)
        if page.more and not (query.descending and not query.after and not query.cursor):
            return page
        newest = await feed.sequence(self._pool, hinted=False)
        return page if newest == state.newest else await self._page(caller, scope, query, await begun(self._pool))

    async def _page(self, caller: Caller, scope: Scope, query: Query, state: feed.State) -> EventPage:
        low, high = await self._stretch(caller, scope, query, state)
        reading = _Reading(self._pool, scope, query, state.epoch, Window(low, high))
        try:
            await reading.run()
        except _Gone:
            raise await expired_behind(self._pool, None) from None
        body = b"".join(self._frame(item.payload) for item in reading.items if item.payload is not None)
        rest = reading.high if query.descending else reading.low
        return EventPage(body, await self._token(scope, state.epoch, rest), reading.low < reading.high)

    async def _token(self, scope: Scope, epoch: str, position: int) -> str:
        """The cursor of one directory is a place in its own log, which retention leaves good while nothing happens."""
        directory_id = scope.directory_id
        seq = None if directory_id is None else await table.seq_at(self._pool, directory_id, position)
        if directory_id is None or seq is None:
            return feed_cursor(epoch, position)
        return directory_cursor(epoch, directory_id, seq)

    async def _stretch(self, caller: Caller, scope: Scope, query: Query, state: feed.State) -> tuple[int, int]:
        """Behind which position, up to which one. What retention took is passed over where only a time reaches it."""
        low, high = state.oldest, state.newest
        if query.since is not None:
            low = max(low, await feed.position_at(self._pool, query.since))
        if query.until is not None and query.until < datetime.max.replace(tzinfo=UTC) - _SKEW:
            high = min(high, await feed.position_at(self._pool, query.until + _SKEW))
        if not query.cursor and not query.after:
            return low, high
        if query.after:
            at = await locate_event(self._pool, caller, scope, query.after)
        else:
            at = await locate(self._pool, scope, query.cursor)
        position = await self._position(scope, at)
        if query.descending:
            return low, min(high, (position or low) - 1 if query.after else position or low)
        if position is None or position < state.oldest:
            await self._require_next(scope, at, state.oldest)
            position = state.oldest
        return max(low, position), max(high, position)

    async def _position(self, scope: Scope, at: Place) -> int | None:
        """Position of a place; None when retention took it, or ahead of a directory's first event."""
        if not at.by_number:
            return at.place
        return await position_of(self._pool, scope.directory_id or "", at.place) if at.place else None

    async def _require_next(self, scope: Scope, at: Place, oldest: int) -> None:
        """CursorExpiredError unless what follows in the directory is kept."""
        following = await position_of(self._pool, scope.directory_id or "", at.place + 1)
        if (following is None and at.place < at.newest) or (following is not None and following <= oldest):
            raise await expired_behind(self._pool, None)


class _Reading:
    """What is left lies behind `low` up to `high`: read from the one end or from the other."""

    def __init__(self, pool: Pool, scope: Scope, query: Query, epoch: str, left: Window) -> None:
        self._pool = pool
        self._wanted = scope.wanted()
        self._query = query
        self._epoch = epoch
        self.low, self.high = left.low, left.high
        self.items: list[Item] = []
        self._bytes = 0
        self._cut = False

    async def run(self) -> None:
        """Until the page is full, or nothing is left, or enough was looked through."""
        few = await self._few()
        span = max(self._query.limit, _FIRST_WINDOW)
        for _ in range(_WINDOWS):
            if self.low >= self.high or self._cut:
                break
            window = await (self._by_positions(span) if few is None else self._by_numbers(few))
            if window is None:
                self._pass(self.low if self._query.descending else self.high)
                break
            scanned = await self._scan(window, self._query.limit - len(self.items), _AIM_BYTES)
            self._take(scanned, window)
            span = min(4 * span, _LARGEST_WINDOW)
        if self._cut and not self._query.exact:
            await self._mend()

    async def _few(self) -> list[str] | None:
        if self._wanted.directory_ids is None and self._wanted.organization_ids is None:
            return None
        found = await table.directories(self._pool, self._wanted, _FEW + 1)
        return found if len(found) <= _FEW else None

    async def _by_positions(self, span: int) -> Window | None:
        ends = await table.ends(self._pool, self.low, self.high)
        if ends is None:
            return None
        if self._query.descending:
            return Window(max(self.low, ends[1] - span), self.high)
        return Window(self.low, min(self.high, ends[0] - 1 + span))

    async def _by_numbers(self, few: list[str]) -> Window | None:
        found = await table.numbers(self._pool, few, self.low, self.high)
        if not found:
            return None
        # Of each directory the next few suffice. Where there are more, the window ends with the first that is left off.
        depth = self._query.limit if self._takes_all else _DEEP
        deep = [one for one in found if one.high - one.low > depth]
        low, high = self.low, self.high
        if self._query.descending:
            if deep:
                _, low = await table.edges(self._pool, [(one.directory_id, one.high - depth) for one in deep])
            found = [Numbers(one.directory_id, max(one.low, one.high - depth), one.high) for one in found]
        else:
            if deep:
                high, _ = await table.edges(self._pool, [(one.directory_id, one.low + depth) for one in deep])
            found = [Numbers(one.directory_id, one.low, min(one.high, one.low + depth)) for one in found]
        return Window(low, high, found)

    @property
    def _takes_all(self) -> bool:
        return self._wanted.types is None and self._query.since is None and self._query.until is None

    async def _scan(self, window: Window, limit: int, size: int) -> Scanned:
        scanned = await table.scan(
            self._pool,
            window,
            self._wanted,
            (self._query.since, self._query.until),
            limit=limit,
            size=size - self._bytes,
            backward=self._query.descending,
        )
        if scanned.epoch != self._epoch:
            raise replaced()
        return scanned

    def _take(self, scanned: Scanned, window: Window) -> None:
        end = window.low if self._query.descending else window.high
        kept = [item for item in scanned.items if item.payload is not None]
        if len(kept) < len(scanned.items) or (not self._query.descending and self.low < scanned.oldest):
            # Newest first, there is nothing behind what retention took.
            if not self._query.descending:
                raise _Gone
            end = self.low
        self.items += kept
        self._bytes += sum(len(item.payload or b"") for item in kept)
        self._cut = scanned.cut and len(kept) == len(scanned.items)
        if self._cut:
            end = kept[-1].position - 1 if self._query.descending else kept[-1].position
        self._pass(end)
        self._cut = self._cut or len(self.items) >= self._query.limit or self._bytes >= _AIM_BYTES

    def _pass(self, end: int) -> None:
        if self._query.descending:
            self.high = end
        else:
            self.low = end

    async def _mend(self) -> None:
        """A command that was cut is left for the next page; one that is all there is comes whole."""
        last = self.items[-1].position
        ahead, end = await table.command(self._pool, last)
        if self._query.descending:
            rest = [item for item in self.items if item.position > end]
            missing = Window(max(ahead, self.low), last - 1)
        else:
            rest = [item for item in self.items if item.position <= ahead]
            missing = Window(last, end)
        if missing.low >= missing.high:
            return
        if rest:
            self.items = rest
            self._pass(end if self._query.descending else ahead)
            return
        scanned = await self._scan(missing, _MOST_EVENTS, _CEILING_BYTES)
        if scanned.cut:
            detail = "the next command is larger than a page may be; ask for `exact` pages, or watch, which parts it"
            raise LimitExceededError(detail, limit=str(_CEILING_BYTES))
        self._take(scanned, missing)
