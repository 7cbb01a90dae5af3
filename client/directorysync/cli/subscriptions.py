"""`dirsync subscription`: named places in the log, of which the service keeps how far their readers came."""

from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated

import typer
from google.protobuf.timestamp_pb2 import Timestamp

from directorysync.cli.event_types import warn_if_unknown
from directorysync.cli.events import show_event
from directorysync.cli.output import (
    Column,
    DocumentOutput,
    Format,
    ListOutput,
    show_list,
    show_one,
    time_text,
)
from directorysync.cli.session import call
from directorysync.client import Client
from directorysync.paging import every
from directorysync.v1 import directory_sync_pb2 as sync_pb2
from directorysync.v1 import subscriptions_pb2 as pb
from directorysync.v1.events_pb2 import EventFilter

app = typer.Typer(help="Named places in the log; the service keeps them.", no_args_is_help=True)

_COLUMNS: tuple[Column, ...] = (
    ("ID", lambda one: one.id),
    ("NAME", lambda one: one.name),
    ("LAG", lambda one: str(one.lag)),
    ("WAITING", lambda one: f"{one.lag_time.seconds} s" if one.lag else ""),
    ("CONSUMER", lambda one: one.consumer),
    ("REDELIVERED", lambda one: str(one.redelivery_count or "")),
    ("LAST ACK", lambda one: time_text(one.acknowledge_time)),
    ("LAST ERROR", lambda one: one.last_error),
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the subscription.")]
Start = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="beginning|now|CURSOR|TIME|EVENT_ID",
        help="Where it begins: behind a cursor, behind the last event before an RFC 3339 time, behind an event.",
    ),
]


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="1 to 128 characters.")],
    *,
    directory: Annotated[list[str] | None, typer.Option(help="Only this directory: its id; may be repeated.")] = None,
    organization: Annotated[
        list[str] | None, typer.Option(help="Only this organization's directories: its id; may be repeated.")
    ] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Only this type, or `dsync.user.*`; may be repeated.")
    ] = None,
    start: Start = "now",
    output: DocumentOutput = Format.table,
) -> None:
    """Make a subscription."""
    warn_if_unknown(types)
    wanted = EventFilter(directory_ids=directory, organization_ids=organization, types=types)
    request = pb.CreateSubscriptionRequest(name=name, filter=wanted, position=position_of(start))

    async def make(client: Client) -> pb.Subscription:
        return (await client.admin.CreateSubscription(request)).subscription

    show_one(call(context, make), output)


@app.command()
def get(context: typer.Context, name: Name, output: DocumentOutput = Format.table) -> None:
    """Show one: its place, its lag, who reads it, what went wrong last."""

    async def find(client: Client) -> pb.Subscription:
        return (await client.admin.GetSubscription(pb.GetSubscriptionRequest(subscription=name))).subscription

    show_one(call(context, find), output)


@app.command("list")
def list_subscriptions(context: typer.Context, output: ListOutput = Format.table) -> None:
    """List subscriptions, oldest first."""

    async def show(client: Client) -> None:
        found = every(client.admin.ListSubscriptions, pb.ListSubscriptionsRequest(), "subscriptions")
        await show_list(found, _COLUMNS, output)

    call(context, show)


@app.command()
def reset(
    context: typer.Context,
    name: Name,
    *,
    start: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="beginning|now|CURSOR|TIME|EVENT_ID",
            help="Where it begins again: as for `create`.",
        ),
    ],
    output: DocumentOutput = Format.table,
) -> None:
    """Move a subscription to another place in the log, back or ahead. Its reader begins again there."""
    request = pb.ResetSubscriptionRequest(subscription=name, position=position_of(start))

    async def move(client: Client) -> pb.Subscription:
        return (await client.admin.ResetSubscription(request)).subscription

    show_one(call(context, move), output)


@app.command()
def delete(context: typer.Context, name: Name) -> None:
    """Forget a subscription."""

    async def forget(client: Client) -> None:
        await client.admin.DeleteSubscription(pb.DeleteSubscriptionRequest(subscription=name))

    call(context, forget)


@app.command()
def tail(
    context: typer.Context,
    name: Name,
    *,
    consumer: Annotated[str, typer.Option(help="Shown to others. Default: host and process.")] = "",
    takeover: Annotated[bool, typer.Option("--takeover", help="Take it from the reader that has it.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Go on with new events, or end at the newest one.")
    ] = True,
    output: Annotated[Format, typer.Option("--output", "-o", help="`json`: one event a line, with a `cursor`.")] = (
        Format.table
    ),
) -> None:
    """Read a subscription: each event that is shown is acknowledged, and is not shown again.

    Waits while another reader has it.
    """

    async def show(client: Client) -> None:
        # The first call fails at once where a reading would go on trying.
        await client.sync.GetServerInfo(sync_pb2.GetServerInfoRequest())
        batch_size = 1 if output is Format.json else 0
        reading = client.subscribe(name, consumer=consumer, takeover=takeover, max_batch_size=batch_size)
        async with aclosing(reading) as batches:
            async for batch in batches:
                for event in batch.events:
                    show_event(event, batch.cursor, output)
                batch.ack()
                if batch.caught_up and not follow:
                    return

    call(context, show)


def position_of(text: str) -> pb.SubscriptionPosition:
    """`beginning`, `now`, an event's id, an RFC 3339 time, or a cursor."""
    if text == "beginning":
        return pb.SubscriptionPosition(beginning=True)
    if text == "now":
        return pb.SubscriptionPosition(now=True)
    if text.startswith("event_"):
        return pb.SubscriptionPosition(event_id=text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return pb.SubscriptionPosition(cursor=text)
    time = Timestamp()
    time.FromDatetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return pb.SubscriptionPosition(time=time)
