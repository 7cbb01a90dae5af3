"""`/directory_groups`: one group, the groups of a directory or a user, and (an own route) the members of a group."""

from directorysync.v1 import directory_sync_pb2 as pb
from gateway.exchange import Answer
from gateway.rest.errors import missing
from gateway.rest.request import RestRequest, json_answer
from gateway.workos.users import directory_group, membership


async def get_group(request: RestRequest) -> Answer:
    """GET of one: 200."""
    reply = await request.call(request.upstream.sync.GetGroup, pb.GetGroupRequest(id=request.path["id"]))
    return json_answer(200, directory_group(reply.group))


async def list_groups(request: RestRequest) -> Answer:
    """GET: 200. `directory` or `user` is needed."""
    parameters = request.parameters()
    page = parameters.page("directory_group_")
    directory, user = parameters.identifier("directory"), parameters.identifier("user")
    if not directory and not user:
        raise missing(["directory"], instead="user")
    reply: pb.ListUserGroupsResponse | pb.ListGroupsResponse
    if user:
        of_user = pb.ListUserGroupsRequest(
            user_id=user, directory_id=directory, page_size=page.limit, window=page.window
        )
        reply = await request.call(request.upstream.sync.ListUserGroups, of_user)
    else:
        of_directory = pb.ListGroupsRequest(directory_id=directory, page_size=page.limit, window=page.window)
        reply = await request.call(request.upstream.sync.ListGroups, of_directory)
    shown = [directory_group(group) for group in reply.groups]
    more = bool(reply.next_page_token)
    return json_answer(200, page.envelope(shown, [group.id for group in reply.groups], more=more))


async def list_members(request: RestRequest) -> Answer:
    """GET (own route): 200, users and groups in the group; the ids of paging are theirs."""
    page = request.parameters().page("directory_user_", "directory_group_")
    message = pb.ListGroupMembersRequest(group_id=request.path["id"], page_size=page.limit, window=page.window)
    reply = await request.call(request.upstream.sync.ListGroupMembers, message)
    shown = [membership(member) for member in reply.members]
    ids = [member.member_id for member in reply.members]
    return json_answer(200, page.envelope(shown, ids, more=bool(reply.next_page_token)))
