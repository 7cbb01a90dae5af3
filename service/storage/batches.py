"""The two statements of a group commit: load what the commands name, write what was decided."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from service.domain.change import Event, GroupMember
from service.domain.directory import DirectoryState
from service.domain.group import Group, Member
from service.domain.history import Ended, History
from service.domain.needs import Needs
from service.domain.policy import policy_of
from service.domain.state import Head, Ref, State
from service.domain.user import User
from service.domain.writes import Awaited, Writes
from service.storage.database import Connection
from service.storage.events import as_json, event_rows, heads_after
from service.storage.queries import load_queries

SQL = load_queries("batches")
_decode = msgspec.json.decode
_NEEDS = tuple(item.name for item in fields(Needs))
Row = asyncpg.Record


async def load(connection: Connection, state: State | None, directories: Sequence[str], needs: Needs) -> State:
    """Lock the heads of `directories` (in id order) and load `needs`, into `state` when there is one already."""
    wanted = {name: sorted(keys) for name in _NEEDS if (keys := getattr(needs, name))}
    if directories:
        wanted["directories"] = list(directories)
    rows = await connection.fetch(SQL["load"], as_json(wanted))
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
        policy=policy_of(_decode(row["document"])),
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
            case "ref" | "external" | "pending" | "email" | "user_group":
                _fill_reference(state, row)
            case "all_member":
                members = everyone.setdefault((directory_id, row["id"]), {})
                members[row["key"]] = _member(row)
            case "member":
                state.know_member(directory_id, _member(row))
    for (directory_id, group_id), members in everyone.items():
        state.know_all_members(directory_id, group_id, members)
    for (directory_id, key), ids in bearers.items():
        state.know_group_key(directory_id, key, frozenset(ids))


def _fill_reference(state: State, row: Row) -> None:
    directory_id = row["directory_id"]
    if row["kind"] == "ref":
        state.know_ref(directory_id, Ref(row["id"], row["key"], row["other"], row["hidden"]))
    elif row["kind"] == "external":
        state.know_external(directory_id, row["key"], Ref(row["id"], row["other"], row["document"], row["hidden"]))
    elif row["kind"] == "email":
        state.know_email(directory_id, row["key"], row["id"])
    elif row["kind"] == "user_group":
        name, display = _decode(row["document"])
        member = Member(row["id"], row["key"], "User", "", row["created_at"], display)
        state.know_user_group(directory_id, GroupMember(row["id"], name, member, row["version"]))
    else:
        state.know_pending(directory_id, Awaited(row["id"], row["key"], row["other"], row["created_at"]))


def _member(row: Row) -> Member:
    name, display = _decode(row["document"]) if row["document"] else ("", None)
    return Member(row["id"], row["key"], row["other"], name or "", row["created_at"], display, row["hidden"])


def _user(state: State, row: Row) -> User:
    return User(
        directory_id=row["directory_id"],
        organization_id=state.heads[row["directory_id"]].organization_id,
        id=row["id"],
        document=_decode(row["document"]),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        hidden=row["hidden"],
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


async def write(  # noqa: PLR0917 (the parts of one batch)
    connection: Connection,
    writes: Writes,
    history: History,
    events: Sequence[Event],
    payloads: Sequence[bytes],
    at: datetime,
) -> None:
    """Write rows and events and move the heads, in one statement."""
    parts = {
        "users": [_user_row(user) for user in writes.users.values()],
        "groups": [_group_row(group) for group in writes.groups.values()],
        "added": [
            _member_row(key, member, history.since.get(key, 0))
            for key, member in writes.members.items()
            if member is not None
        ],
        "removed": [key for key, member in writes.members.items() if member is None],
        "renamed": list(writes.renamed),
        "stored_ended": [(*key, seq) for key, seq in history.stored_ended.items()],
        "ended": [_ended_row(item, at) for item in history.ended],
        "gone_users": [(*key, history.gone[key]) for key in writes.gone_users],
        "gone_groups": [(*key, history.gone[key]) for key in writes.gone_groups],
        "awaited": [_awaited_row(key, item) for key, item in writes.awaited.items() if item is not None],
        "unawaited": [key for key, item in writes.awaited.items() if item is None],
        "unawaited_groups": list(writes.unawaited_groups),
        "events": event_rows(events),
        "heads": heads_after(events),
    }
    filled = {name: part for name, part in parts.items() if part}
    await connection.execute(SQL["write"], as_json(filled), list(payloads), at)


def _user_row(user: User) -> dict[str, Any]:
    return {
        "directory_id": user.directory_id,
        "id": user.id,
        "organization_id": user.organization_id,
        "user_name": user.user_name,
        "user_key": user.key,
        "external_id": user.external_id,
        "email_keys": user.email_keys,
        "active": user.active,
        "hidden": user.hidden,
        "version": user.version,
        "document": user.document,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
    }


def _group_row(group: Group) -> dict[str, Any]:
    return {
        "directory_id": group.directory_id,
        "id": group.id,
        "organization_id": group.organization_id,
        "display_name": group.name,
        "name_key": group.key,
        "external_id": group.external_id,
        "idp_id": group.idp_id,
        "version": group.version,
        "document": group.document,
        "created_at": group.created_at,
        "updated_at": group.updated_at,
    }


def _member_row(key: tuple[str, str, str], member: Member, since: int) -> dict[str, Any]:
    return {
        "directory_id": key[0],
        "group_id": key[1],
        "member_id": key[2],
        "member_type": member.type,
        "created_at": member.created_at,
        "display": member.display,
        "since_seq": since,
    }


def _ended_row(item: Ended, at: datetime) -> dict[str, Any]:
    directory_id, group_id, member_id = item.key
    return {
        "directory_id": directory_id,
        "group_id": group_id,
        "member_id": member_id,
        "ended_seq": item.ended,
        "since_seq": item.since,
        "member_type": item.member.type,
        "created_at": item.member.created_at,
        "ended_at": at,
    }


def _awaited_row(key: tuple[str, str, str], awaited: Awaited) -> dict[str, Any]:
    return {
        "directory_id": key[0],
        "group_id": key[1],
        "value": awaited.value,
        "value_key": awaited.key,
        "created_at": awaited.since,
    }


async def event_at(connection: Connection, directory_id: str, seq: int) -> str | None:
    """Id of the event at a number of a directory."""
    found: str | None = await connection.fetchval(SQL["event_at"], directory_id, seq)
    return found
