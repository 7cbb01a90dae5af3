"""What a reader of the whole log knows behind each event, and writers that make logs worth reading."""

import asyncio
import copy
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from directorysync.v1 import events_pb2
from service.domain.errors import DirectorySyncError
from service.scim.errors import ScimError
from tests.integration.commit.conftest import Directories


@dataclass
class World:
    """Documents and versions of users and groups by id, and memberships as (group, member)."""

    users: dict[str, tuple[dict[str, Any], int]] = field(default_factory=dict)
    groups: dict[str, tuple[dict[str, Any], int]] = field(default_factory=dict)
    memberships: set[tuple[str, str]] = field(default_factory=set)

    def apply(self, event: events_pb2.Event) -> None:
        """As a mirror does."""
        kind = event.type.removeprefix("dsync.")
        if kind in {"user.created", "user.updated"}:
            self.users[event.user.id] = (json.loads(event.user.raw_attributes_json), event.user.version)
        elif kind in {"group.created", "group.updated"}:
            self.groups[event.group.id] = (json.loads(event.group.raw_attributes_json), event.group.version)
        elif kind in {"user.deleted", "group.deleted"}:
            gone = event.user.id or event.group.id
            self.users.pop(gone, None)
            self.groups.pop(gone, None)
            left = {place[0] for place in self.memberships if place[1] == gone}
            self.memberships = {place for place in self.memberships if gone not in place}
            for group_id in left & self.groups.keys():
                document, version = self.groups[group_id]
                self.groups[group_id] = (document, version + 1)
        elif event.HasField("membership"):
            place = (event.membership.group_id, event.membership.member_id)
            (self.memberships.add if kind.endswith("_added") else self.memberships.discard)(place)
            document, _ = self.groups[place[0]]
            self.groups[place[0]] = (document, event.membership.group_version)


def replay(events: Sequence[events_pb2.Event]) -> list[World]:
    """The world behind each number, from 0 on."""
    worlds = [World()]
    for event in events:
        world = copy.deepcopy(worlds[-1])
        world.apply(event)
        worlds.append(world)
    return worlds


async def scribble(directories: Directories, directory: str, seed: int, rounds: int) -> None:
    """Random writes, some of them at once, so that commands share batches."""
    chance = random.Random(seed)
    users: list[str] = []
    groups: list[str] = []
    for number in range(rounds):
        kind = chance.randrange(10)
        if kind < 2 or len(users) < 3:
            users.append(await directories.create_user(directory, f"u{number}", **_attributes(chance)))
        elif kind < 3 or not groups:
            within = chance.sample(users, min(len(users), 2)) + chance.sample(groups, min(len(groups), 1))
            groups.append(await directories.create_group(directory, f"g{number}", within))
        else:
            tasks = [
                _something(directories, directory, chance, number, users, groups) for _ in range(chance.choice((1, 3)))
            ]
            for failed in await asyncio.gather(*tasks, return_exceptions=True):
                if failed is not None and not isinstance(failed, DirectorySyncError | ScimError):
                    raise failed


def _attributes(chance: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {"title": f"T{chance.randrange(3)}"}
    if chance.random() < 0.5:
        made["emails"] = [{"value": f"m{chance.randrange(5)}@x.org", "type": "work"}]
    if chance.random() < 0.3:
        made["odd"] = chance.choice([1, 1.5, True, "1", {"a": [1, True]}])
    return made


async def _something(
    directories: Directories, directory: str, chance: random.Random, number: int, users: list[str], groups: list[str]
) -> None:
    user, group = chance.choice(users), chance.choice(groups)
    match chance.randrange(11):
        case 0 if chance.random() < 0.5:
            await directories.delete(directory, user)
        case 1 if chance.random() < 0.3:
            await directories.delete(directory, group)
        case 2 | 3:
            members = [{"value": one} for one in {user, chance.choice(users)}]
            await directories.patch(directory, group, {"op": "add", "path": "members", "value": members})
        case 4:
            await directories.patch(directory, group, {"op": "remove", "path": f'members[value eq "{user}"]'})
        case 5:
            await directories.patch(directory, group, {"op": "replace", "path": "displayName", "value": f"G{number}"})
        case 6:
            await directories.patch(directory, user, {"op": "replace", "path": "userName", "value": f"U{number}"})
        case 7:
            await directories.patch(
                directory, user, {"op": "replace", "path": "active", "value": chance.random() < 0.5}
            )
        case 8:
            await directories.patch(directory, user, {"op": "remove", "path": "emails"})
        case 9:
            inner = [{"value": chance.choice(groups)}]
            await directories.patch(directory, group, {"op": "add", "path": "members", "value": inner})
        case _:
            await directories.patch(directory, user, {"op": "add", "value": _attributes(chance)})
