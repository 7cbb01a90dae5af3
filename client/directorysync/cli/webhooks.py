"""`dirsync webhook`: where events are sent by HTTP, what was sent, and what is to be sent again."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from typing import Annotated

import typer

from directorysync.cli.event_types import warn_if_unknown
from directorysync.cli.failure import USAGE, Failure
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
from directorysync.cli.receivers import warn_if_inward
from directorysync.cli.session import call
from directorysync.cli.spans import Moment, Span, as_duration, as_moment
from directorysync.client import Client
from directorysync.paging import every
from directorysync.v1 import events_pb2
from directorysync.v1 import webhooks_pb2 as pb

app = typer.Typer(help="Webhook endpoints, their deliveries and replays.", no_args_is_help=True)

EndpointId = Annotated[str, typer.Argument(help="Endpoint id.")]
Types = Annotated[
    list[str] | None, typer.Option("--event", help="Type of event, such as `dsync.user.created` or `dsync.user.*`.")
]
Directories = Annotated[list[str] | None, typer.Option("--directory", help="Only this directory; may be repeated.")]
Organizations = Annotated[
    list[str] | None, typer.Option("--organization", help="Only this organization; may be repeated.")
]
Description = Annotated[str | None, typer.Option(help="For people.")]

_EVERYTHING = ["dsync.*"]
_PAGE = 1_000
# An attempt may take 15 s, and a dispatcher some to notice a new endpoint.
_WAIT_SECONDS, _LOOK_SECONDS = 30.0, 0.3
_COLUMNS: tuple[Column, ...] = (
    ("ID", lambda one: one.id),
    ("URL", lambda one: one.endpoint_url),
    ("EVENTS", lambda one: ",".join(one.filter.types)),
    ("STATUS", lambda one: enum_name(pb.WebhookEndpointStatus, one.status, "WEBHOOK_ENDPOINT_STATUS_")),
    ("REASON", lambda one: one.status_reason),
    ("FAILING SINCE", lambda one: time_text(one.failing_since_time)),
)
_DELIVERY_COLUMNS: tuple[Column, ...] = (
    ("ID", lambda one: one.id),
    ("EVENT", lambda one: one.event_id),
    ("TYPE", lambda one: one.event_type),
    ("STATE", lambda one: enum_name(pb.WebhookDeliveryState, one.state, "WEBHOOK_DELIVERY_STATE_")),
    ("ATTEMPTS", lambda one: str(one.attempt_count)),
    ("ANSWER", lambda one: str(one.response_status or "none")),
    ("ERROR", lambda one: one.error),
    ("LAST ATTEMPT", lambda one: time_text(one.update_time)),
    ("NEXT ATTEMPT", lambda one: time_text(one.next_attempt_time)),
)


@app.command()
def create(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="https URL of the receiver.")],
    *,
    event: Types = None,
    directory: Directories = None,
    organization: Organizations = None,
    description: Description = None,
    output: DocumentOutput = Format.table,
) -> None:
    """Make an endpoint and show the secret that signs its deliveries. Without `--event`: all events."""
    warn_if_unknown(event)
    warn_if_inward(url)

    async def make(client: Client) -> pb.WebhookEndpoint:
        request = pb.CreateWebhookEndpointRequest(
            endpoint_url=url,
            filter=_filter(event or _EVERYTHING, directory, organization),
            description=description or "",
        )
        return (await client.admin.CreateWebhookEndpoint(request)).endpoint

    _show(call(context, make), output)


@app.command("list")
def list_endpoints(context: typer.Context, output: ListOutput = Format.table) -> None:
    """List endpoints, oldest first."""

    async def endpoints(client: Client) -> AsyncIterator[pb.WebhookEndpoint]:
        request = pb.ListWebhookEndpointsRequest(page_size=_PAGE)
        while True:
            page = await client.admin.ListWebhookEndpoints(request)
            for endpoint in page.endpoints:
                yield endpoint
            if not page.more:
                return
            request.after_id = page.endpoints[-1].id

    async def show(client: Client) -> None:
        await show_list(endpoints(client), _COLUMNS, output)

    call(context, show)


@app.command()
def get(context: typer.Context, endpoint_id: EndpointId, output: DocumentOutput = Format.table) -> None:
    """Show one endpoint with its secrets."""

    async def find(client: Client) -> pb.WebhookEndpoint:
        return (await client.admin.GetWebhookEndpoint(pb.GetWebhookEndpointRequest(id=endpoint_id))).endpoint

    _show(call(context, find), output)


@app.command()
def update(
    context: typer.Context,
    endpoint_id: EndpointId,
    *,
    url: Annotated[str | None, typer.Option(help="https URL of the receiver.")] = None,
    event: Types = None,
    directory: Directories = None,
    organization: Organizations = None,
    description: Description = None,
    enable: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Go on where delivery stopped, or let events wait.")
    ] = None,
    output: DocumentOutput = Format.table,
) -> None:
    """Change an endpoint. `--event`, `--directory` and `--organization` together are its new filter; those left out
    stay as they are.
    """
    warn_if_unknown(event)
    warn_if_inward(url)

    async def change(client: Client) -> pb.WebhookEndpoint:
        request = pb.UpdateWebhookEndpointRequest(
            id=endpoint_id, endpoint_url=url, enabled=enable, description=description
        )
        if event or directory or organization:
            found = await client.admin.GetWebhookEndpoint(pb.GetWebhookEndpointRequest(id=endpoint_id))
            before = found.endpoint.filter
            request.filter.CopyFrom(
                _filter(
                    event or [*before.types],
                    directory or [*before.directory_ids],
                    organization or [*before.organization_ids],
                )
            )
        return (await client.admin.UpdateWebhookEndpoint(request)).endpoint

    _show(call(context, change), output)


@app.command()
def rotate(
    context: typer.Context,
    endpoint_id: EndpointId,
    overlap: Annotated[
        Span | None, typer.Option(parser=Span.parse, metavar="SPAN", help="How long the old secret signs too: `24h`.")
    ] = None,
    output: DocumentOutput = Format.table,
) -> None:
    """Make a new secret; the present one goes on signing beside it for a day, or for `--overlap`."""

    async def turn(client: Client) -> pb.WebhookEndpoint:
        request = pb.RotateWebhookSecretRequest(id=endpoint_id, overlap=as_duration(overlap))
        return (await client.admin.RotateWebhookSecret(request)).endpoint

    _show(call(context, turn), output)


@app.command()
def delete(context: typer.Context, endpoint_id: EndpointId) -> None:
    """Forget an endpoint and its deliveries."""

    async def forget(client: Client) -> None:
        await client.admin.DeleteWebhookEndpoint(pb.DeleteWebhookEndpointRequest(id=endpoint_id))

    call(context, forget)


@app.command()
def deliveries(
    context: typer.Context,
    endpoint_id: EndpointId,
    *,
    state: Annotated[str, typer.Option(help="`retrying`, `succeeded` or `failed`.")] = "",
    event_id: Annotated[str, typer.Option("--event-id", help="Only those of this event.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Most rows.")] = 100,
    output: ListOutput = Format.table,
) -> None:
    """List deliveries of the last 30 days, newest first."""
    wanted = _state(state)

    async def found(client: Client) -> AsyncIterator[pb.WebhookDelivery]:
        request = pb.ListWebhookDeliveriesRequest(
            endpoint_id=endpoint_id, state=wanted, event_id=event_id, page_size=min(limit, _PAGE)
        )
        left = limit
        async for delivery in every(client.admin.ListWebhookDeliveries, request, "deliveries"):
            yield delivery
            left -= 1
            if not left:
                return

    async def show(client: Client) -> None:
        await show_list(found(client), _DELIVERY_COLUMNS, output)

    call(context, show)


@app.command()
def delivery(
    context: typer.Context,
    endpoint_id: EndpointId,
    delivery_id: Annotated[str, typer.Argument(help="Delivery id.")],
    output: DocumentOutput = Format.table,
) -> None:
    """Show one delivery with its attempts."""

    async def find(client: Client) -> pb.WebhookDelivery:
        request = pb.GetWebhookDeliveryRequest(endpoint_id=endpoint_id, id=delivery_id)
        return (await client.admin.GetWebhookDelivery(request)).delivery

    show_one(call(context, find), output)


@app.command()
def redeliver(
    context: typer.Context,
    endpoint_id: EndpointId,
    event_id: Annotated[str, typer.Argument(help="Event id.")],
    output: DocumentOutput = Format.table,
) -> None:
    """Send one event once more, beside the ordinary deliveries, and wait for the answer."""
    _send(context, pb.ReplayWebhookRequest(endpoint_id=endpoint_id, event_id=event_id), output)


@app.command()
def replay(
    context: typer.Context,
    endpoint_id: EndpointId,
    since: Annotated[
        Moment, typer.Option("--from", parser=Moment.parse, metavar="TIME", help="Committed from then on.")
    ],
    until: Annotated[
        Moment | None,
        typer.Option("--to", parser=Moment.parse, metavar="TIME", help="And before; without it: up to now."),
    ] = None,
    output: DocumentOutput = Format.table,
) -> None:
    """Send a stretch of the log once more, in order, beside the ordinary deliveries."""
    stretch = pb.WebhookReplayRange(start_time=as_moment(since), end_time=as_moment(until))
    request = pb.ReplayWebhookRequest(endpoint_id=endpoint_id, range=stretch)

    async def ask(client: Client) -> pb.WebhookReplay:
        return (await client.admin.ReplayWebhook(request)).replay

    show_one(call(context, ask), output)


@app.command()
def replays(context: typer.Context, endpoint_id: EndpointId, output: ListOutput = Format.table) -> None:
    """List the last 100 replays, newest first."""
    columns: tuple[Column, ...] = (
        ("ID", lambda one: one.id),
        ("WHAT", lambda one: one.event_id or one.test_event_type or time_text(one.range.start_time)),
        ("DELIVERED", lambda one: str(one.delivered_count)),
        ("DONE", lambda one: time_text(one.complete_time)),
        ("ERROR", lambda one: one.error),
    )

    async def found(client: Client) -> AsyncIterator[pb.WebhookReplay]:
        answer = await client.admin.ListWebhookReplays(pb.ListWebhookReplaysRequest(endpoint_id=endpoint_id))
        for one in answer.replays:
            yield one

    async def show(client: Client) -> None:
        await show_list(found(client), columns, output)

    call(context, show)


@app.command("test")
def send_test(
    context: typer.Context,
    endpoint_id: EndpointId,
    event: Annotated[str, typer.Option(help="Type of the event.")] = "dsync.user.created",
    output: DocumentOutput = Format.table,
) -> None:
    """Send a made-up event, and see whether the receiver takes it. Fails when it does not."""
    warn_if_unknown([event])
    _send(context, pb.ReplayWebhookRequest(endpoint_id=endpoint_id, test_event_type=event), output)


def _send(context: typer.Context, request: pb.ReplayWebhookRequest, output: Format) -> None:
    async def ask(client: Client) -> pb.WebhookReplay:
        return await _ended(client, (await client.admin.ReplayWebhook(request)).replay)

    with working("sending"):
        sent = call(context, ask)
    show_one(sent, output)
    if not sent.HasField("complete_time"):
        print(f"dirsync: still under way: `dirsync webhook replays {sent.endpoint_id}`", file=sys.stderr)
    elif sent.error:
        raise Failure(f"not delivered: {sent.error}")


async def _ended(client: Client, replay: pb.WebhookReplay) -> pb.WebhookReplay:
    """The replay when it has ended, or as it stands after a while."""
    give_up = time.monotonic() + _WAIT_SECONDS
    while not replay.HasField("complete_time") and time.monotonic() < give_up:
        await asyncio.sleep(_LOOK_SECONDS)
        answer = await client.admin.ListWebhookReplays(pb.ListWebhookReplaysRequest(endpoint_id=replay.endpoint_id))
        replay = next((one for one in answer.replays if one.id == replay.id), replay)
    return replay


def _show(endpoint: pb.WebhookEndpoint, output: Format) -> None:
    if output is Format.json:
        show_json(document(endpoint))
        return
    rows = [(name.lower(), shown(endpoint)) for name, shown in _COLUMNS if shown(endpoint)]
    for secret in endpoint.secrets:
        ends = f" until {time_text(secret.expire_time)}" if secret.HasField("expire_time") else ""
        rows.append(("secret", secret.value + ends))
    show_table(("", ""), rows, header=False)


def _filter(types: list[str], directories: list[str] | None, organizations: list[str] | None) -> events_pb2.EventFilter:
    return events_pb2.EventFilter(types=types, directory_ids=directories, organization_ids=organizations)


def _state(text: str) -> "pb.WebhookDeliveryState.ValueType":
    name = f"WEBHOOK_DELIVERY_STATE_{text.upper() or 'UNSPECIFIED'}"
    if name not in pb.WebhookDeliveryState.keys():  # noqa: SIM118 (no mapping)
        raise Failure("--state is `retrying`, `succeeded` or `failed`", USAGE)
    return pb.WebhookDeliveryState.Value(name)
