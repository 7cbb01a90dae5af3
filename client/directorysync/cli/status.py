"""`dirsync status`: one screen about the service."""

from collections import Counter
from importlib.metadata import version as installed_version
from typing import Any

import typer

from directorysync import credentials
from directorysync.cli.output import DocumentOutput, Format, enum_name, show_json, show_table, time_text
from directorysync.cli.session import Target, call
from directorysync.client import Client
from directorysync.errors import CredentialsInvalid, PermissionDenied
from directorysync.paging import every
from directorysync.v1 import directory_admin_pb2 as admin_pb2
from directorysync.v1 import directory_sync_pb2 as sync_pb2
from directorysync.v1.resources_pb2 import DirectoryState


def status(context: typer.Context, output: DocumentOutput = Format.table) -> None:
    """Show whether the service is ready, its release, its log and its directories. Fails when it cannot be reached."""
    target = context.find_object(Target) or Target(None, None)
    found = {"address": credentials.resolve(target.address, target.api_key).address, **call(context, _found)}
    if output is Format.json:
        show_json(found)
        return
    rows = [(name.replace("_", " "), _shown(value)) for name, value in found.items()]
    show_table(("", ""), rows, header=False)


async def _found(client: Client) -> dict[str, Any]:
    # It is answered out of the database: who answers is ready.
    info = await client.sync.GetServerInfo(sync_pb2.GetServerInfoRequest())
    return {
        "ready": True,
        "server_version": info.version,
        "command_version": installed_version("directorysync"),
        "epoch": info.epoch,
        "retention_days": info.retention.seconds // 86_400,
        "log": await _log(client),
        "directories": await _directories(client),
    }


async def _log(client: Client) -> dict[str, Any] | None:
    """None for a key that may not know."""
    try:
        log = await client.admin.GetEventLog(admin_pb2.GetEventLogRequest())
    except (PermissionDenied, CredentialsInvalid):
        return None
    oldest, newest = time_text(log.oldest_time), time_text(log.newest_time)
    return {"events": log.event_count, "bytes": log.size_bytes, "oldest": oldest or None, "newest": newest or None}


async def _directories(client: Client) -> dict[str, int] | None:
    """How many there are in each state; None for a key that may not know."""
    try:
        request = sync_pb2.ListDirectoriesRequest()
        states = Counter(
            [directory.state async for directory in every(client.sync.ListDirectories, request, "directories")]
        )
    except (PermissionDenied, CredentialsInvalid):
        return None
    counts = {enum_name(DirectoryState, state, "DIRECTORY_STATE_"): count for state, count in sorted(states.items())}
    return {"total": states.total(), **counts}


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number if number is not None else '–'}" for name, number in value.items())
    if value is None:
        return "not for this key"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
