"""`dirsync token`: what a provider presents to its directory."""

from collections.abc import AsyncIterator
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
from directorysync.v1 import directory_admin_pb2 as admin_pb2
from directorysync.v1.events_pb2 import DirectoryToken

app = typer.Typer(help="Bearer tokens that a provider presents to its directory.", no_args_is_help=True)

Directory = Annotated[str, typer.Option(help="Directory id.")]

_COLUMNS: tuple[Column, ...] = (
    ("ID", lambda token: token.id),
    ("ENDS IN", lambda token: token.suffix),
    ("CREATED", lambda token: time_text(token.create_time)),
    ("EXPIRES", lambda token: time_text(token.expire_time)),
    ("LAST USED", lambda token: time_text(token.last_use_time)),
    ("REVOKED", lambda token: time_text(token.revoke_time)),
)


@app.command()
def create(
    context: typer.Context, directory: Directory, expires: Expires = None, output: DocumentOutput = Format.table
) -> None:
    """Make one more token for a directory, for example to replace one without a gap. It is shown this once."""

    async def make(client: Client) -> admin_pb2.CreateDirectoryTokenResponse:
        request = admin_pb2.CreateDirectoryTokenRequest(directory_id=directory, expire_time=as_timestamp(expires))
        return await client.admin.CreateDirectoryToken(request)

    made = call(context, make)
    if output is Format.json:
        show_json({"token": document(made.token), "secret": made.secret})
    else:
        show_table(("", ""), [("id", made.token.id), ("bearer token", made.secret)], header=False)


@app.command("list")
def list_tokens(context: typer.Context, directory: Directory, output: ListOutput = Format.table) -> None:
    """List the tokens of a directory without their secrets, oldest first, revoked ones too."""

    async def tokens(client: Client) -> AsyncIterator[DirectoryToken]:
        request = admin_pb2.ListDirectoryTokensRequest(directory_id=directory)
        for token in (await client.admin.ListDirectoryTokens(request)).tokens:
            yield token

    async def show(client: Client) -> None:
        await show_list(tokens(client), _COLUMNS, output)

    call(context, show)


@app.command()
def revoke(
    context: typer.Context,
    token_id: Annotated[str, typer.Argument(help="Token id.")],
    directory: Directory,
    output: DocumentOutput = Format.table,
) -> None:
    """End a token at once."""

    async def end(client: Client) -> DirectoryToken:
        request = admin_pb2.RevokeDirectoryTokenRequest(directory_id=directory, id=token_id)
        return (await client.admin.RevokeDirectoryToken(request)).token

    show_one(call(context, end), output)
