"""Reads as methods: plain arguments in, messages of the contract out, pages fetched as they are needed."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from directorysync.paging import every
from directorysync.v1 import directory_admin_pb2, directory_admin_pb2_grpc, directory_sync_pb2_grpc
from directorysync.v1 import directory_sync_pb2 as pb
from directorysync.v1.events_pb2 import Event, EventFilter
from directorysync.v1.resources_pb2 import (
    Directory,
    DirectoryGroup,
    DirectoryUser,
    DirectoryUserState,
    Membership,
)

MOST_IDS = 1_000
"""Ids in one batch call; methods that take more split them."""

Moment = int | datetime | str
"""A moment of a directory: behind the event of this number, up to this time (with its zone), or behind a cursor."""


def moment_of(moment: Moment | None) -> pb.AsOf | None:
    """The contract's form of a moment. ValueError for a time without a zone, which could mean any of 40 moments."""
    if moment is None:
        return None
    if isinstance(moment, int):
        return pb.AsOf(directory_sequence=moment)
    if isinstance(moment, str):
        return pb.AsOf(cursor=moment)
    found = pb.AsOf()
    found.time.FromDatetime(_with_zone(moment))
    return found


class Reads:
    """The reading half of `Client`. Methods named `list_…` return async iterators and call only when iterated; all
    raise `DirectorySyncError`. `as_of` asks for the state of an earlier moment, within retention; it needs
    `directory_id`.
    """

    sync: directory_sync_pb2_grpc.DirectorySyncStub
    admin: directory_admin_pb2_grpc.DirectoryAdminStub

    async def get_user(self, user_id: str, *, directory_id: str = "", as_of: Moment | None = None) -> DirectoryUser:
        """NotFound when there is none, or was none then."""
        request = pb.GetUserRequest(id=user_id, directory_id=directory_id, as_of=moment_of(as_of))
        return (await self.sync.GetUser(request)).user

    async def get_group(self, group_id: str, *, directory_id: str = "", as_of: Moment | None = None) -> DirectoryGroup:
        """NotFound when there is none, or was none then."""
        request = pb.GetGroupRequest(id=group_id, directory_id=directory_id, as_of=moment_of(as_of))
        return (await self.sync.GetGroup(request)).group

    async def get_directory(self, directory_id: str) -> Directory:
        """With its counts."""
        return (await self.sync.GetDirectory(pb.GetDirectoryRequest(id=directory_id))).directory

    async def get_users(self, user_ids: Iterable[str]) -> list[DirectoryUser]:
        """Those that exist, in the order of their ids here."""
        found: list[DirectoryUser] = []
        for ids in _parts(user_ids):
            found += (await self.sync.BatchGetUsers(pb.BatchGetUsersRequest(ids=ids))).users
        return found

    async def find_users(
        self,
        *,
        email: str | None = None,
        user_name: str | None = None,
        idp_id: str | None = None,
        directory_id: str = "",
        organization_id: str = "",
    ) -> list[DirectoryUser]:
        """By exactly one of the three keys, oldest first, at most 100. Case matters for `idp_id` only."""
        request = pb.LookupUsersRequest(directory_id=directory_id, organization_id=organization_id)
        key, value = one_key(email=email, user_name=user_name, idp_id=idp_id)
        setattr(request, key, value)
        return list((await self.sync.LookupUsers(request)).users)

    async def batch_list_user_groups(self, user_ids: Iterable[str]) -> dict[str, list[DirectoryGroup]]:
        """Direct groups of each user that exists, at most 1,000 each."""
        found: dict[str, list[DirectoryGroup]] = {}
        for ids in _parts(user_ids):
            answer = await self.sync.BatchListUserGroups(pb.BatchListUserGroupsRequest(user_ids=ids))
            groups = {group.id: group for group in answer.groups}
            for one in answer.user_groups:
                found[one.user_id] = [groups[group_id] for group_id in one.group_ids]
        return found

    def list_directories(self, *, organization_id: str = "", search: str = "") -> AsyncIterator[Directory]:
        """Oldest first. `search`: only those whose name holds this text."""
        request = pb.ListDirectoriesRequest(organization_id=organization_id, search=search)
        return every(self.sync.ListDirectories, request, "directories")

    def list_users(
        self,
        directory_id: str,
        *,
        state: "DirectoryUserState.ValueType" = DirectoryUserState.DIRECTORY_USER_STATE_UNSPECIFIED,
    ) -> AsyncIterator[DirectoryUser]:
        """In the order in which they arrived."""
        return every(self.sync.ListUsers, pb.ListUsersRequest(directory_id=directory_id, state=state), "users")

    def list_groups(self, directory_id: str) -> AsyncIterator[DirectoryGroup]:
        """In the order in which they arrived."""
        return every(self.sync.ListGroups, pb.ListGroupsRequest(directory_id=directory_id), "groups")

    def list_group_members(
        self,
        group_id: str,
        *,
        directory_id: str = "",
        effective: bool = False,
        users_only: bool = False,
        as_of: Moment | None = None,
    ) -> AsyncIterator[Membership]:
        """Direct members; with `effective` the users in it and in the groups inside it, each once."""
        request = pb.ListGroupMembersRequest(
            group_id=group_id,
            directory_id=directory_id,
            effective=effective,
            users_only=users_only,
            as_of=moment_of(as_of),
        )
        return every(self.sync.ListGroupMembers, request, "members")

    def list_user_groups(
        self, user_id: str, *, directory_id: str = "", effective: bool = False, as_of: Moment | None = None
    ) -> AsyncIterator[DirectoryGroup]:
        """Direct groups; with `effective` also the groups that these are in, at any depth."""
        request = pb.ListUserGroupsRequest(
            user_id=user_id, directory_id=directory_id, effective=effective, as_of=moment_of(as_of)
        )
        return every(self.sync.ListUserGroups, request, "groups")

    def list_memberships(self, directory_id: str, *, as_of: Moment | None = None) -> AsyncIterator[Membership]:
        """Every direct membership of a directory, by group and member."""
        request = pb.ListMembershipsRequest(directory_id=directory_id, as_of=moment_of(as_of))
        return every(self.sync.ListMemberships, request, "memberships")

    async def list_events(
        self,
        *,
        filter: EventFilter | None = None,  # noqa: A002 - the contract's own name
        cursor: str = "",
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        descending: bool = False,
    ) -> AsyncIterator[Event]:
        """The events that are there, then an end; `watch` goes on. From the oldest kept, from a cursor or a time."""
        request = pb.ListEventsRequest(filter=filter, cursor=cursor, page_size=MOST_IDS, descending=descending)
        for field, moment in (("start_time", start_time), ("end_time", end_time)):
            if moment is not None:
                getattr(request, field).FromDatetime(_with_zone(moment))
        while True:
            page = await self.sync.ListEvents(request)
            for event in page.events:
                yield event
            if not page.more or not (page.events or page.cursor):
                return
            request.ClearField("start_time")
            if page.cursor:
                request.cursor = page.cursor
            else:
                request.after_event_id = page.events[-1].id

    async def event_log(self) -> directory_admin_pb2.GetEventLogResponse:
        """How much is kept, and how far back it reaches. Scope: `admin`."""
        return await self.admin.GetEventLog(directory_admin_pb2.GetEventLogRequest())


def one_key(**keys: str | None) -> tuple[str, str]:
    """The one of the keys that was given. TypeError for none or several."""
    given = [(name, value) for name, value in keys.items() if value is not None]
    if len(given) != 1:
        raise TypeError(f"give exactly one of {', '.join(keys)}")
    return given[0]


def _with_zone(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone, for example datetime.now(UTC)")
    return moment


def _parts(ids: Iterable[str]) -> Iterator[Sequence[str]]:
    everyone: list[Any] = list(ids)
    for first in range(0, len(everyone), MOST_IDS):
        yield everyone[first : first + MOST_IDS]
