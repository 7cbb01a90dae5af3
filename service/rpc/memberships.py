"""DirectorySync: who is in which group."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from directorysync.v1 import directory_sync_pb2 as pb
from directorysync.v1 import resources_pb2
from service.app.lookups import Lookups
from service.app.time_travel import AsOf, MembershipMoment, TimeTravel
from service.domain.caller import Scope
from service.domain.change import GroupMember
from service.domain.errors import ArgumentError
from service.domain.group import Member
from service.rpc import convert
from service.rpc.arguments import required_id
from service.rpc.edge import Call, Method, UnaryHandler
from service.rpc.methods import unary_methods
from service.rpc.paging import page_of, refuse_window, stretch_of
from service.rpc.time_travel import as_of, past_group, past_user
from service.storage.time_travel import Moment

_MAX_DIGITS = 18

T = TypeVar("T")


class MembershipHandlers:
    """Check, convert, call, convert."""

    def __init__(self, lookups: Lookups, history: TimeTravel) -> None:
        self._lookups = lookups
        self._history = history

    def methods(self) -> list[Method]:
        """The RPCs of DirectorySync about memberships."""
        handlers: dict[str, UnaryHandler] = {
            "ListGroupMembers": self.list_group_members,
            "ListUserGroups": self.list_user_groups,
            "BatchListUserGroups": self.batch_list_user_groups,
            "ListMemberships": self.list_memberships,
        }
        # A part of events, for those who read these and nothing else.
        of_events: dict[str, UnaryHandler] = {"ResolveMemberships": self.resolve_memberships}
        return [
            *unary_methods(pb.DESCRIPTOR, "DirectorySync", (Scope.READ,), handlers),
            *unary_methods(pb.DESCRIPTOR, "DirectorySync", (Scope.WATCH,), of_events),
        ]

    async def list_group_members(self, request: pb.ListGroupMembersRequest, call: Call) -> pb.ListGroupMembersResponse:
        """ListGroupMembers."""
        group_id = required_id(request.group_id, "group_id")
        if (then := _as_of(request)) is not None:
            past, token = await self._past_page(
                request,
                call,
                then,
                lambda moment, after, limit: self._history.members(
                    group_id, moment, after, limit, users_only=request.users_only
                ),
                lambda member: _member(member).member_id,
            )
            return pb.ListGroupMembersResponse(members=_known(past), next_page_token=token)
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
        if (then := _as_of(request)) is not None:
            past, token = await self._past_page(
                request,
                call,
                then,
                lambda moment, after, limit: self._history.user_groups(user_id, moment, after, limit),
                lambda found: found.entity.id,
            )
            return pb.ListUserGroupsResponse(groups=[past_group(group) for group in past], next_page_token=token)
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

    async def list_memberships(self, request: pb.ListMembershipsRequest, call: Call) -> pb.ListMembershipsResponse:
        """ListMemberships."""
        directory_id = required_id(request.directory_id, "directory_id")
        if (then := as_of(request)) is not None:
            past, token = await self._past_page(
                request,
                call,
                then,
                lambda moment, after, limit: self._history.memberships(moment, _pair(after), limit),
                lambda member: f"{_member(member).group_id} {_member(member).member_id}",
            )
            return pb.ListMembershipsResponse(memberships=_known(past), next_page_token=token)
        page, token = await page_of(
            request,
            lambda after, limit: self._lookups.membership_page(call.caller, directory_id, _pair(after), limit),
            lambda membership: f"{membership.group_id} {membership.member.member_id}",
        )
        return pb.ListMembershipsResponse(memberships=[convert.membership(m) for m in page], next_page_token=token)

    async def resolve_memberships(
        self, request: pb.ResolveMembershipsRequest, call: Call
    ) -> pb.ResolveMembershipsResponse:
        """ResolveMemberships."""
        moments = [
            MembershipMoment(
                required_id(one.directory_id, "moments.directory_id"),
                one.directory_sequence,
                required_id(one.group_id, "moments.group_id"),
                required_id(one.user_id, "moments.user_id"),
            )
            for one in request.moments
        ]
        found = await self._history.resolve(call.caller, moments)
        # Many memberships of one command are of the same group: what is equal is converted once.
        users = {id(user): past_user(user) for user, _ in found if user is not None}
        groups = {id(group): past_group(group) for _, group in found if group is not None}
        return pb.ResolveMembershipsResponse(
            memberships=[
                pb.ResolvedMembership(user=users.get(id(user)), group=groups.get(id(group))) for user, group in found
            ]
        )

    async def _past_page(
        self,
        request: Any,
        call: Call,
        then: tuple[str, AsOf],
        read: Callable[[Moment, str, int], Awaitable[list[T]]],
        key: Callable[[T], str],
    ) -> tuple[Sequence[T], str]:
        """Tokens keep the number, so that all pages are of one moment whatever happens meanwhile."""
        directory_id, asked = then
        number = 0

        async def fetch(after: str, limit: int) -> Sequence[T]:
            nonlocal number
            first, _, place = after.partition(" ")
            moment = await self._history.moment(
                call.caller, directory_id, _number(first) if first else asked, memberships=True
            )
            number = moment[1]
            return await read(moment, place, limit)

        return await page_of(request, fetch, lambda item: f"{number} {key(item)}")


def _as_of(request: Any) -> tuple[str, AsOf] | None:
    then = as_of(request)
    if then is not None:
        refuse_window(request, "as_of")
        if request.effective:
            raise ArgumentError("effective cannot be combined with as_of", field="effective")
    return then


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > _MAX_DIGITS:
        raise ArgumentError("page_token is not one that an earlier page of this list gave", field="page_token")
    return int(text)


def _pair(place: str) -> tuple[str, str]:
    group_id, _, member_id = place.partition(" ")
    return group_id, member_id


def _member(found: GroupMember | Member) -> Member:
    return found.member if isinstance(found, GroupMember) else found


def _known(found: Sequence[GroupMember | Member]) -> list[resources_pb2.Membership]:
    """Without those whose member the application did not know."""
    return [convert.membership(one) for one in found if isinstance(one, GroupMember)]
