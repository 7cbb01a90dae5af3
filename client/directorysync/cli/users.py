"""`dirsync user`: people in a directory."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated

import typer

from directorysync.cli.failure import USAGE, Failure
from directorysync.cli.moments import AsOfOption, DirectoryOption, directory_of_user
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
from directorysync.v1.resources_pb2 import DirectoryUser, DirectoryUserState

app = typer.Typer(help="People in a directory.", no_args_is_help=True)

COLUMNS: tuple[Column, ...] = (
    ("ID", lambda user: user.id),
    ("USER NAME", lambda user: user.user_name),
    ("NAME", lambda user: user.display_name),
    ("EMAIL", lambda user: user.email),
    ("STATE", lambda user: enum_name(DirectoryUserState, user.state, "DIRECTORY_USER_STATE_")),
    ("UPDATED", lambda user: time_text(user.update_time)),
)


class State(StrEnum):
    """Values of `--state`."""

    active = "active"
    inactive = "inactive"


@app.command("list")
def list_users(
    context: typer.Context,
    directory: Annotated[str, typer.Option(help="Directory id.")],
    state: Annotated[State | None, typer.Option(help="Only users of this state.")] = None,
    output: ListOutput = Format.table,
) -> None:
    """List the users of a directory in the order in which they arrived."""

    async def show(client: Client) -> None:
        request = sync_pb2.ListUsersRequest(directory_id=directory)
        if state is not None:
            request.state = DirectoryUserState.Value(f"DIRECTORY_USER_STATE_{state.upper()}")
        await show_list(every(client.sync.ListUsers, request, "users"), COLUMNS, output)

    call(context, show)


@app.command()
def get(
    context: typer.Context,
    user_id: Annotated[str, typer.Argument(help="User id.")],
    as_of: AsOfOption = None,
    directory: DirectoryOption = "",
    output: DocumentOutput = Format.table,
) -> None:
    """Show one user, with everything the provider sent."""

    async def fetch(client: Client) -> DirectoryUser:
        request = sync_pb2.GetUserRequest(id=user_id, directory_id=directory)
        if as_of is not None:
            request.directory_id = await directory_of_user(client, user_id, directory)
            request.as_of.CopyFrom(as_of.message)
        return (await client.sync.GetUser(request)).user

    show_one(call(context, fetch), output)


@app.command()
def find(
    context: typer.Context,
    *,
    email: Annotated[str, typer.Option(help="One of the user's addresses.")] = "",
    user_name: Annotated[str, typer.Option(help="SCIM userName.")] = "",
    idp_id: Annotated[str, typer.Option(help="The provider's id, SCIM externalId.")] = "",
    directory: Annotated[str, typer.Option(help="Only in this directory: its id.")] = "",
    organization: Annotated[str, typer.Option(help="Only in directories of this organization: its id.")] = "",
    output: ListOutput = Format.table,
) -> None:
    """Find users by e-mail, userName or the provider's id, over all directories that the key may read."""
    keys = {"email": email, "user_name": user_name, "idp_id": idp_id}
    given = {name: value for name, value in keys.items() if value}
    if len(given) != 1:
        raise Failure("give one of --email, --user-name, --idp-id", USAGE)
    request = sync_pb2.LookupUsersRequest(directory_id=directory, organization_id=organization)
    for name, value in given.items():
        setattr(request, name, value)

    async def show(client: Client) -> None:
        await show_list(_found(client, request), COLUMNS, output)

    call(context, show)


async def _found(client: Client, request: sync_pb2.LookupUsersRequest) -> AsyncIterator[DirectoryUser]:
    for user in (await client.sync.LookupUsers(request)).users:
        yield user


@app.command()
def groups(
    context: typer.Context,
    user_id: Annotated[str, typer.Argument(help="User id.")],
    *,
    effective: Annotated[bool, typer.Option("--effective", help="Also the groups around these, at any depth.")] = False,
    as_of: AsOfOption = None,
    directory: DirectoryOption = "",
    output: ListOutput = Format.table,
) -> None:
    """List the groups that a user is a direct member of."""
    columns: tuple[Column, ...] = (("ID", lambda group: group.id), ("NAME", lambda group: group.name))

    async def show(client: Client) -> None:
        request = sync_pb2.ListUserGroupsRequest(user_id=user_id, effective=effective)
        if as_of is not None:
            request.directory_id = await directory_of_user(client, user_id, directory)
            request.as_of.CopyFrom(as_of.message)
        await show_list(every(client.sync.ListUserGroups, request, "groups"), columns, output)

    call(context, show)
