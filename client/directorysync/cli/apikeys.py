"""`dirsync apikey`: what an application presents."""

from enum import StrEnum
from typing import Annotated

import typer

from directorysync.cli.expiry import Expires, as_timestamp
from directorysync.cli.output import (
    Column,
    DocumentOutput,
    Format,
    ListOutput,
    document,
    show_json,
    show_list,
    show_one,
    show_table,
    time_text,
)
from directorysync.cli.session import call
from directorysync.client import Client
from directorysync.paging import every
from directorysync.v1 import directory_admin_pb2 as admin_pb2

app = typer.Typer(help="API keys that applications present.", no_args_is_help=True)

_COLUMNS: tuple[Column, ...] = (
    ("ID", lambda key: key.id),
    ("NAME", lambda key: key.name),
    ("SCOPES", lambda key: ",".join(key.scopes)),
    ("ONLY", lambda key: ",".join([*key.organization_ids, *key.directory_ids])),
    ("ENDS IN", lambda key: key.suffix),
    ("EXPIRES", lambda key: time_text(key.expire_time)),
    ("LAST USED", lambda key: time_text(key.last_use_time)),
    ("REVOKED", lambda key: time_text(key.revoke_time)),
)


class Scope(StrEnum):
    """Values of `--scope`."""

    admin = "admin"
    read = "read"
    watch = "watch"
    provision = "provision"
    deliver = "deliver"


@app.command()
def create(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Option(help="Shown to people.")],
    scope: Annotated[
        list[Scope], typer.Option(help="What the key is for; may be repeated. admin includes the others.")
    ],
    organization: Annotated[
        list[str] | None, typer.Option(help="Only this organization: its id; may be repeated.")
    ] = None,
    directory: Annotated[list[str] | None, typer.Option(help="Only this directory: its id; may be repeated.")] = None,
    expires: Expires = None,
    membership_update_time: Annotated[
        bool,
        typer.Option(
            "--membership-update-time",
            help="REST: a user's `updated_at` moves when the user joins or leaves a group; WorkOS leaves it.",
        ),
    ] = False,
    output: DocumentOutput = Format.table,
) -> None:
    """Make an API key. It is shown this once."""

    async def make(client: Client) -> admin_pb2.CreateApiKeyResponse:
        request = admin_pb2.CreateApiKeyRequest(
            name=name,
            scopes=scope,
            organization_ids=organization,
            directory_ids=directory,
            expire_time=as_timestamp(expires),
            membership_update_time=membership_update_time,
        )
        return await client.admin.CreateApiKey(request)

    made = call(context, make)
    if output is Format.json:
        show_json({"api_key": document(made.api_key), "secret": made.secret})
    else:
        show_table(("", ""), [("id", made.api_key.id), ("API key", made.secret)], header=False)


@app.command("list")
def list_keys(context: typer.Context, output: ListOutput = Format.table) -> None:
    """List API keys without their secrets, oldest first, revoked ones too."""

    async def show(client: Client) -> None:
        request = admin_pb2.ListApiKeysRequest()
        await show_list(every(client.admin.ListApiKeys, request, "api_keys"), _COLUMNS, output)

    call(context, show)


@app.command()
def revoke(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(help="API key id.")],
    output: DocumentOutput = Format.table,
) -> None:
    """End an API key at once."""

    async def end(client: Client) -> admin_pb2.ApiKey:
        return (await client.admin.RevokeApiKey(admin_pb2.RevokeApiKeyRequest(id=key_id))).api_key

    show_one(call(context, end), output)
