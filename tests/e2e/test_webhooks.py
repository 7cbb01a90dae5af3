"""From a provider's request to a receiver that verifies with the official libraries; what `dirsync webhook` shows."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from workos import WorkOSClient
from workos.events.models.event_schema import EventSchemaUnknown

from directorysync.v1 import directory_admin_pb2 as admin_pb2
from directorysync.v1 import webhooks_pb2 as pb
from directorysync.v1.events_pb2 import EventFilter
from tests.e2e.conftest import Serving
from tests.support.receiver import OK, Answer, Received, Receiver, receiving
from tests.support.server import RunningServe

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


@pytest.fixture
async def server(serving: Serving) -> RunningServe:
    return await serving(
        DIRSYNC_WEBHOOK_ALLOW_HTTP="true",
        DIRSYNC_WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8",
        DIRSYNC_ENCRYPTION_KEYS="0123456789abcdefghijklmnopqrstuvwxyzABCDEFG=",
    )


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def scim(server: RunningServe) -> AsyncIterator[httpx.AsyncClient]:
    """The provider of a new directory."""
    async with server.client() as client:
        organization = await client.admin.CreateOrganization(admin_pb2.CreateOrganizationRequest(name="Hooks"))
        wanted = admin_pb2.CreateDirectoryRequest(organization_id=organization.organization.id, name="Hooks")
        made = await client.admin.CreateDirectory(wanted)
    url = f"{server.http_url}/scim/v2/{made.directory.scim_key}"
    headers = {"Authorization": f"Bearer {made.secret}", "X-Directory": made.directory.id}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False) as http:
        yield http


def directory_of(scim: httpx.AsyncClient) -> str:
    return scim.headers["x-directory"]


def command(server: RunningServe, *arguments: str) -> Any:
    out = server.dirsync("webhook", *arguments, "--output", "json").stdout
    return (
        [json.loads(line) for line in out.splitlines()] if arguments[0] in {"list", "deliveries"} else json.loads(out)
    )


def verified(request: Received, secret: str) -> Any:
    """What both official libraries make of one and the same request."""
    standard = Webhook(secret).verify(request.body, request.headers)
    client = WorkOSClient(api_key="sk_unused", client_id="client_unused")
    event = client.webhooks.verify_event(
        event_body=request.body, event_signature=request.headers["workos-signature"], secret=secret
    )
    assert standard["id"] == event.id == request.id
    return event


async def test_both_official_verifiers_accept_real_deliveries(
    server: RunningServe, receiver: Receiver, scim: httpx.AsyncClient
) -> None:
    made = command(server, "create", receiver.url("/real"), "--event", "dsync.*", "--directory", directory_of(scim))
    [secret] = made["secrets"]
    user = await scim.post(
        "/Users",
        json={
            "schemas": [USER],
            "userName": "zoe@example.com",
            "name": {"givenName": "Zoë", "familyName": "😀"},
            "emails": [{"value": "zoe@example.com", "primary": True}],
        },
    )
    members = [{"value": user.json()["id"]}]
    await scim.post("/Groups", json={"schemas": [GROUP], "displayName": "Ünïts", "members": members})
    await receiver.until(lambda: len(receiver.at("/real")) == 4)
    events = [verified(request, secret["value"]) for request in receiver.at("/real")]
    kinds = ["dsync.activated", "dsync.user.created", "dsync.group.created", "dsync.group.user_added"]
    assert [event.event for event in events] == kinds
    assert events[1].data.first_name == "Zoë"
    assert (events[3].data.user.email, events[3].data.group.name) == ("zoe@example.com", "Ünïts")
    async with server.client() as client:
        log = [event async for event in client.list_events(filter=EventFilter(directory_ids=[directory_of(scim)]))]
    assert [event.id for event in log][-4:] == [event.id for event in events], "the ids are those of the log"


async def test_what_the_command_shows_and_sends_again(
    server: RunningServe, receiver: Receiver, scim: httpx.AsyncClient
) -> None:
    receiver.answers["/shown"] = Answer(500, body=b"out of order")
    arguments = ["--event", "dsync.user.*", "--directory", directory_of(scim), "--description", "for a test"]
    endpoint = command(server, "create", receiver.url("/shown"), *arguments)["id"]
    await scim.post("/Users", json={"schemas": [USER], "userName": "a@example.com"})
    await receiver.until(lambda: len(receiver.at("/shown")) == 1)
    async with server.client() as client:
        request = pb.ListWebhookDeliveriesRequest(endpoint_id=endpoint)
        while not (await client.admin.ListWebhookDeliveries(request)).deliveries:
            pass
    [waiting] = command(server, "deliveries", endpoint, "--state", "retrying")
    assert waiting["response_status"] == 500
    shown = command(server, "delivery", endpoint, waiting["id"])
    assert shown["attempts"][0]["error"] == "status"
    receiver.answers["/shown"] = OK
    sent = await asyncio.to_thread(command, server, "redeliver", endpoint, waiting["event_id"])
    assert sent["delivered_count"] == 1
    await receiver.until(lambda: len(receiver.at("/shown")) >= 2)
    assert receiver.ids("/shown")[1] == waiting["event_id"]
    replay = await asyncio.to_thread(command, server, "test", endpoint, "--event", "dsync.group.user_removed")
    await receiver.until(lambda: "event_" + replay["id"].rpartition("_")[2] in receiver.ids("/shown"))
    rotated = command(server, "rotate", endpoint, "--overlap", "1h")
    assert len(rotated["secrets"]) == 2
    assert endpoint in [one["id"] for one in command(server, "list")]
    assert command(server, "update", endpoint, "--disable")["status_reason"] == "disabled by an administrator"
    server.dirsync("webhook", "delete", endpoint)
    assert endpoint not in [one["id"] for one in command(server, "list")]


async def test_secrets_change_over_while_both_sign(
    server: RunningServe, receiver: Receiver, scim: httpx.AsyncClient
) -> None:
    """A receiver of WorkOS's library, which knows one secret, misses nothing when it takes the new one at any time."""
    url, directory = receiver.url("/turn"), directory_of(scim)
    made = command(server, "create", url, "--event", "dsync.user.*", "--directory", directory)
    secret = made["secrets"][0]["value"]
    taken: list[str] = []

    def checking(request: Received) -> Answer:
        try:
            verified(request, secret)
        except (ValueError, WebhookVerificationError):
            return Answer(400)
        taken.append(request.event["data"]["username"])
        return OK

    def signatures() -> int:
        return max(len(request.headers["webhook-signature"].split()) for request in receiver.at("/turn"))

    receiver.answers["/turn"] = checking
    newer, count = command(server, "rotate", made["id"])["secrets"][0]["value"], 0
    while count == 0 or signatures() < 2:
        count += 1
        await scim.post("/Users", json={"schemas": [USER], "userName": f"{count}@example.com"})
        await receiver.until(lambda count=count: len(taken) == count)
    secret = newer
    await scim.post("/Users", json={"schemas": [USER], "userName": "late@example.com"})
    await receiver.until(lambda: len(taken) > count, 60)
    assert taken == [*(f"{number}@example.com" for number in range(1, count + 1)), "late@example.com"]


async def test_an_endpoint_that_turns_itself_off_is_seen_everywhere(
    server: RunningServe, receiver: Receiver, scim: httpx.AsyncClient
) -> None:
    """By another endpoint, by WorkOS's library at `/events`; its deliveries say what was wrong."""
    directory, kind = directory_of(scim), "webhook_endpoint.disabled"
    command(server, "create", receiver.url("/operations"), "--event", kind)
    made = command(server, "create", receiver.url("/gone"), "--event", "dsync.user.*", "--directory", directory)
    receiver.answers["/gone"] = Answer(410)
    while not receiver.at("/operations"):
        name = f"{len(receiver.received)}-{id(object())}@example.com"
        await scim.post("/Users", json={"schemas": [USER], "userName": name})
        await asyncio.sleep(0.3)
    told = receiver.at("/operations")[0].event
    assert (told["event"], told["data"]["id"], told["data"]["directory_id"]) == (kind, made["id"], directory)
    assert told["data"]["status_reason"] == "the receiver answered 410 Gone"
    client = WorkOSClient(api_key=server.api_key, client_id="client_unused", base_url=server.http_url)
    with closing(client):
        page = await asyncio.to_thread(client.events.list_events, events=[kind])
    [read] = page.data
    assert isinstance(read, EventSchemaUnknown)
    assert read.raw_data["id"] == told["id"]
    assert [one["error"] for one in command(server, "deliveries", made["id"])] == ["status"]
    lines = server.dirsync("webhook", "deliveries", made["id"]).stdout
    assert "status" in lines
    headers = {"Authorization": f"Bearer {server.api_key}"}
    async with httpx.AsyncClient(base_url=server.http_url, headers=headers, trust_env=False) as rest:
        shown = (await rest.get(f"/webhook_endpoints/{made['id']}/deliveries")).json()["data"]
        assert [(one["error"], one["response_status"]) for one in shown] == [("status", 410)]
        body = {"endpoint_url": receiver.url("/slip"), "events": ["dsync.deleted", "dsync.user.create"]}
        refused = await rest.post("/webhook_endpoints", json=body)
    assert refused.status_code == 422
    [error] = refused.json()["errors"]
    assert error["field"] == "events"
    assert "`dsync.user.create`" in error["message"]
    assert "dsync.deleted" not in error["message"]


async def test_what_an_operator_has_not_opened_is_refused(serving: Serving, receiver: Receiver) -> None:
    server = await serving()
    refused = server.dirsync("webhook", "create", receiver.url(), check=False)
    assert refused.returncode == 1
    assert "https://" in refused.stderr
    assert "DIRSYNC_WEBHOOK_ALLOW_HTTP" in refused.stderr
    endpoint = command(server, "create", f"https://127.0.0.1:{receiver.port}/hook")["id"]
    tested = await asyncio.to_thread(server.dirsync, "webhook", "test", endpoint, check=False)
    assert tested.returncode == 1
    assert "not delivered: address_refused" in tested.stderr
    async with server.client() as client:
        request = pb.ListWebhookDeliveriesRequest(endpoint_id=endpoint)
        while not (found := (await client.admin.ListWebhookDeliveries(request)).deliveries):
            pass
        get = pb.GetWebhookDeliveryRequest(endpoint_id=endpoint, id=found[0].id)
        delivery = (await client.admin.GetWebhookDelivery(get)).delivery
    assert delivery.attempts[0].error == "address_refused"
    assert receiver.connections == 0
