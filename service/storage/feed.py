"""The log as its readers see it: pages by position or by a directory's numbers, the floor, the epochs."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TypeVar

import asyncpg

from service.domain.errors import StorageUnavailableError
from service.storage.database import Connection, Pool
from service.storage.queries import load_queries

SQL = load_queries("feed")
CHANNEL = "directorysync_feed"

Source = Connection | Pool


@dataclass(frozen=True, slots=True)
class Row:
    """One event of a page. `place` is its position, or its number in a page of one directory. `payload` is None when
    its type was not asked for.
    """

    place: int
    directory_id: str
    organization_id: str
    seq: int
    type: str
    transaction_end: bool
    payload: bytes | None


@dataclass(frozen=True, slots=True)
class State:
    """The feed at one moment. Events of days before `oldest_day` may be gone. Not `here`: the database was replaced,
    and no sequencer has noticed yet.
    """

    epoch: str
    oldest: int
    newest: int
    here: bool
    oldest_day: date


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in order. Everything in scope up to `end` is in them; `complete`: nothing was committed behind `end`.

    `end` is the end of a command, or the place before the page when the page ends inside its first command. Rows behind
    `end` belong to a command that goes on. `lost`: events between are gone, dropped by retention.
    """

    epoch: str
    rows: Sequence[Row]
    end: int
    complete: bool
    lost: bool
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Packed:
    """A page as those take it who send its events on; `end`, `complete` and `lost` as in Page.

    Of its events the `places`, whether each `ends` a command, and the length of each frame in `body`, 0 for
    a type that was not asked for.
    """

    epoch: str
    places: Sequence[int]
    ends: Sequence[bool]
    sizes: Sequence[int]
    body: bytes
    end: int
    complete: bool
    lost: bool
    day: date | None = None

    def events(self) -> Iterator[tuple[int, bool, bytes | None]]:
        """Place, whether it ends a command, and frame of each event."""
        at = 0
        for place, ends, size in zip(self.places, self.ends, self.sizes, strict=True):
            yield place, ends, self.body[at : at + size] if size else None
            at += size


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a page is to hold: bounds (None: no bound) and types (None: every type) with beginnings of types."""

    directory_ids: Sequence[str] | None = None
    organization_ids: Sequence[str] | None = None
    types: Sequence[str] | None = None
    beginnings: Sequence[str] = field(default=())


async def state(source: Source) -> State | None:
    """None before the first sequencer ran."""
    row = await source.fetchrow(SQL["state"])
    if row is None:
        return None
    return State(row["epoch"], row["oldest_pos"], row["newest"], row["here"], row["oldest_day"])


async def page_by_position(
    source: Source, after: int, wanted: Wanted, *, window: int, limit: int, size: int, day: date | None = None
) -> Page:
    """Events behind position `after`: of the next `window` to twice `window` positions, at most `limit` events, about
    `size` bytes. `day`: where the page before ended.
    """
    arguments = (after, window, size, *_bounds(wanted), limit)

    async def look(days: _Days) -> Page:
        return _page(await source.fetch(SQL["page_by_position"], *arguments, *days), after, limit, day)

    return await _wider(look, day)


async def packed_by_position(
    source: Source, after: int, wanted: Wanted, *, window: int, limit: int, size: int, day: date | None = None
) -> Packed:
    """As page_by_position."""
    arguments = (after, window, size, *_bounds(wanted), limit)

    async def look(days: _Days) -> Packed:
        row = await source.fetchrow(SQL["packed_by_position"], *arguments, *days)
        assert row is not None  # noqa: S101 (whoever reads the feed knows its state)
        return _packed_page(row, after, limit, day)

    return await _wider(look, day)


async def packed_by_number(
    source: Source, directory_id: str, after: int, wanted: Wanted, *, limit: int, size: int, day: date | None
) -> Packed | None:
    """Events of one directory behind number `after`. `day`: where the page before ended, or hint of a cursor. None when
    the directory has no log.
    """

    async def look(days: _Days) -> Packed | None:
        types = (wanted.types, wanted.beginnings)
        row = await source.fetchrow(SQL["packed_by_number"], directory_id, after, size, limit, *types, *days)
        return None if row is None else _numbered_page(row, after, day)

    return await _wider(look, day)


_Days = tuple[date, date]
_EVERY_DAY: _Days = (date.min, date.max)
_Found = TypeVar("_Found", Page, Packed, Packed | None)


async def _wider(look: Callable[[_Days], Awaitable[_Found]], day: date | None) -> _Found:
    """Look in the one day in which most pages begin and end, and further only when something is missing there: what a
    page costs grows with the number of days.
    """
    if day is not None:
        for days in ((day, day), (day - timedelta(days=1), date.max)):
            found = await look(days)
            if found is None or not found.lost:
                return found
    return await look(_EVERY_DAY)


def _bounds(wanted: Wanted) -> tuple[Sequence[str] | None, ...]:
    return wanted.directory_ids, wanted.organization_ids, wanted.types, wanted.beginnings


def _page(found: Sequence[asyncpg.Record], after: int, limit: int, day: date | None) -> Page:
    first = found[0]
    present = [row for row in found if row["pos"] is not None]
    # A position whose event is gone was passed by retention while this page was read.
    if after < first["oldest_pos"] or any(row["type"] is None for row in present):
        return Page(first["epoch"], (), after, complete=False, lost=True)
    rows = [_row(row, row["pos"]) for row in present]
    day = max((row["day"] for row in present), default=day)
    if present and (first["total"] >= limit or first["total"] > len(present)):
        end = next((row.place for row in reversed(rows) if row.transaction_end), after)
        return Page(first["epoch"], rows, end, complete=False, lost=False, day=day)
    end, complete = _end(first, after, empty=not present)
    return Page(first["epoch"], rows, end, complete=complete, lost=False, day=day)


def _packed_page(row: asyncpg.Record, after: int, limit: int, day: date | None) -> Packed:
    if after < row["oldest_pos"] or row["gone"]:
        return Packed(row["epoch"], (), (), (), b"", after, complete=False, lost=True)
    found, day = _packed(row), row["day"] or day
    if found[0] and (row["total"] >= limit or row["total"] > len(found[0])):
        return Packed(row["epoch"], *found, _whole_end(found, after), complete=False, lost=False, day=day)
    end, complete = _end(row, after, empty=not found[0])
    return Packed(row["epoch"], *found, end, complete=complete, lost=False, day=day)


def _end(row: asyncpg.Record, after: int, *, empty: bool) -> tuple[int, bool]:
    """Of a page that holds everything in scope of what it looked through: its end, and whether it is complete."""
    # Without `upto` there is nothing behind `after`.
    if row["upto"] is None or row["upto"] >= row["newest"]:
        return max(after, row["newest"]), True
    # A command out of scope may be larger than all that a page looks through; the page then ends behind it.
    return row["whole"] or (row["beyond"] if empty else None) or after, False


def _numbered_page(row: asyncpg.Record, after: int, day: date | None) -> Packed:
    if not row["here"]:
        # Positions cannot be mistaken for those of another history, a directory's numbers can.
        raise StorageUnavailableError("the database was replaced; resume with the last cursor")
    found, newest, day = _packed(row), row["newest"], row["day"] or day
    places = found[0]
    following = places[0] if places else after + 1 if newest <= after else 0
    if following != after + 1 or (places and places[-1] != after + len(places)):
        return Packed(row["epoch"], (), (), (), b"", after, complete=False, lost=True, day=day)
    end = _whole_end(found, after)
    return Packed(row["epoch"], *found, end, complete=end >= newest, lost=False, day=day)


_Packing = tuple[Sequence[int], Sequence[bool], Sequence[int], bytes]


def _packed(row: asyncpg.Record) -> _Packing:
    body = row["start"] + row["body"] if row["body"] is not None else b""
    return row["places"] or (), row["ends"] or (), row["sizes"] or (), body


def _whole_end(found: _Packing, after: int) -> int:
    places, ends = found[:2]
    return next((place for place, ends_it in zip(reversed(places), reversed(ends), strict=True) if ends_it), after)


def _row(row: asyncpg.Record, place: int) -> Row:
    return Row(
        place=place,
        directory_id=row["directory_id"],
        organization_id=row["organization_id"],
        seq=row["seq"],
        type=row["type"],
        transaction_end=row["transaction_end"],
        payload=row["payload"],
    )


@dataclass(frozen=True, slots=True)
class DirectoryBounds:
    """`newest` number of a directory, the `oldest` still kept (None: none), and the one kept next behind a place."""

    newest: int
    oldest: int | None
    following: int | None


async def directory_bounds(source: Source, directory_id: str, after: int) -> DirectoryBounds | None:
    """None when the directory has no log."""
    row = await source.fetchrow(SQL["directory_bounds"], directory_id, after)
    return None if row is None else DirectoryBounds(row["newest"], row["oldest"], row["following"])


async def position_at(source: Source, time: datetime) -> int:
    """The position behind the last event committed before `time`; the floor when every event kept is younger."""
    return int(await source.fetchval(SQL["position_at"], time))


async def ended_epoch(source: Source, epoch: str) -> tuple[int, int] | None:
    """Last position and greatest gid of an older epoch that are still true; None when it was never one of ours."""
    row = await source.fetchrow(SQL["ended_epoch"], epoch)
    return None if row is None else (row["end_pos"], row["end_gid"])


async def survived(source: Source, directory_id: str, seq: int, gid: int) -> bool:
    """Whether the event is one that had been given a gid up to `gid`."""
    return bool(await source.fetchval(SQL["survived"], directory_id, seq, gid))


async def organizations_of(source: Source, directory_ids: Sequence[str]) -> dict[str, str]:
    """Directory id -> organization id of those that exist."""
    return {row["id"]: row["organization_id"] for row in await source.fetch(SQL["directories"], directory_ids)}


async def known_organizations(
    source: Source, organization_ids: Sequence[str], directory_ids: Sequence[str] | None
) -> set[str]:
    """Those that exist and, with `directory_ids`, hold one of these directories."""
    found = await source.fetch(SQL["organizations"], organization_ids, directory_ids)
    return {row["id"] for row in found}


async def claim(connection: Connection, epoch: str) -> str:
    """`new`, `same`, `promoted` or `replaced`; see claim_feed_v1."""
    return str(await connection.fetchval(SQL["claim"], epoch))


async def sequence(connection: Connection | Pool, *, hinted: bool) -> int:
    """Give positions to new commits; the newest position. Without a hint an idle database is only looked at."""
    return int(await connection.fetchval(SQL["sequence"], hinted))


async def ensure_partitions(connection: Connection, ahead: int) -> int:
    """Make the day partitions of the next `ahead` days; how many were missing."""
    return int(await connection.fetchval(SQL["ensure_partitions"], ahead))


async def drop_expired(connection: Connection, grace: timedelta) -> int:
    """Drop partitions below a floor that has stood for `grace`; how many."""
    return int(await connection.fetchval(SQL["drop_expired"], grace))


async def move_floor(connection: Connection, day: date) -> int:
    """Expire the events of days before `day`; the floor."""
    return int(await connection.fetchval(SQL["move_floor"], day))


async def trim(connection: Connection, limit: int) -> int:
    """Delete up to `limit` positions below the floor; how many."""
    return int(await connection.fetchval(SQL["trim"], limit))


async def trim_history(connection: Connection, before: datetime, limit: int) -> int:
    """Delete up to `limit` memberships that ended before a time; how many."""
    return int(await connection.fetchval(SQL["trim_history"], before, limit))
