"""`dirsync directory`: connected sources of users and groups."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated

import typer

from directorysync import credentials
from directorysync.cli.datadir import DataDir
from directorysync.cli.failure import USAGE, Failure
from directorysync.cli.organizations import find_or_make_organization
from directorysync.cli.output import (
    Column,
    DocumentOutput,
    Format,
    ListOutput,
    document,
    enum_name,
    show_json,
    show_list,
    show_one,
    show_table,
    time_text,
    working,
)
from directorysync.cli.providers import warn_if_unknown
from directorysync.cli.session import call
from directorysync.client import Client
from directorysync.paging import every
from directorysync.v1 import directory_admin_pb2 as admin_pb2
from directorysync.v1 import directory_sync_pb2 as sync_pb2
from directorysync.v1.directory_admin_pb2 import Diagnostic
from directorysync.v1.directory_ingest_pb2 import ResourceType
from directorysync.v1.resources_pb2 import Deactivation, Directory, DirectoryPolicy, DirectoryState

app = typer.Typer(help="Connected sources of users and groups.", no_args_is_help=True)


class DeactivationOption(StrEnum):
    """Values of `--deactivation`."""

    keep = "keep"
    delete = "delete"


class UniqueOption(StrEnum):
    """Values of `--unique-group-names`."""

    on = "on"
    off = "off"
    provider = "provider"


_DIAGNOSTIC_COLUMNS: tuple[Column, ...] = (
    ("TYPE", lambda found: enum_name(ResourceType, found.resource_type, "RESOURCE_TYPE_")),
    ("PATH", lambda found: found.path),
    ("REASON", lambda found: found.reason),
    ("COUNT", lambda found: str(found.count)),
    ("LAST SEEN", lambda found: time_text(found.last_seen_time)),
    ("LAST REQUEST", lambda found: found.last_request_id),
)
DirectoryId = Annotated[str, typer.Argument(help="Directory id.")]
HttpUrl = Annotated[
    str,
    typer.Option(
        envvar="DIRSYNC_HTTP_URL",
        help="Where providers reach the gateway. Default: what `dirsync serve` noted in its data directory.",
    ),
]

_COLUMNS: tuple[Column, ...] = (
    ("ID", lambda directory: directory.id),
    ("NAME", lambda directory: directory.name),
    ("PROVIDER", lambda directory: directory.provider),
    ("STATE", lambda directory: enum_name(DirectoryState, directory.state, "DIRECTORY_STATE_")),
    ("EVENTS", lambda directory: str(directory.sequence)),
    ("ORGANIZATION", lambda directory: directory.organization_id),
    ("CREATED", lambda directory: time_text(directory.create_time)),
)


@app.command()
def create(
    context: typer.Context,
    *,
    organization: Annotated[str, typer.Option(help="Id or name of the organization; made when the name is new.")],
    name: Annotated[str, typer.Option(help="Shown to people.")],
    provider: Annotated[
        str, typer.Option(help="okta, entra, onelogin, jumpcloud, pingfederate, google, generic …")
    ] = "generic",
    http_url: HttpUrl = "",
    output: DocumentOutput = Format.table,
) -> None:
    """Make a directory and show what its provider is given. The bearer token is shown this once."""
    warn_if_unknown(provider)

    async def make(client: Client) -> admin_pb2.CreateDirectoryResponse:
        owner = await find_or_make_organization(client, organization)
        request = admin_pb2.CreateDirectoryRequest(organization_id=owner.id, name=name, provider=provider)
        return await client.admin.CreateDirectory(request)

    made = call(context, make)
    scim = {"base_url": scim_base_url(made.directory, http_url), "bearer_token": made.secret}
    if output is Format.json:
        show_json({"directory": document(made.directory), "scim": scim})
        return
    show_table(
        ("", ""),
        [("directory", made.directory.id), ("base URL", scim["base_url"]), ("bearer token", scim["bearer_token"])],
        header=False,
    )


@app.command("list")
def list_directories(
    context: typer.Context,
    organization: Annotated[str, typer.Option(help="Only those of this organization: its id.")] = "",
    output: ListOutput = Format.table,
) -> None:
    """List directories, oldest first."""

    async def show(client: Client) -> None:
        request = sync_pb2.ListDirectoriesRequest(organization_id=organization)
        await show_list(every(client.sync.ListDirectories, request, "directories"), _COLUMNS, output)

    call(context, show)


@app.command()
def get(context: typer.Context, directory_id: DirectoryId, output: DocumentOutput = Format.table) -> None:
    """Show one directory with its counts."""

    async def fetch(client: Client) -> Directory:
        return (await client.sync.GetDirectory(sync_pb2.GetDirectoryRequest(id=directory_id))).directory

    show_one(call(context, fetch), output, counted=True)


@app.command()
def update(
    context: typer.Context,
    directory_id: DirectoryId,
    *,
    name: Annotated[str | None, typer.Option(help="New name.")] = None,
    provider: Annotated[str | None, typer.Option(help="New provider.")] = None,
    disabled: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Refuse its provider's writes, or take them again.")
    ] = None,
    deactivation: Annotated[
        DeactivationOption | None, typer.Option(help="What the application sees when a user is deactivated.")
    ] = None,
    announce: Annotated[
        bool | None,
        typer.Option("--announce-on-reactivation/--no-announce-on-reactivation", help="Announce memberships again."),
    ] = None,
    unique_group_names: Annotated[
        UniqueOption | None, typer.Option(help="Refuse a second group of one name; provider: as it needs it.")
    ] = None,
    unique_emails: Annotated[
        bool | None,
        typer.Option("--unique-emails/--shared-emails", help="Refuse a second active user with one address."),
    ] = None,
    output: DocumentOutput = Format.table,
) -> None:
    """Change a directory's settings and policy."""
    policy = (deactivation, announce, unique_group_names, unique_emails)
    if all(option is None for option in (name, provider, disabled, *policy)):
        raise Failure("nothing to change: see `dirsync directory update --help` for what there is", USAGE)
    warn_if_unknown(provider or "")

    async def change(client: Client) -> Directory:
        request = admin_pb2.UpdateDirectoryRequest(id=directory_id, name=name, provider=provider, disabled=disabled)
        if any(option is not None for option in policy):
            found = await client.sync.GetDirectory(sync_pb2.GetDirectoryRequest(id=directory_id))
            request.policy.CopyFrom(found.directory.policy)
            _apply(request.policy, *policy)
        return (await client.admin.UpdateDirectory(request)).directory

    show_one(call(context, change), output)


def _apply(
    policy: DirectoryPolicy,
    deactivation: DeactivationOption | None,
    announce: bool | None,
    unique_group_names: UniqueOption | None,
    unique_emails: bool | None,
) -> None:
    if deactivation is not None:
        policy.deactivation = Deactivation.Value(f"DEACTIVATION_{deactivation.name.upper()}")
    if announce is not None:
        policy.announce_on_reactivation = announce
    if unique_group_names is UniqueOption.provider:
        policy.ClearField("unique_group_names")
    elif unique_group_names is not None:
        policy.unique_group_names = unique_group_names is UniqueOption.on
    if unique_emails is not None:
        policy.unique_emails = unique_emails


@app.command()
def diagnostics(context: typer.Context, directory_id: DirectoryId, output: ListOutput = Format.table) -> None:
    """List what the provider sent and could not be understood: where and why, never the values."""

    async def found(client: Client) -> AsyncIterator[Diagnostic]:
        request = admin_pb2.ListDiagnosticsRequest(directory_id=directory_id)
        for diagnostic in (await client.admin.ListDiagnostics(request)).diagnostics:
            yield diagnostic

    async def show(client: Client) -> None:
        await show_list(found(client), _DIAGNOSTIC_COLUMNS, output)

    call(context, show)


@app.command()
def delete(context: typer.Context, directory_id: DirectoryId, output: DocumentOutput = Format.table) -> None:
    """Delete a directory with its users, groups and tokens. Its events stay until their retention ends."""

    async def remove(client: Client) -> None:
        await client.admin.DeleteDirectory(admin_pb2.DeleteDirectoryRequest(id=directory_id))

    with working("deleting"):
        call(context, remove)
    if output is Format.json:
        show_json({"id": directory_id, "deleted": True})


def scim_base_url(directory: Directory, http_url: str) -> str:
    """What a provider is given as base URL (tenant URL, SCIM URL)."""
    noted = DataDir(credentials.data_dir())
    base = http_url or noted.http_url()
    if not http_url and not noted.knows_http_url():
        typer.echo(f"dirsync: nobody said where the gateway is, so this assumes {base}; see --http-url", err=True)
    return f"{base.rstrip('/')}/scim/v2/{directory.scim_key}"
