"""The command `dirsync`."""

import os
import sys
from importlib.metadata import version as installed_version
from typing import Annotated

# gRPC's own log is for its developers. Read when grpc is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import typer

from directorysync.cli import (
    apikeys,
    deployment,
    directories,
    events,
    groups,
    organizations,
    status,
    subscriptions,
    tokens,
    users,
    webhooks,
)
from directorysync.cli.failure import Failure
from directorysync.cli.output import DocumentOutput, Format, show_json, silence_stdout
from directorysync.cli.session import Target

app = typer.Typer(
    name="dirsync",
    help="Directory sync: receive users and groups from identity providers, keep them exactly, follow every change.",
    no_args_is_help=True,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(deployment.serve)
app.command()(deployment.migrate)
app.command()(status.status)
app.add_typer(directories.app, name="directory")
app.add_typer(organizations.app, name="organization")
app.add_typer(users.app, name="user")
app.add_typer(groups.app, name="group")
app.add_typer(tokens.app, name="token")
app.add_typer(apikeys.app, name="apikey")
app.add_typer(events.app, name="events")
app.add_typer(webhooks.app, name="webhook")
app.add_typer(subscriptions.app, name="subscription")


@app.callback()
def connection(
    context: typer.Context,
    address: Annotated[
        str | None,
        typer.Option(
            envvar="DIRSYNC_ADDRESS",
            metavar="HOST:PORT",
            help="The service. Default: 127.0.0.1:50051",
            show_default=False,
        ),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar="DIRSYNC_API_KEY",
            help="Default: for a service on this machine, the admin key in the data directory of `dirsync serve`.",
            show_default=False,
        ),
    ] = None,
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the release of this command and end.", is_eager=True)
    ] = False,
) -> None:
    """Where the service is. Exit codes: 1 failed, 2 wrong usage, 3 the service cannot be reached."""
    if show_version:
        typer.echo(installed_version("directorysync"))
        raise typer.Exit
    context.obj = Target(address, api_key)


@app.command()
def version(output: DocumentOutput = Format.table) -> None:
    """Show the version of this command."""
    found = installed_version("directorysync")
    if output is Format.json:
        show_json({"version": found})
    else:
        typer.echo(f"dirsync {found}")


def main() -> None:
    """Entry point. Exit codes are in `failure.py`."""
    try:
        app()
    except Failure as failure:
        if text := str(failure):
            print(f"dirsync: {text}", file=sys.stderr)
        sys.exit(failure.exit_code)
    except BrokenPipeError:
        silence_stdout()
