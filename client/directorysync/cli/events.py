"""`dirsync events`: every change, in order."""

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from typing import Annotated, Any

import typer

from directorysync.cli.event_types import warn_if_unknown
from directorysync.cli.output import (
    DocumentOutput,
    Format,
    document,
    show_json,
    show_json_line,
    show_text,
    stdout_unread,
    time_text,
)
from directorysync.cli.session import call
from directorysync.client import Client
from directorysync.v1 import directory_admin_pb2 as admin_pb2
from directorysync.v1 import directory_sync_pb2 as sync_pb2
from directorysync.v1.events_pb2 import Event, EventFilter

app = typer.Typer(help="Every change, in order.", no_args_is_help=True)

# A tail that only wants what is there must not wait for ever for a server that is gone.
GIVE_UP_SECONDS = 30.0
FOLLOW_BOOKMARK_SECONDS = 15.0
# Where nothing matches the filter at the end of the log, it is a bookmark that says so.
END_BOOKMARK_SECONDS = 2.0


@app.command()
def tail(
    context: typer.Context,
    *,
    directory: Annotated[list[str] | None, typer.Option(help="Only this directory: its id; may be repeated.")] = None,
    organization: Annotated[
        list[str] | None, typer.Option(help="Only this organization's directories: its id; may be repeated.")
    ] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Only this type, or `dsync.user.*`; may be repeated.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="beginning|now|CURSOR",
            help="Where to begin. A cursor continues behind its event. Default: now, with --no-follow the beginning.",
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Go on with new events, or end at the newest one.")
    ] = True,
    output: Annotated[
        Format, typer.Option("--output", "-o", help="`json`: one event a line, with the `cursor` to go on behind it.")
    ] = Format.table,
) -> None:
    """Show events as they are committed.

    Goes on through restarts of the service. An event may be shown again after a break only to a reader that goes back
    to an older cursor: ids and `directory_sequence` tell.
    """
    wanted = EventFilter(directory_ids=directory, organization_ids=organization, types=types)
    warn_if_unknown(types)
    position = watch_start(start or ("now" if follow else "beginning"))

    async def show(client: Client) -> None:
        # The first call fails at once where a watch would go on trying.
        await client.sync.GetServerInfo(sync_pb2.GetServerInfoRequest())
        await _while_read(_tail(client, wanted, position, output, follow=follow))

    call(context, show)


@app.command()
def info(context: typer.Context, output: DocumentOutput = Format.table) -> None:
    """Show how large the log is and how far it reaches back. Needs an admin key without bounds."""
    request = admin_pb2.GetEventLogRequest()
    found = call(context, lambda client: client.admin.GetEventLog(request))
    if output is Format.json:
        show_json(document(found))
        return
    show_text(f"events     {found.event_count:,} in {_size(found.size_bytes)}")
    if found.HasField("oldest_time"):
        show_text(f"committed  {time_text(found.oldest_time)} to {time_text(found.newest_time)}")
    show_text(f"kept       {found.retention.seconds // 86_400} days")
    show_text(f"oldest     {found.oldest_cursor}")
    show_text(f"newest     {found.newest_cursor}")
    for day in found.days:
        show_text(f"{day.day}  {day.event_count:>12,} events  {_size(day.size_bytes):>10}")


def _size(count: int) -> str:
    size, units = float(count), ["TiB", "GiB", "MiB", "KiB", "B"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop()
    return f"{size:.0f} B" if units[-1] == "B" else f"{size:.1f} {units[-1]}"


async def _while_read(showing: Coroutine[Any, Any, None]) -> None:
    """Until it ends, or nobody reads what it shows, as behind `head`."""
    shown, unread = asyncio.ensure_future(showing), asyncio.ensure_future(stdout_unread())
    try:
        await asyncio.wait((shown, unread), return_when=asyncio.FIRST_COMPLETED)
        if not shown.done():
            raise BrokenPipeError
        await shown
    finally:
        for task in (shown, unread):
            task.cancel()
        await asyncio.gather(shown, unread, return_exceptions=True)


def watch_start(text: str) -> sync_pb2.WatchStart:
    """`beginning`, `now` or a cursor."""
    if text == "beginning":
        return sync_pb2.WatchStart(beginning=sync_pb2.WatchStart.Beginning())
    if text == "now":
        return sync_pb2.WatchStart(now=sync_pb2.WatchStart.Now())
    return sync_pb2.WatchStart(cursor=text)


async def _tail(
    client: Client, wanted: EventFilter, position: sync_pb2.WatchStart, output: Format, *, follow: bool
) -> None:
    # One command a message gives each line a cursor that continues exactly behind it.
    batch_size = 1 if output is Format.json else 0
    watch = client.watch(
        filter=wanted,
        start=position,
        max_batch_size=batch_size,
        bookmark_interval=FOLLOW_BOOKMARK_SECONDS if follow else END_BOOKMARK_SECONDS,
        give_up_after=None if follow else GIVE_UP_SECONDS,
    )
    before = ""
    async with aclosing(watch) as batches:
        async for batch in batches:
            for event in batch.events:
                last = event is batch.events[-1]
                show_event(event, batch.cursor if last else before, output)
            before = batch.cursor
            if batch.caught_up and not follow:
                return


def show_event(event: Event, cursor: str, output: Format) -> None:
    """One event on one line."""
    if output is Format.json:
        show_json_line({**document(event), "cursor": cursor})
        return
    place = f"{event.directory_id} {event.directory_sequence:>7}"
    show_text(f"{time_text(event.create_time)}  {place}  {event.type.removeprefix('dsync.'):<18}  {_about(event)}")


def _about(event: Event) -> str:
    subject: Any = getattr(event, event.WhichOneof("data") or "", None)
    match event.WhichOneof("data"):
        case "user":
            return f"{subject.id}  {subject.user_name}"
        case "group" | "directory":
            return f"{subject.id}  {subject.name}"
        case "membership":
            return f"{subject.member_id} {subject.member_name}  in  {subject.group_id} {subject.group_name}"
        case "token":
            return str(subject.id)
        case "webhook_endpoint":
            return f"{subject.id}  {subject.status_reason}"
    return ""
