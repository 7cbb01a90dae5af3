"""A service whose directories live in memory, with every fault that a stream can have."""

import asyncio
import json
import random
from collections.abc import Iterator

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from directorysync.v1 import directory_sync_pb2 as pb
from directorysync.v1.events_pb2 import Event, EventFilter
from directorysync.v1.resources_pb2 import (
    Directory,
    DirectoryGroup,
    DirectoryUser,
    Email,
    Membership,
    MemberType,
)
from tests.unit.client.fake_service import End, FakeDirectorySync

EXPIRED = End(grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED")
BROKEN = End(grpc.StatusCode.UNAVAILABLE)


class World(FakeDirectorySync):
    """Its state, the log of what happened to it, and how its streams misbehave.

    `cuts`: after how many messages each of the next calls breaks. `lost`: positions that are not delivered the next
    time they are due. `oldest`: cursors before it are expired. `overlap`: how many events before its cursor a call
    repeats. `held`: while it is not set, snapshots stop before their last part. `refused`: how
    every call ends from now on.
    """

    def __init__(self, *directory_ids: str, organization_id: str = "org_1") -> None:
        super().__init__()
        self.directories: dict[str, Directory] = {}
        self.users: dict[str, DirectoryUser] = {}
        self.groups: dict[str, DirectoryGroup] = {}
        self.members: dict[tuple[str, str], Membership] = {}
        self.sequences: dict[str, int] = {}
        self.log: list[Event] = []
        self.cuts: list[int] = []
        self.lost: set[int] = set()
        self.oldest = 0
        self.overlap = 0
        self.part_size = 3
        self.held = asyncio.Event()
        self.held.set()
        self.snapshots = 0
        self.refused: End | None = None
        self._numbers = iter(range(10**9))
        self._news = asyncio.Event()
        for directory_id in directory_ids:
            self.directories[directory_id] = Directory(
                id=directory_id, organization_id=organization_id, name=directory_id
            )
            self.sequences[directory_id] = 0

    # What happens.

    def create_user(self, directory_id: str, user_name: str, **fields: object) -> DirectoryUser:
        fields.setdefault("emails", [Email(value=user_name, primary=True)])
        user = DirectoryUser(
            id=f"directory_user_{next(self._numbers):06d}",
            directory_id=directory_id,
            organization_id=self.directories[directory_id].organization_id,
            user_name=user_name,
            email=user_name if "@" in user_name else "",
            version=1,
            raw_attributes_json=json.dumps({"userName": user_name}),
            **fields,
        )
        self.users[user.id] = user
        self.commit(self._event("dsync.user.created", directory_id, user=user))
        return user

    def update_user(self, user_id: str, **fields: object) -> DirectoryUser:
        user = DirectoryUser()
        user.CopyFrom(self.users[user_id])
        user.version += 1
        for field in fields:
            user.ClearField(field)
        user.MergeFrom(DirectoryUser(**fields))
        self.users[user_id] = user
        self.commit(self._event("dsync.user.updated", user.directory_id, user=user))
        return user

    def delete_user(self, user_id: str) -> None:
        user = self.users.pop(user_id)
        self.members = {pair: one for pair, one in self.members.items() if user_id not in pair}
        self.commit(self._event("dsync.user.deleted", user.directory_id, user=user))

    def create_group(self, directory_id: str, name: str, *member_ids: str) -> DirectoryGroup:
        group = DirectoryGroup(
            id=f"directory_group_{next(self._numbers):06d}",
            directory_id=directory_id,
            organization_id=self.directories[directory_id].organization_id,
            name=name,
            version=1,
        )
        self.groups[group.id] = group
        events = [self._event("dsync.group.created", directory_id, group=group)]
        self.commit(*events, *(self._joined(group, one) for one in member_ids))
        return group

    def rename_group(self, group_id: str, name: str) -> None:
        group = DirectoryGroup()
        group.CopyFrom(self.groups[group_id])
        group.name, group.version = name, group.version + 1
        self.groups[group_id] = group
        self.commit(self._event("dsync.group.updated", group.directory_id, group=group))

    def delete_group(self, group_id: str) -> None:
        group = self.groups.pop(group_id)
        self.members = {pair: one for pair, one in self.members.items() if group_id not in pair}
        self.commit(self._event("dsync.group.deleted", group.directory_id, group=group))

    def add(self, group_id: str, *member_ids: str) -> None:
        group = self._touched(group_id)
        self.commit(*(self._joined(group, one) for one in member_ids))

    def remove(self, group_id: str, *member_ids: str) -> None:
        group = self._touched(group_id)
        events = []
        for member_id in member_ids:
            membership = self.members.pop((group_id, member_id))
            membership.group_version = group.version
            kind = "user" if member_id in self.users else "group"
            events.append(self._event(f"dsync.group.{kind}_removed", group.directory_id, membership=membership))
        self.commit(*events)

    def rename_directory(self, directory_id: str, name: str) -> None:
        self.directories[directory_id].name = name
        self.commit(self._event("dsync.updated", directory_id, directory=self.directories[directory_id]))

    def create_directory(self, directory_id: str, organization_id: str = "org_1") -> None:
        self.directories[directory_id] = Directory(id=directory_id, organization_id=organization_id, name=directory_id)
        self.sequences[directory_id] = 0
        self.commit(self._event("dsync.token.created", directory_id))
        self.commit(self._event("dsync.activated", directory_id, directory=self.directories[directory_id]))

    def delete_directory(self, directory_id: str) -> None:
        directory = self.directories[directory_id]
        event = self._event("dsync.deleted", directory_id, directory=directory)
        del self.directories[directory_id]
        inside = {one.id for one in [*self.users.values(), *self.groups.values()] if one.directory_id == directory_id}
        self.users = {key: one for key, one in self.users.items() if key not in inside}
        self.groups = {key: one for key, one in self.groups.items() if key not in inside}
        self.members = {pair: one for pair, one in self.members.items() if pair[0] not in inside}
        self.commit(event)

    def strange(self, directory_id: str) -> None:
        """An event of a type that is not known yet."""
        self.commit(self._event("dsync.weather.changed", directory_id))

    def commit(self, *events: Event) -> None:
        for event in events:
            event.transaction_id = f"t{len(self.log)}"
            event.transaction_end = event is events[-1]
        self.log += events
        self._news.set()
        self._news = asyncio.Event()

    def anything(self, chance: random.Random) -> None:
        """One random change."""
        directory_id = chance.choice(sorted(self.directories))
        users = sorted(one.id for one in self.users.values() if one.directory_id == directory_id)
        groups = sorted(one.id for one in self.groups.values() if one.directory_id == directory_id)
        name = f"{chance.choice(['ada', 'Bob', 'ÇELİK', 'dee'])}{chance.randrange(30)}@Example.com"
        match chance.randrange(14):
            case 0 if len(users) > 8:
                self.delete_user(chance.choice(users))
            case 1 | 2 if users:
                fields: dict[str, object] = {"user_name": name, "email": name, "idp_id": str(chance.randrange(9))}
                self.update_user(chance.choice(users), **fields, emails=[Email(value=name), Email(value="x@y.z")])
            case 3 if len(groups) < 6:
                self.create_group(directory_id, chance.choice(["Staff", "STAFF", "Ops"]), *users[:2])
            case 4 if len(groups) > 3:
                self.delete_group(chance.choice(groups))
            case 5 if groups:
                self.rename_group(chance.choice(groups), chance.choice(["staff", "Everyone"]))
            case 6:
                self.strange(directory_id)
            case 7:
                self.rename_directory(directory_id, name)
            case 8 | 9 | 10 if groups:
                group = chance.choice(groups)
                new = [one for one in [*users, *groups] if (group, one) not in self.members and one != group]
                if new:
                    self.add(group, *chance.sample(new, min(len(new), 3)))
            case 11 | 12 if self.members:
                group, member = chance.choice(sorted(self.members))
                self.remove(group, member)
            case _:
                self.create_user(directory_id, name, idp_id=str(chance.randrange(9)))

    def _touched(self, group_id: str) -> DirectoryGroup:
        group = self.groups[group_id]
        group.version += 1
        group.update_time.seconds = self._now
        return group

    def _joined(self, group: DirectoryGroup, member_id: str) -> Event:
        kind = "user" if member_id in self.users else "group"
        membership = Membership(
            group_id=group.id,
            member_id=member_id,
            member_type=MemberType.MEMBER_TYPE_USER if kind == "user" else MemberType.MEMBER_TYPE_GROUP,
            group_version=group.version,
        )
        self.members[group.id, member_id] = membership
        return self._event(f"dsync.group.{kind}_added", group.directory_id, membership=membership)

    def _event(self, kind: str, directory_id: str, **data: object) -> Event:
        self.sequences[directory_id] += 1
        number = self.sequences[directory_id]
        return Event(
            id=f"event_{directory_id}_{number}",
            type=kind,
            directory_id=directory_id,
            organization_id=self.directories[directory_id].organization_id,
            directory_sequence=number,
            create_time=Timestamp(seconds=self._now),
            **data,
        )

    @property
    def _now(self) -> int:
        return 1_900_000_000 + len(self.log)

    # What the service says. Cursors: `g` and a position in the log, or `d`, a directory and a number.

    async def WatchEvents(self, request, context):  # noqa: N802
        self.watched.append(request)
        if self.refused is not None:
            await context.abort_with_status(self.refused.details())
        cut = self.cuts.pop(0) if self.cuts else None
        sent = 0
        async for message in self._messages(request):
            if sent == cut:
                await context.abort_with_status(BROKEN.details())
            if isinstance(message, End):
                await context.abort_with_status(message.details())
            await context.write(message)
            sent += 1

    async def _messages(self, request):
        wanted, place = request.filter, len(self.log)
        if request.start.HasField("snapshot"):
            self.snapshots += 1
            last = None
            for last in self._parts(wanted):
                yield pb.WatchEventsResponse(snapshot=last)
            await self.held.wait()
            yield pb.WatchEventsResponse(snapshot=pb.SnapshotPart(complete=True), cursor=f"g{place}")
        elif request.start.cursor:
            place = int(request.start.cursor[1:])
            if place < self.oldest:
                yield EXPIRED
                return
            yield pb.WatchEventsResponse(cursor=f"g{place}", started=True, caught_up=place == len(self.log))
            place = max(0, place - self.overlap)
        while True:
            news = self._news
            for message in self._commands(wanted, place):
                yield message
                place = int(message.cursor[1:])
            if self.refused is not None:
                yield self.refused
                return
            if place == len(self.log):
                await news.wait()

    def _parts(self, wanted: EventFilter) -> Iterator[pb.SnapshotPart]:
        yield pb.SnapshotPart()
        chosen = [one for one in self.directories.values() if self._wanted(wanted, one.id, one.organization_id)]
        ids = {one.id for one in chosen}
        for directory in chosen:
            copy = Directory()
            copy.CopyFrom(directory)
            copy.sequence = self.sequences[directory.id]
            yield pb.SnapshotPart(directories=[copy])
        for kind, entities in (("groups", self.groups), ("users", self.users)):
            found = [entities[key] for key in sorted(entities) if entities[key].directory_id in ids]
            for first in range(0, len(found), self.part_size):
                yield pb.SnapshotPart(**{kind: found[first : first + self.part_size]})
        pairs = [pair for pair in sorted(self.members) if self.groups[pair[0]].directory_id in ids]
        for first in range(0, len(pairs), self.part_size):
            yield pb.SnapshotPart(memberships=[self.members[pair] for pair in pairs[first : first + self.part_size]])

    def _commands(self, wanted: EventFilter, place: int) -> Iterator[pb.WatchEventsResponse]:
        """One message a command, in two pieces when it has several events."""
        first = place
        for position in range(place, len(self.log)):
            if not self.log[position].transaction_end:
                continue
            events = [
                event
                for at, event in enumerate(self.log[first : position + 1], first)
                if self._wanted(wanted, event.directory_id, event.organization_id) and not self._loses(at)
            ]
            if len(events) > 1:
                yield pb.WatchEventsResponse(events=events[:1], cursor=f"g{first}", continues=True)
                events = events[1:]
            caught_up = position + 1 == len(self.log)
            yield pb.WatchEventsResponse(events=events, cursor=f"g{position + 1}", caught_up=caught_up)
            first = position + 1

    def _loses(self, position: int) -> bool:
        if position in self.lost:
            self.lost.remove(position)
            return True
        return False

    @staticmethod
    def _wanted(wanted: EventFilter, directory_id: str, organization_id: str) -> bool:
        return (not wanted.directory_ids or directory_id in wanted.directory_ids) and (
            not wanted.organization_ids or organization_id in wanted.organization_ids
        )

    async def ListEvents(self, request, context):  # noqa: N802
        self.asked.append(request)
        wanted = request.filter
        found = [event for event in self.log if self._wanted(wanted, event.directory_id, event.organization_id)]
        if request.descending:
            return pb.ListEventsResponse(events=found[::-1][: request.page_size])
        if request.cursor.startswith("d"):
            _, directory_id, number = request.cursor.split(":")
            if list(wanted.directory_ids) != [directory_id]:
                end = End(grpc.StatusCode.INVALID_ARGUMENT, "CURSOR_INVALID", directory_id=directory_id)
                await context.abort_with_status(end.details())
            found = [event for event in found if event.directory_sequence > int(number)]
        elif request.cursor.startswith("g"):
            place = int(request.cursor[1:])
            if place < self.oldest:
                await context.abort_with_status(EXPIRED.details())
            behind = {event.id for event in self.log[place:]}
            found = [event for event in found if event.id in behind]
        else:
            await context.abort_with_status(End(grpc.StatusCode.INVALID_ARGUMENT, "CURSOR_INVALID").details())
        return pb.ListEventsResponse(events=found[: request.page_size], cursor=f"g{len(self.log)}")
