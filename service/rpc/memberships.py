"""DirectorySync: who is in which group."""

from directorysync.v1 import directory_sync_pb2 as pb
from service.app.lookups import Lookups
from service.domain.caller import Scope
from service.rpc import convert
from service.rpc.arguments import required_id
from service.rpc.edge import Call, Method, UnaryHandler
from service.rpc.methods import unary_methods
from service.rpc.paging import page_of, refuse_window, stretch_of


class MembershipHandlers:
    """Check, convert, call, convert."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups

    def methods(self) -> list[Method]:
        """The RPCs of DirectorySync about memberships."""
        handlers: dict[str, UnaryHandler] = {
            "ListGroupMembers": self.list_group_members,
            "ListUserGroups": self.list_user_groups,
            "BatchListUserGroups": self.batch_list_user_groups,
        }
        return unary_methods(pb.DESCRIPTOR, "DirectorySync", (Scope.READ,), handlers)

    async def list_group_members(self, request: pb.ListGroupMembersRequest, call: Call) -> pb.ListGroupMembersResponse:
        """ListGroupMembers."""
        group_id = required_id(request.group_id, "group_id")
        if request.effective:
            refuse_window(request, "effective")
            page, token = await page_of(
                request,
                lambda after, limit: self._lookups.effective_member_page(call.caller, group_id, after, limit),
                lambda member: member.member.member_id,
            )
        else:
            page, token = await stretch_of(
                request,
                lambda stretch: self._lookups.member_page(
                    call.caller, group_id, stretch, users_only=request.users_only
                ),
                lambda member: member.member.member_id,
            )
        return pb.ListGroupMembersResponse(members=[convert.membership(m) for m in page], next_page_token=token)

    async def list_user_groups(self, request: pb.ListUserGroupsRequest, call: Call) -> pb.ListUserGroupsResponse:
        """ListUserGroups."""
        user_id = required_id(request.user_id, "user_id")
        if request.effective:
            refuse_window(request, "effective")
            page, token = await page_of(
                request,
                lambda after, limit: self._lookups.effective_user_groups_page(call.caller, user_id, after, limit),
                lambda group: group.id,
            )
        else:
            page, token = await stretch_of(
                request,
                lambda stretch: self._lookups.user_groups_page(call.caller, user_id, stretch),
                lambda group: group.id,
            )
        return pb.ListUserGroupsResponse(groups=[convert.group(group) for group in page], next_page_token=token)

    async def batch_list_user_groups(
        self, request: pb.BatchListUserGroupsRequest, call: Call
    ) -> pb.BatchListUserGroupsResponse:
        """BatchListUserGroups."""
        user_ids = [required_id(value, "user_ids") for value in request.user_ids]
        found, groups = await self._lookups.groups_of_users(call.caller, user_ids)
        return pb.BatchListUserGroupsResponse(
            user_groups=[pb.UserGroups(user_id=user_id, group_ids=group_ids) for user_id, group_ids in found],
            groups=[convert.group(group) for group in groups],
        )
