"""What users, groups and memberships were at a number of their directory."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from service.domain.group import Group, Member
from service.domain.user import User
from service.storage.database import Pool
from service.storage.queries import load_queries
from service.storage.rows import Row, group_from_row, member_from_row, user_from_row

SQL = load_queries("time_travel")

Moment = tuple[str, int]
"""A directory and a number of it: behind that event."""

# Statements add one to a number. No directory comes this far.
_GREATEST = (1 << 63) - 2


@dataclass(frozen=True, slots=True)
class State:
    """What the database knows of one thing at one moment.

    `lost`: retention took it. `event`, `earlier`: payloads of its first event behind the moment and, for an update, of
    the newest up to it. Without an event it is as `now`, or not there. `newest`, `at`: see states_at_v1.
    """

    lost: bool
    newest: bool
    at: datetime | None
    event: bytes | None
    earlier: bytes | None
    now: User | Group | None
    name: str | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """`newest` number of a directory; whether all behind the number asked for is `kept`; `memberships_from`: the number
    from which on memberships know theirs.
    """

    newest: int
    kept: bool
    memberships_from: int


async def bounds(pool: Pool, moment: Moment) -> Bounds | None:
    """None when the directory has no log."""
    directory_id, number = moment
    row = await pool.fetchrow(SQL["moment"], directory_id, min(number, _GREATEST))
    return None if row is None else Bounds(row["newest"], row["kept"], row["history_seq"])


async def number_at_time(pool: Pool, directory_id: str, time: datetime) -> int | None:
    """Number of the last event committed up to the time; None when retention may have taken it."""
    number: int | None = await pool.fetchval(SQL["number_at_time"], directory_id, time)
    return number


async def number_at_position(pool: Pool, directory_id: str, position: int) -> int:
    """Number of the directory's last event up to a position of the feed."""
    return int(await pool.fetchval(SQL["number_at_position"], directory_id, position))


async def states(
    pool: Pool, moments: Sequence[Moment], wanted: Sequence[tuple[int, str]], *, whole: bool
) -> dict[tuple[int, str], State]:
    """`wanted`: ids, each at the moment of that place. Without `whole` only names. Gone directories have no states."""
    places = [place + 1 for place, _ in wanted]
    numbers = [min(number, _GREATEST) for _, number in moments]
    ids = [wanted_id for _, wanted_id in wanted]
    directories = [directory_id for directory_id, _ in moments]
    rows = await pool.fetch(SQL["states_at"], directories, numbers, places, ids, whole)
    present = {(row["directory_id"], row["id"]): row for row in rows if row["moment"] is None}
    entities = {key: _entity(row) for key, row in present.items()} if whole else {}
    found = {}
    for row in rows:
        if row["moment"] is not None:
            place = row["moment"] - 1
            key = (directories[place], row["id"])
            found[(place, row["id"])] = _state(row, entities.get(key), present.get(key))
    return found


def _entity(row: Row) -> User | Group:
    return user_from_row(row) if row["kind"] == "user" else group_from_row(row)


def _state(row: asyncpg.Record, now: User | Group | None, present: Row | None) -> State:
    unmoved = row["kind"] == "now"
    return State(
        lost=row["kind"] == "lost",
        newest=row["newest"],
        at=row["at"],
        event=row["payload"],
        earlier=row["earlier"],
        now=now if unmoved else None,
        name=present["name"] if unmoved and present is not None else None,
    )


async def memberships(pool: Pool, moment: Moment, after: tuple[str, str], limit: int) -> list[Member]:
    """At most `limit` memberships behind a group and member, without names."""
    return _members(await pool.fetch(SQL["memberships_at"], *moment, *after, limit))


async def members(pool: Pool, moment: Moment, group_id: str, between: tuple[str, str], limit: int) -> list[Member]:
    """At most `limit` members of a group between two ids, without names."""
    return _members(await pool.fetch(SQL["members_at"], *moment, group_id, *between, limit))


async def groups_of(pool: Pool, moment: Moment, user_id: str, after: str, limit: int) -> list[str]:
    """At most `limit` ids of groups of a user behind an id."""
    return [row["group_id"] for row in await pool.fetch(SQL["groups_at"], *moment, user_id, after, limit)]


def _members(rows: Sequence[Row]) -> list[Member]:
    return [member_from_row({**row, "member_name": None}) for row in rows]
