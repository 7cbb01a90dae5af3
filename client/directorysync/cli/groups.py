"""`dirsync group`: groups in a directory, and who is in them."""

from typing import Annotated

import typer

from directorysync.cli.moments import AsOfOption, DirectoryOption, directory_of_group
from directorysync.cli.output import (
    Column,
    DocumentOutput,
    Format,
    ListOutput,
    enum_name,
    show_list,
    show_one,
    time_text,
)
from directorysync.cli.session import call
from directorysync.client import Client
from directorysync.paging import every
from directorysync.v1 import directory_sync_pb2 as sync_pb2
from directorysync.v1.resources_pb2 import DirectoryGroup, MemberType

app = typer.Typer(help="Groups in a directory, and who is in them.", no_args_is_help=True)

GroupId = Annotated[str, typer.Argument(help="Group id.")]

_COLUMNS: tuple[Column, ...] = (
    ("ID", lambda group: group.id),
    ("NAME", lambda group: group.name),
    ("PROVIDER'S ID", lambda group: group.idp_id),
    ("UPDATED", lambda group: time_text(group.update_time)),
)
_MEMBER_COLUMNS: tuple[Column, ...] = (
    ("ID", lambda member: member.member_id),
    ("NAME", lambda member: member.member_name),
    ("TYPE", lambda member: enum_name(MemberType, member.member_type, "MEMBER_TYPE_")),
    ("SINCE", lambda member: time_text(member.create_time)),
)


@app.command("list")
def list_groups(
    context: typer.Context,
    directory: Annotated[str, typer.Option(help="Directory id.")],
    output: ListOutput = Format.table,
) -> None:
    """List the groups of a directory in the order in which they arrived."""

    async def show(client: Client) -> None:
        request = sync_pb2.ListGroupsRequest(directory_id=directory)
        await show_list(every(client.sync.ListGroups, request, "groups"), _COLUMNS, output)

    call(context, show)


@app.command()
def get(
    context: typer.Context,
    group_id: GroupId,
    as_of: AsOfOption = None,
    directory: DirectoryOption = "",
    output: DocumentOutput = Format.table,
) -> None:
    """Show one group, with everything the provider sent."""

    async def fetch(client: Client) -> DirectoryGroup:
        request = sync_pb2.GetGroupRequest(id=group_id, directory_id=directory)
        if as_of is not None:
            request.directory_id = await directory_of_group(client, group_id, directory)
            request.as_of.CopyFrom(as_of.message)
        return (await client.sync.GetGroup(request)).group

    show_one(call(context, fetch), output)


@app.command()
def members(
    context: typer.Context,
    group_id: GroupId,
    *,
    effective: Annotated[
        bool, typer.Option("--effective", help="Only users, those of the groups inside it at any depth too.")
    ] = False,
    as_of: AsOfOption = None,
    directory: DirectoryOption = "",
    output: ListOutput = Format.table,
) -> None:
    """List the members of a group: users, and groups inside it."""

    async def show(client: Client) -> None:
        request = sync_pb2.ListGroupMembersRequest(group_id=group_id, effective=effective)
        if as_of is not None:
            request.directory_id = await directory_of_group(client, group_id, directory)
            request.as_of.CopyFrom(as_of.message)
        await show_list(every(client.sync.ListGroupMembers, request, "members"), _MEMBER_COLUMNS, output)

    call(context, show)
