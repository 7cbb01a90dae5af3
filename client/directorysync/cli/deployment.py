"""`dirsync serve` and `dirsync migrate`: what runs the product. The rest of the command needs none of it."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from directorysync.cli.output import DocumentOutput, Format, show_json, working
from directorysync.cli.ports import Endpoint
from directorysync.cli.serve import ServeOptions
from directorysync.cli.serve import serve as supervise
from directorysync.credentials import DEFAULT_DATA_DIR

DatabaseUrl = Annotated[
    str,
    typer.Option(
        envvar="DIRSYNC_DATABASE_URL", show_envvar=True, metavar="URL", help="postgresql://user:password@host/database"
    ),
]


class Transport(StrEnum):
    """How the gateway reaches the service in the same process."""

    local = "local"
    grpc = "grpc"


def _cores() -> int:
    """Those that this process may use, where the system says so."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _endpoint(text: str) -> Endpoint:
    try:
        return Endpoint.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def serve(
    *,
    data_dir: Annotated[
        Path, typer.Option(envvar="DIRSYNC_DATA_DIR", help="Admin key, and the embedded PostgreSQL.")
    ] = DEFAULT_DATA_DIR,
    database_url: Annotated[
        str,
        typer.Option(
            envvar="DIRSYNC_DATABASE_URL", metavar="URL", help="A PostgreSQL of your own, instead of the embedded one."
        ),
    ] = "",
    grpc_listen: Annotated[
        Endpoint,
        typer.Option(parser=_endpoint, envvar="DIRSYNC_GRPC_LISTEN", metavar="HOST:PORT", help="Port 0: a free one."),
    ] = "127.0.0.1:50051",  # type: ignore[assignment]  # typer parses defaults
    http_listen: Annotated[
        Endpoint,
        typer.Option(parser=_endpoint, envvar="DIRSYNC_HTTP_LISTEN", metavar="HOST:PORT", help="Port 0: a free one."),
    ] = "127.0.0.1:8080",  # type: ignore[assignment]  # typer parses defaults
    workers: Annotated[
        int, typer.Option(envvar="DIRSYNC_WORKERS", min=0, max=256, help="Processes; 0: one per core.")
    ] = 0,
    transport: Annotated[Transport, typer.Option(envvar="DIRSYNC_TRANSPORT", hidden=True)] = Transport.local,
) -> None:
    """Run the whole product: PostgreSQL (unless a URL is given), service and gateway.

    Prints one line on standard output for each part that is ready; logs are JSON lines on standard error. Stops on
    SIGTERM or Ctrl-C.
    """
    supervise(
        ServeOptions(
            data_dir=data_dir,
            database_url=database_url or None,
            grpc_listen=grpc_listen,
            http_listen=http_listen,
            workers=workers or _cores(),
            transport=transport.value,
        )
    )


def migrate(database_url: DatabaseUrl, output: DocumentOutput = Format.table) -> None:
    """Bring a database to the newest schema. `dirsync serve` does so by itself when it starts."""
    from directorysync.cli import prepare  # noqa: PLC0415 - the other commands do without the service

    with working("migrating"):
        revision = prepare.migrate(database_url)
    if output is Format.json:
        show_json({"revision": revision})
    else:
        typer.echo(f"schema {revision}")
