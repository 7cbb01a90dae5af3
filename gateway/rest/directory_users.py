"""`/directory_users`: one user, and the users of a directory or a group, each with the groups it is in."""

from collections.abc import Sequence
from typing import Any

from msgspec import Raw

from directorysync.v1 import directory_sync_pb2 as pb
from directorysync.v1.resources_pb2 import DirectoryUser
from gateway.exchange import Answer
from gateway.rest.errors import missing
from gateway.rest.parameters import Page, Parameters
from gateway.rest.request import RestRequest, json_answer
from gateway.workos import json
from gateway.workos.users import directory_group, directory_user_with_groups


async def get_user(request: RestRequest) -> Answer:
    """GET of one: 200."""
    reply = await request.call(request.upstream.sync.GetUser, pb.GetUserRequest(id=request.path["id"]))
    return json_answer(200, (await _shown(request, [reply.user]))[0])


async def list_users(request: RestRequest) -> Answer:
    """GET: 200. `directory` or `group` is needed; `idp_id` and `email` need `directory`."""
    parameters = request.parameters()
    page = parameters.page("directory_user_")
    if parameters.text("idp_id") or parameters.text("email"):
        users, more = await _looked_up(request, parameters, page)
    elif parameters.text("group"):
        users, more = await _of_group(request, parameters, page)
    else:
        users, more = await _of_directory(request, parameters, page)
    shown = await _shown(request, users)
    return json_answer(200, page.envelope(shown, [user.id for user in users], more=more))


async def _of_directory(
    request: RestRequest, parameters: Parameters, page: Page
) -> tuple[Sequence[DirectoryUser], bool]:
    if not parameters.text("directory"):
        raise missing(["directory"], instead="group")
    message = pb.ListUsersRequest(
        directory_id=parameters.identifier("directory"), page_size=page.limit, window=page.window
    )
    reply = await request.call(request.upstream.sync.ListUsers, message)
    return reply.users, bool(reply.next_page_token)


async def _of_group(request: RestRequest, parameters: Parameters, page: Page) -> tuple[Sequence[DirectoryUser], bool]:
    message = pb.ListGroupMembersRequest(
        group_id=parameters.identifier("group"),
        directory_id=parameters.identifier("directory"),
        users_only=True,
        page_size=page.limit,
        window=page.window,
    )
    reply = await request.call(request.upstream.sync.ListGroupMembers, message)
    ids = [member.member_id for member in reply.members]
    if not ids:
        return [], False
    # One that has left since is not in the answer.
    found = await request.call(request.upstream.sync.BatchGetUsers, pb.BatchGetUsersRequest(ids=ids))
    return found.users, bool(reply.next_page_token)


async def _looked_up(request: RestRequest, parameters: Parameters, page: Page) -> tuple[Sequence[DirectoryUser], bool]:
    if not parameters.text("directory"):
        raise missing(["directory"])
    idp_id, email = parameters.text("idp_id"), parameters.text("email")
    message = pb.LookupUsersRequest(directory_id=parameters.identifier("directory"))
    if idp_id:
        message.idp_id = idp_id
    else:
        message.email = email
    reply = await request.call(request.upstream.sync.LookupUsers, message)
    found = [(user.id, user) for user in reply.users if not email or _has_address(user, email)]
    taken, more = page.of(found)
    return [user for _, user in taken], more


def _has_address(user: DirectoryUser, email: str) -> bool:
    wanted = email.casefold()
    return wanted == user.email.casefold() or any(wanted == one.value.casefold() for one in user.emails)


async def _shown(request: RestRequest, users: Sequence[DirectoryUser]) -> list[dict[str, Any]]:
    if not users:
        return []
    message = pb.BatchListUserGroupsRequest(user_ids=[user.id for user in users])
    reply = await request.call(request.upstream.sync.BatchListUserGroups, message)
    # Users of a page are mostly in the same groups, so each group is written once.
    groups = {group.id: Raw(json.encode(directory_group(group))) for group in reply.groups}
    places = {one.user_id: [groups[group_id] for group_id in one.group_ids] for one in reply.user_groups}
    # The service sets the time of memberships for keys that asked for it.
    return [directory_user_with_groups(user, places.get(user.id, ()), moved_by_memberships=True) for user in users]
