"""`dirsync organization`: the companies whose directories these are."""

import re
from typing import Annotated, Any

import typer

from directorysync.cli.failure import USAGE, Failure
from directorysync.cli.output import (
    Column,
    DocumentOutput,
    Format,
    ListOutput,
    show_json,
    show_list,
    show_one,
    time_text,
    working,
)
from directorysync.cli.session import call
from directorysync.client import Client
from directorysync.paging import every
from directorysync.v1 import directory_admin_pb2 as admin_pb2
from directorysync.v1.resources_pb2 import Organization, OrganizationDomain, OrganizationDomainState

app = typer.Typer(help="Companies whose directories these are.", no_args_is_help=True)

_ID = re.compile(r"org_[0-9A-HJKMNP-TV-Z]{26}")


def _note(text: str) -> tuple[str, str]:
    """`key=value`; an empty value removes the key."""
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise typer.BadParameter("give KEY=VALUE")
    return key, value


Domains = Annotated[list[str] | None, typer.Option(help="A domain, not proven; may be repeated.")]
VerifiedDomains = Annotated[list[str] | None, typer.Option(help="A domain that you vouch for; may be repeated.")]
Metadata = Annotated[
    list[Any] | None,
    typer.Option(parser=_note, metavar="KEY=VALUE", help="A note; may be repeated. An empty value removes it."),
]

_COLUMNS: tuple[Column, ...] = (
    ("ID", lambda organization: organization.id),
    ("NAME", lambda organization: organization.name),
    ("DOMAINS", lambda organization: ",".join(domain.domain for domain in organization.domains)),
    ("EXTERNAL ID", lambda organization: organization.external_id),
    ("CREATED", lambda organization: time_text(organization.create_time)),
)


@app.command("list")
def list_organizations(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Only those with exactly this name.")] = "",
    search: Annotated[str, typer.Option(help="Only those whose name holds this text, in any case.")] = "",
    domain: Annotated[list[str] | None, typer.Option(help="Only those with this domain; may be repeated.")] = None,
    output: ListOutput = Format.table,
) -> None:
    """List organizations, oldest first."""

    async def show(client: Client) -> None:
        request = admin_pb2.ListOrganizationsRequest(name=name, search=search, domains=domain)
        await show_list(every(client.admin.ListOrganizations, request, "organizations"), _COLUMNS, output)

    call(context, show)


@app.command()
def create(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Option(help="Shown to people.")],
    external_id: Annotated[str, typer.Option(help="Your application's own id of the company.")] = "",
    domain: Domains = None,
    verified_domain: VerifiedDomains = None,
    metadata: Metadata = None,
    output: DocumentOutput = Format.table,
) -> None:
    """Make an organization. `dirsync directory create` makes one by itself when it is new."""

    async def make(client: Client) -> Organization:
        request = admin_pb2.CreateOrganizationRequest(
            name=name,
            external_id=external_id,
            domains=_domains(domain, verified_domain),
            metadata=dict(metadata or ()),
        )
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
def update(
    context: typer.Context,
    organization: Annotated[str, typer.Argument(help="Id or exact name.")],
    *,
    name: Annotated[str | None, typer.Option(help="New name.")] = None,
    external_id: Annotated[str | None, typer.Option(help="Your application's own id; an empty one removes it.")] = None,
    domain: Domains = None,
    verified_domain: VerifiedDomains = None,
    no_domains: Annotated[bool, typer.Option("--no-domains", help="Remove all domains.")] = False,
    metadata: Metadata = None,
    output: DocumentOutput = Format.table,
) -> None:
    """Change an organization. Domains that are given take the place of all it has."""
    domains = _domains(domain, verified_domain)
    if name is None and external_id is None and not (domains or no_domains or metadata):
        raise Failure("nothing to change: see `dirsync organization update --help` for what there is", USAGE)
    if domains and no_domains:
        raise Failure("`--no-domains` cannot be combined with domains", USAGE)

    async def change(client: Client) -> Organization:
        found = await find_organization(client, organization)
        if found is None:
            raise Failure(f"there is no organization `{organization}`")
        request = admin_pb2.UpdateOrganizationRequest(
            id=found.id, name=name, external_id=external_id, metadata=dict(metadata or ())
        )
        if domains or no_domains:
            request.domains.CopyFrom(admin_pb2.OrganizationDomains(domains=domains))
        return (await client.admin.UpdateOrganization(request)).organization

    show_one(call(context, change), output)


def _domains(pending: list[str] | None, verified: list[str] | None) -> list[OrganizationDomain]:
    vouched = OrganizationDomainState.ORGANIZATION_DOMAIN_STATE_VERIFIED
    return [
        *(OrganizationDomain(domain=domain) for domain in pending or ()),
        *(OrganizationDomain(domain=domain, state=vouched) for domain in verified or ()),
    ]


@app.command()
def delete(
    context: typer.Context,
    organization_id: Annotated[str, typer.Argument(help="Organization id.")],
    force: Annotated[bool, typer.Option("--force", help="With its directories.")] = False,
    output: DocumentOutput = Format.table,
) -> None:
    """Delete an organization that has no directories, or with --force one with them."""

    async def remove(client: Client) -> None:
        request = admin_pb2.DeleteOrganizationRequest(id=organization_id, force=force)
        await client.admin.DeleteOrganization(request)

    with working("deleting"):
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
