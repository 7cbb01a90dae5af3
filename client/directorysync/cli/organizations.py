"""`dirsync organization`: the companies whose directories these are."""

import re
from typing import Annotated

import typer

from directorysync.cli.failure import Failure
from directorysync.cli.output import (
    Column,
    DocumentOutput,
    Format,
    ListOutput,
    show_json,
    show_list,
    show_one,
    time_text,
)
from directorysync.cli.session import call
from directorysync.client import Client
from directorysync.paging import every
from directorysync.v1 import directory_admin_pb2 as admin_pb2
from directorysync.v1.resources_pb2 import Organization

app = typer.Typer(help="Companies whose directories these are.", no_args_is_help=True)

_ID = re.compile(r"org_[0-9A-HJKMNP-TV-Z]{26}")
_COLUMNS: tuple[Column, ...] = (
    ("ID", lambda organization: organization.id),
    ("NAME", lambda organization: organization.name),
    ("EXTERNAL ID", lambda organization: organization.external_id),
    ("CREATED", lambda organization: time_text(organization.create_time)),
)


@app.command("list")
def list_organizations(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Only those with exactly this name.")] = "",
    output: ListOutput = Format.table,
) -> None:
    """List organizations, oldest first."""

    async def show(client: Client) -> None:
        request = admin_pb2.ListOrganizationsRequest(name=name)
        await show_list(every(client.admin.ListOrganizations, request, "organizations"), _COLUMNS, output)

    call(context, show)


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Shown to people.")],
    external_id: Annotated[str, typer.Option(help="Your application's own id of the company.")] = "",
    output: DocumentOutput = Format.table,
) -> None:
    """Make an organization. `dirsync directory create` makes one by itself when it is new."""

    async def make(client: Client) -> Organization:
        request = admin_pb2.CreateOrganizationRequest(name=name, external_id=external_id)
        return (await client.admin.CreateOrganization(request)).organization

    show_one(call(context, make), output)


@app.command()
def get(
    context: typer.Context,
    organization: Annotated[str, typer.Argument(help="Id or exact name.")],
    output: DocumentOutput = Format.table,
) -> None:
    """Show one organization."""

    async def find(client: Client) -> Organization:
        found = await find_organization(client, organization)
        if found is None:
            raise Failure(f"there is no organization `{organization}`")
        return found

    show_one(call(context, find), output)


@app.command()
def delete(
    context: typer.Context,
    organization_id: Annotated[str, typer.Argument(help="Organization id.")],
    output: DocumentOutput = Format.table,
) -> None:
    """Delete an organization that has no directories."""

    async def remove(client: Client) -> None:
        await client.admin.DeleteOrganization(admin_pb2.DeleteOrganizationRequest(id=organization_id))

    call(context, remove)
    if output is Format.json:
        show_json({"id": organization_id, "deleted": True})


async def find_organization(client: Client, name_or_id: str) -> Organization | None:
    """By id when it looks like one, else by exact name. Failure when an id is unknown or a name is not unique."""
    if _ID.fullmatch(name_or_id):
        return (await client.admin.GetOrganization(admin_pb2.GetOrganizationRequest(id=name_or_id))).organization
    request = admin_pb2.ListOrganizationsRequest(name=name_or_id)
    found = [organization async for organization in every(client.admin.ListOrganizations, request, "organizations")]
    if len(found) > 1:
        ids = ", ".join(organization.id for organization in found)
        raise Failure(f"{len(found)} organizations are called `{name_or_id}`; give the id: {ids}")
    return found[0] if found else None


async def find_or_make_organization(client: Client, name_or_id: str) -> Organization:
    """As `find_organization`; a name that is new makes an organization."""
    found = await find_organization(client, name_or_id)
    if found is not None:
        return found
    request = admin_pb2.CreateOrganizationRequest(name=name_or_id)
    return (await client.admin.CreateOrganization(request)).organization
