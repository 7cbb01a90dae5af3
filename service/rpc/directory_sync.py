"""DirectorySync: look-ups. Memberships are in service.rpc.memberships, streams of events in service.rpc.events."""

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration

from directorysync.v1 import directory_sync_pb2 as pb
from directorysync.v1 import resources_pb2
from service.app.directories import Directories
from service.app.lookups import Lookups
from service.app.time_travel import TimeTravel
from service.domain.caller import Scope
from service.domain.errors import ArgumentError
from service.domain.user import User
from service.rpc import convert
from service.rpc.arguments import optional_id, required_id
from service.rpc.edge import Call, Method, UnaryHandler
from service.rpc.methods import unary_methods
from service.rpc.paging import MAX_PAGE_SIZE, stretch_of
from service.rpc.time_travel import as_of, past_group, past_user

_ACTIVE = {
    resources_pb2.DIRECTORY_USER_STATE_UNSPECIFIED: None,
    resources_pb2.DIRECTORY_USER_STATE_ACTIVE: True,
    resources_pb2.DIRECTORY_USER_STATE_INACTIVE: False,
}


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a server says about itself that does not change while it runs."""

    version: str
    retention_days: int


class LookupHandlers:
    """Check, convert, call, convert."""

    def __init__(self, lookups: Lookups, directories: Directories, history: TimeTravel, info: ServerInfo) -> None:
        self._lookups = lookups
        self._history = history
        self._directories = directories
        self._info = info

    def methods(self) -> list[Method]:
        """The RPCs of DirectorySync about directories, users and groups."""
        reading: dict[str, UnaryHandler] = {
            "GetDirectory": self.get_directory,
            "ListDirectories": self.list_directories,
            "GetUser": self.get_user,
            "BatchGetUsers": self.batch_get_users,
            "LookupUsers": self.lookup_users,
            "ListUsers": self.list_users,
            "GetGroup": self.get_group,
            "ListGroups": self.list_groups,
        }
        anyone: dict[str, UnaryHandler] = {"GetServerInfo": self.get_server_info}
        return [
            *unary_methods(pb.DESCRIPTOR, "DirectorySync", (Scope.READ,), reading),
            *unary_methods(pb.DESCRIPTOR, "DirectorySync", (), anyone),
        ]

    async def get_server_info(self, _: pb.GetServerInfoRequest, __: Call) -> pb.GetServerInfoResponse:
        """GetServerInfo."""
        return pb.GetServerInfoResponse(
            version=self._info.version,
            epoch=await self._lookups.epoch(),
            retention=Duration(seconds=self._info.retention_days * 86_400),
            max_page_size=MAX_PAGE_SIZE,
        )

    async def get_directory(self, request: pb.GetDirectoryRequest, call: Call) -> pb.GetDirectoryResponse:
        """GetDirectory."""
        found = await self._directories.get(call.caller, required_id(request.id, "id"))
        return pb.GetDirectoryResponse(directory=convert.summary(found))

    async def list_directories(self, request: pb.ListDirectoriesRequest, call: Call) -> pb.ListDirectoriesResponse:
        """ListDirectories."""
        organization_id = optional_id(request.organization_id, "organization_id")
        page, token = await stretch_of(
            request,
            lambda stretch: self._directories.page(call.caller, organization_id, stretch, search=request.search),
            lambda summary: summary.directory.id,
        )
        return pb.ListDirectoriesResponse(directories=[convert.summary(item) for item in page], next_page_token=token)

    async def get_user(self, request: pb.GetUserRequest, call: Call) -> pb.GetUserResponse:
        """GetUser."""
        then = as_of(request)
        if then is not None:
            moment = await self._history.moment(call.caller, *then)
            past = await self._history.user(required_id(request.id, "id"), moment)
            return pb.GetUserResponse(user=past_user(past))
        directory_id = optional_id(request.directory_id, "directory_id")
        found = await self._lookups.user(call.caller, required_id(request.id, "id"), directory_id)
        (user,) = await self._users(call, [found])
        return pb.GetUserResponse(user=user)

    async def batch_get_users(self, request: pb.BatchGetUsersRequest, call: Call) -> pb.BatchGetUsersResponse:
        """BatchGetUsers."""
        found = await self._lookups.users(call.caller, [required_id(value, "ids") for value in request.ids])
        return pb.BatchGetUsersResponse(users=await self._users(call, found))

    async def lookup_users(self, request: pb.LookupUsersRequest, call: Call) -> pb.LookupUsersResponse:
        """LookupUsers."""
        found = await self._looked_up(request, call)
        return pb.LookupUsersResponse(users=await self._users(call, found))

    async def _looked_up(self, request: pb.LookupUsersRequest, call: Call) -> Sequence[User]:
        directory_id = optional_id(request.directory_id, "directory_id")
        organization_id = optional_id(request.organization_id, "organization_id")
        where = (call.caller, directory_id, organization_id)
        match request.WhichOneof("key"):
            case "email":
                return await self._lookups.users_by_email(*where, email=request.email)
            case "user_name":
                return await self._lookups.users_by_user_name(*where, user_name=request.user_name)
            case "idp_id":
                return await self._lookups.users_by_idp_id(*where, idp_id=request.idp_id)
            case _:
                raise ArgumentError("one of email, user_name and idp_id is needed", field="key")

    async def list_users(self, request: pb.ListUsersRequest, call: Call) -> pb.ListUsersResponse:
        """ListUsers."""
        directory_id = required_id(request.directory_id, "directory_id")
        if request.state not in _ACTIVE:
            raise ArgumentError("state is not one of DirectoryUserState", field="state")
        active = _ACTIVE[request.state]
        page, token = await stretch_of(
            request,
            lambda stretch: self._lookups.user_page(call.caller, directory_id, stretch, active=active),
            lambda user: user.id,
        )
        return pb.ListUsersResponse(users=await self._users(call, page), next_page_token=token)

    async def get_group(self, request: pb.GetGroupRequest, call: Call) -> pb.GetGroupResponse:
        """GetGroup."""
        then = as_of(request)
        if then is not None:
            moment = await self._history.moment(call.caller, *then)
            past = await self._history.group(required_id(request.id, "id"), moment)
            return pb.GetGroupResponse(group=past_group(past))
        directory_id = optional_id(request.directory_id, "directory_id")
        found = await self._lookups.group(call.caller, required_id(request.id, "id"), directory_id)
        return pb.GetGroupResponse(group=convert.group(found))

    async def list_groups(self, request: pb.ListGroupsRequest, call: Call) -> pb.ListGroupsResponse:
        """ListGroups."""
        directory_id = required_id(request.directory_id, "directory_id")
        page, token = await stretch_of(
            request,
            lambda stretch: self._lookups.group_page(call.caller, directory_id, stretch),
            lambda group: group.id,
        )
        return pb.ListGroupsResponse(groups=[convert.group(group) for group in page], next_page_token=token)

    async def _users(self, call: Call, found: Sequence[User]) -> list[resources_pb2.DirectoryUser]:
        """Users as this caller sees them."""
        times = await self._lookups.membership_update_times(call.caller, found)
        messages = [convert.user(user) for user in found]
        for message in messages:
            if message.id in times:
                message.membership_update_time.FromDatetime(times[message.id])
        return messages
