"""A subscriber of one directory, and what its events must be."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Self

from google.protobuf.json_format import MessageToDict

from directorysync import Client, Event, EventFilter, WatchStart
from directorysync.v1 import directory_sync_pb2 as sync_pb2
from tests.support.exchanges import PATIENCE_SECONDS, Player, Recording
from tests.support.matching import expand, faults


class Subscriber:
    """Watches one directory from its beginning, as an application would, while the block lasts."""

    def __init__(self, client: Client, directory_id: str) -> None:
        self._client = client
        self._directory_id = directory_id
        self._arrived = asyncio.Event()
        self.events: list[Event] = []

    async def __aenter__(self) -> Self:
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()
        await asyncio.wait([self._watching])

    async def until(self, sequence: int) -> list[Event]:
        """The events up to a number, or what has come of them when patience ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len(self.events) < sequence:
                    await self._next()
        return self.events

    async def _next(self) -> None:
        self._arrived.clear()
        waiting = asyncio.create_task(self._arrived.wait())
        await asyncio.wait([waiting, self._watching], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._watching.done():
            self._watching.result()

    async def _watch(self) -> None:
        start = WatchStart(beginning=WatchStart.Beginning())
        async for batch in self._client.watch(filter=EventFilter(directory_ids=[self._directory_id]), start=start):
            self.events.extend(batch.events)
            self._arrived.set()


def fields_of(event: Event) -> dict[str, Any]:
    """An event as recordings write it: enum values as short words, JSON fields decoded, numbers as numbers."""
    fields = _fields(event)
    if event.previous_attributes_json:
        fields["previous_attributes"] = json.loads(event.previous_attributes_json)
    return fields


def _fields(message: Any) -> dict[str, Any]:
    fields = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    for holder in (fields, fields.get("user"), fields.get("group"), fields.get("membership"), fields.get("directory")):
        if isinstance(holder, dict):
            _simplify(holder)
    return fields


def _simplify(holder: dict[str, Any]) -> None:
    if "raw_attributes_json" in holder:
        holder["raw_attributes"] = json.loads(holder.pop("raw_attributes_json"))
    for name in ("state", "member_type"):
        if name in holder:
            holder[name] = holder[name].rpartition("_")[2].lower()
    for name in ("version", "sequence", "directory_sequence"):
        if name in holder:
            holder[name] = int(holder[name])


def order_faults(events: Sequence[Event]) -> list[str]:
    """What every directory's log promises: numbers without a gap, ids used once, commands whole."""
    found = []
    numbers = [event.directory_sequence for event in events]
    if numbers != list(range(1, len(events) + 1)):
        found.append(f"the numbers of the events are {numbers}")
    if len({event.id for event in events}) != len(events):
        found.append("an id was used twice")
    seen: set[str] = set()
    for event, following in zip(events, [*events[1:], None], strict=True):
        if (following is None or following.transaction_id != event.transaction_id) != event.transaction_end:
            found.append(f"transaction_end of event {event.directory_sequence} is {event.transaction_end}")
        if event.transaction_end and event.transaction_id in seen:
            found.append(f"the command of event {event.directory_sequence} was announced in parts")
        if event.transaction_end:
            seen.add(event.transaction_id)
    return found


def event_faults(recording: Recording, player: Player, events: Sequence[Event]) -> list[str]:
    """Whether exactly the recorded events came, each caused by its step, behind the one of the first token."""
    wanted = [{"type": "dsync.token.created"}, *expand(recording.events, player.names)]
    actual = [{**fields_of(event), "step": player.caused.get(event.request_id, "")} for event in events]
    found: list[str] = []
    for index, (expected, event) in enumerate(zip(wanted, actual, strict=False), start=1):
        found += faults(expected, event, player.names, f"event {index}")
    listing = [f"{number}. {event['type']} ({event['step']})" for number, event in enumerate(actual, start=1)]
    if len(wanted) != len(actual):
        found.append(f"expected {len(wanted)} events, {len(actual)} came")
    found += [f"a password is in event {number}" for number, text in enumerate(map(str, actual), start=1)
              for word in player.passwords if word in text]  # fmt: skip
    return [*found, *listing] if found else []


class Replica:
    """A directory rebuilt from its events alone."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, dict[str, Any]] = {}
        self.members: set[tuple[str, str]] = set()
        for event in events:
            self._apply(event)

    def _apply(self, event: Event) -> None:
        _, noun, verb = f"{event.type}..".split(".")[:3]
        if noun == "user":
            self._set(self.users, event.user, gone=verb == "deleted")
        elif noun == "group" and event.HasField("group"):
            self._set(self.groups, event.group, gone=verb == "deleted")
        elif event.HasField("membership"):
            pair = (event.membership.group_id, event.membership.member_id)
            (self.members.add if verb.endswith("_added") else self.members.remove)(pair)

    def _set(self, holder: dict[str, dict[str, Any]], entity: Any, *, gone: bool) -> None:
        holder[entity.id] = _fields(entity)
        if gone:
            del holder[entity.id]
            self.members = {pair for pair in self.members if entity.id not in pair}

    async def faults(self, client: Client, directory_id: str) -> list[str]:
        """Where it differs from what the service says when it is asked."""
        users = await client.sync.ListUsers(sync_pb2.ListUsersRequest(directory_id=directory_id, page_size=1000))
        groups = await client.sync.ListGroups(sync_pb2.ListGroupsRequest(directory_id=directory_id, page_size=1000))
        members = set()
        for group in groups.groups:
            request = sync_pb2.ListGroupMembersRequest(group_id=group.id, page_size=1000)
            members |= {(group.id, one.member_id) for one in (await client.sync.ListGroupMembers(request)).members}
        found = []
        if {user.id: _fields(user) for user in users.users} != self.users:
            found.append("the users rebuilt from the events are not those of the directory")
        if {one.id: _stable(_fields(one)) for one in groups.groups} != {k: _stable(v) for k, v in self.groups.items()}:
            found.append("the groups rebuilt from the events are not those of the directory")
        if members != self.members:
            found.append("the members rebuilt from the events are not those of the directory")
        return found


def _stable(group: dict[str, Any]) -> dict[str, Any]:
    """A change of members moves a group's version, and its events do not carry the group."""
    return {key: value for key, value in group.items() if key not in {"version", "update_time"}}
