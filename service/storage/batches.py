"""The two statements of a group commit: load what the commands name, write what was decided."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from service.domain.change import Event
from service.domain.directory import DirectoryState
from service.domain.group import Group, Member
from service.domain.state import Head, Needs, Ref, State, Writes
from service.domain.user import User
from service.storage.database import Connection
from service.storage.events import event_columns
from service.storage.queries import load_queries

SQL = load_queries("batches")
_decode = msgspec.json.decode
_encode = msgspec.json.encode
Row = asyncpg.Record


async def load(connection: Connection, state: State | None, directories: Sequence[str], needs: Needs) -> State:
    """Lock the heads of `directories` (in id order) and load `needs`, into `state` when there is one already."""
    keyed = (needs.user_ids, needs.user_keys, needs.group_ids, needs.group_keys, needs.refs)
    arguments: list[list[str]] = [list(directories)]
    for keys in keyed:
        ordered = list(keys)
        arguments += [[key[0] for key in ordered], [key[1] for key in ordered]]
    members = list(needs.members)
    arguments += [[key[place] for key in members] for place in range(3)]
    groups = list(needs.all_members)
    arguments += [[key[0] for key in groups], [key[1] for key in groups]]
    rows = await connection.fetch(SQL["load"], *arguments)
    if state is None:
        state = State(_head(row) for row in rows if row["kind"] == "head")
    _fill(state, rows)
    state.know_nothing_else(needs)
    return state


def _head(row: Row) -> Head:
    return Head(
        directory_id=row["directory_id"],
        organization_id=row["id"],
        provider=row["key"],
        state=DirectoryState(row["other"]),
        seq=row["version"],
        policy=_decode(row["document"]),
    )


def _fill(state: State, rows: Sequence[Row]) -> None:
    everyone: dict[tuple[str, str], dict[str, Member]] = {}
    bearers: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        kind, directory_id = row["kind"], row["directory_id"]
        match kind:
            case "user":
                state.know_user(_user(state, row))
            case "user_key":
                state.know_user_key(directory_id, row["key"], row["id"])
            case "group":
                state.know_group(_group(state, row))
            case "group_key":
                bearers.setdefault((directory_id, row["key"]), set()).add(row["id"])
            case "ref":
                state.know_ref(directory_id, Ref(row["id"], row["key"], row["other"]))
            case "member":
                member = Member(row["id"], row["key"], row["other"], "", row["created_at"])
                state.know_member(directory_id, member)
            case "all_member":
                member = Member(row["id"], row["key"], row["other"], row["document"] or "", row["created_at"])
                everyone.setdefault((directory_id, row["id"]), {})[row["key"]] = member
    for (directory_id, group_id), members in everyone.items():
        state.know_all_members(directory_id, group_id, members)
    for (directory_id, key), ids in bearers.items():
        state.know_group_key(directory_id, key, frozenset(ids))


def _user(state: State, row: Row) -> User:
    return User(
        directory_id=row["directory_id"],
        organization_id=state.heads[row["directory_id"]].organization_id,
        id=row["id"],
        document=_decode(row["document"]),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _group(state: State, row: Row) -> Group:
    return Group(
        directory_id=row["directory_id"],
        organization_id=state.heads[row["directory_id"]].organization_id,
        id=row["id"],
        document=_decode(row["document"]),
        idp_id=row["other"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


async def write(
    connection: Connection, writes: Writes, events: Sequence[Event], payloads: Sequence[bytes], at: datetime
) -> None:
    """Write rows and events and move the heads, in one statement."""
    heads = {event.directory_id: event.seq for event in events}
    await connection.execute(
        SQL["write"],
        *_user_columns(list(writes.users.values())),
        *_group_columns(list(writes.groups.values())),
        *_member_columns(writes),
        *_pairs(writes.gone_users),
        *_pairs(writes.gone_groups),
        list(heads),
        list(heads.values()),
        *event_columns(events, payloads),
        at,
    )


def _user_columns(users: Sequence[User]) -> list[list[Any]]:
    return [
        [user.directory_id for user in users],
        [user.id for user in users],
        [user.organization_id for user in users],
        [user.user_name for user in users],
        [user.key for user in users],
        [user.external_id for user in users],
        ["\x01".join(user.email_keys) for user in users],
        [user.active for user in users],
        [user.version for user in users],
        [_encode(user.document).decode() for user in users],
        [user.created_at for user in users],
        [user.updated_at for user in users],
    ]


def _group_columns(groups: Sequence[Group]) -> list[list[Any]]:
    return [
        [group.directory_id for group in groups],
        [group.id for group in groups],
        [group.organization_id for group in groups],
        [group.name for group in groups],
        [group.key for group in groups],
        [group.external_id for group in groups],
        [group.idp_id for group in groups],
        [group.version for group in groups],
        [_encode(group.document).decode() for group in groups],
        [group.created_at for group in groups],
        [group.updated_at for group in groups],
    ]


def _member_columns(writes: Writes) -> list[list[Any]]:
    added = [(key, member) for key, member in writes.members.items() if member is not None]
    removed = [key for key, member in writes.members.items() if member is None]
    return [
        [key[0] for key, _ in added],
        [key[1] for key, _ in added],
        [key[2] for key, _ in added],
        [member.type for _, member in added],
        [member.created_at for _, member in added],
        [key[0] for key in removed],
        [key[1] for key in removed],
        [key[2] for key in removed],
    ]


def _pairs(keys: Iterable[tuple[str, str]]) -> list[list[str]]:
    ordered = list(keys)
    return [[key[0] for key in ordered], [key[1] for key in ordered]]


async def event_at(connection: Connection, directory_id: str, seq: int) -> str | None:
    """Id of the event at a number of a directory."""
    found: str | None = await connection.fetchval(SQL["event_at"], directory_id, seq)
    return found
