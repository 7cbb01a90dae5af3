"""A copy of directories made from a snapshot and the events after it, as a subscriber would; writers of all kinds."""

import asyncio
import random
from copy import deepcopy
from typing import Any

from directorysync.v1 import directory_sync_pb2 as pb
from service.domain.errors import DirectorySyncError
from service.scim.errors import ScimError
from tests.integration.commit.conftest import Directories
from tests.integration.feed.lab import PATIENCE


class Copy:
    """Keeps whatever it is told, and refuses what cannot follow from what it has."""

    def __init__(self) -> None:
        self.started = self.complete = False
        self.cursor = ""
        self.directories: dict[str, int] = {}
        self.users: dict[str, int] = {}
        self.groups: dict[str, tuple[str, int]] = {}
        self.members: set[tuple[str, str]] = set()
        self.parts = 0

    async def read(self, call: Any, heads: dict[str, int] | None = None) -> None:
        """Until the snapshot is complete, or, with `heads`, until each directory's newest event is in."""
        async with asyncio.timeout(PATIENCE):
            while not self.complete or any(self.directories[name] < seq for name, seq in (heads or {}).items()):
                self.take(await anext(call))

    def at_its_cursor(self) -> "Copy":
        """As stored with its cursor, to be continued by another watch."""
        copy = deepcopy(self)
        copy.started = False
        return copy

    def take(self, message: pb.WatchEventsResponse) -> None:
        assert message.started != self.started, "the first message alone says that the watch began"
        self.started = True
        assert message.HasField("snapshot") != self.complete, "parts come first, then events"
        if message.HasField("snapshot"):
            assert not message.events
            self.parts += 1
            self._part(message.snapshot)
            self.complete = message.snapshot.complete
            assert bool(message.cursor) == self.complete
        self.cursor = message.cursor or self.cursor
        for event in message.events:
            self._apply(event)

    def _part(self, part: pb.SnapshotPart) -> None:
        for directory in part.directories:
            self.directories[directory.id] = directory.sequence
        self.users |= {user.id: user.version for user in part.users}
        self.groups |= {group.id: (group.name, group.version) for group in part.groups}
        self.members |= {(one.group_id, one.member_id) for one in part.memberships}

    def _apply(self, event: Any) -> None:
        expected = self.directories.get(event.directory_id, 0) + 1
        assert event.directory_sequence == expected, "an event is missing or came twice"
        self.directories[event.directory_id] = event.directory_sequence
        _, noun, verb = f"{event.type}..".split(".")[:3]
        if noun == "user":
            assert event.user.version == self.users.get(event.user.id, 0) + 1 or verb == "deleted"
            self.users[event.user.id] = event.user.version
        elif event.HasField("group"):
            self.groups[event.group.id] = (event.group.name, event.group.version)
        elif event.HasField("membership"):
            pair = (event.membership.group_id, event.membership.member_id)
            assert (pair in self.members) != verb.endswith("_added")
            (self.members.add if verb.endswith("_added") else self.members.remove)(pair)
        if verb == "deleted":
            gone = event.user.id or event.group.id
            self.users.pop(gone, None)
            self.groups.pop(gone, None)
            self.members = {pair for pair in self.members if gone not in pair}


async def stored(directories: Directories, *names: str) -> Copy:
    """What the tables hold of these directories."""
    copy = Copy()
    ids = list(names)
    rows = await directories.fetch("SELECT directory_id, seq FROM head WHERE directory_id = ANY ($1)", ids)
    copy.directories = dict(map(tuple, rows))
    rows = await directories.fetch(
        "SELECT id, version FROM directory_user WHERE directory_id = ANY ($1) AND NOT hidden", ids
    )
    copy.users = dict(map(tuple, rows))
    rows = await directories.fetch(
        "SELECT id, display_name, version FROM directory_group WHERE directory_id = ANY ($1)", ids
    )
    copy.groups = {row["id"]: (row["display_name"], row["version"]) for row in rows}
    rows = await directories.fetch("SELECT group_id, member_id FROM membership WHERE directory_id = ANY ($1)", ids)
    copy.members = set(map(tuple, rows))
    return copy


def differences(copy: Copy, truth: Copy) -> list[str]:
    """What a subscriber would have wrong. The groups of a deleted user change without an event of their own."""
    found = []
    for name in ("directories", "users", "members"):
        if getattr(copy, name) != getattr(truth, name):
            found.append(f"{name}: {getattr(copy, name)} instead of {getattr(truth, name)}")
    if {group: name for group, (name, _) in copy.groups.items()} != {
        key: name for key, (name, _) in truth.groups.items()
    }:
        found.append(f"groups: {copy.groups} instead of {truth.groups}")
    found += [f"version of {key}" for key, (_, version) in copy.groups.items() if version > truth.groups[key][1]]
    return found


async def write(directories: Directories, name: str, seed: int, stop: asyncio.Event) -> int:
    """Changes of every kind, without pause, in a directory that others write to as well; how many went through."""
    chance = random.Random(seed)
    done = 0
    while not stop.is_set():
        users = await directories.fetch("SELECT id FROM directory_user WHERE directory_id = $1", name)
        groups = await directories.fetch("SELECT id FROM directory_group WHERE directory_id = $1", name)
        user = chance.choice(users)["id"] if users else ""
        group = chance.choice(groups)["id"] if groups else ""
        member = {"op": "add", "path": "members", "value": [{"value": user}]}
        try:
            match chance.randrange(9):
                case 0 | 1 | 2:
                    await directories.create_user(name, f"u{seed}-{done}")
                case 3:
                    await directories.create_group(name, f"g{seed}-{done}", [user] if user else [])
                case 4 if user:
                    await directories.patch(name, user, {"op": "replace", "path": "title", "value": f"{seed} {done}"})
                case 5 | 6 if group and user:
                    await directories.patch(name, group, member)
                case 7 if group:
                    await directories.patch(name, group, {"op": "remove", "path": "members"})
                case 8 if user and chance.random() < 0.5:
                    await directories.delete(name, user)
                case 8 if group and chance.random() < 0.3:
                    await directories.delete(name, group)
        except (ScimError, DirectorySyncError):
            continue  # someone else was faster
        done += 1
    return done
