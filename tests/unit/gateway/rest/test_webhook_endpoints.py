"""URLs of webhook endpoints that no delivery could ever reach."""

from ipaddress import ip_network
from typing import Any

import grpc
import httpx
import pytest

from directorysync.v1 import webhooks_pb2 as pb
from gateway.config import GatewayConfig
from gateway.problems import DOMAIN
from tests.unit.gateway.conftest import MakeClient
from tests.unit.gateway.fake_upstream import FakeChannel, rpc_error
from tests.unit.gateway.rest.conftest import ROOT

INWARD = "DIRSYNC_WEBHOOK_ALLOWED_HOSTS or DIRSYNC_WEBHOOK_ALLOWED_NETWORKS"


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("http://app.example/hook", "DIRSYNC_WEBHOOK_ALLOW_HTTP"),
        ("https://127.0.0.1/hook", INWARD),
        ("https://10.1.2.3:8443/hook", INWARD),
        ("https://169.254.169.254/latest", INWARD),
        ("https://[::1]/hook", INWARD),
        ("https://[::ffff:127.0.0.1]/hook", INWARD),
        ("https://localhost/hook", INWARD),
        ("https://0x7f000001/hook", "another notation"),
        ("https://a.example:0/hook", "port 0"),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/webhook_endpoints"), ("PATCH", "/webhook_endpoints/we_1")])
async def test_a_url_that_nothing_can_be_delivered_to_is_refused(
    rest: httpx.AsyncClient, channel: FakeChannel, replies: dict[str, Any], method: str, path: str, url: str, named: str
) -> None:
    replies["ListWebhookEndpoints"] = pb.ListWebhookEndpointsResponse()
    answer = await rest.request(method, path, json={"endpoint_url": url, "events": ["dsync.*"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_url")
    assert answer.json()["errors"][0]["field"] == "endpoint_url"
    assert named in answer.json()["message"]
    assert [call.method for call in channel.calls] == ["ListWebhookEndpoints"]


async def test_what_is_open_is_not_told_without_a_key(rest: httpx.AsyncClient, replies: dict[str, Any]) -> None:
    replies["ListWebhookEndpoints"] = rpc_error(
        grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID", "unknown", domain=DOMAIN
    )
    answer = await rest.post("/webhook_endpoints", json={"endpoint_url": "https://10.0.0.1/", "events": ["dsync.*"]})
    assert answer.status_code == 401
    assert "DIRSYNC" not in answer.text


async def test_what_an_operator_has_opened_is_made(make_client: MakeClient, replies: dict[str, Any]) -> None:
    replies["CreateWebhookEndpoint"] = pb.CreateWebhookEndpointResponse(endpoint=pb.WebhookEndpoint(id="we_1"))
    config = GatewayConfig(
        webhook_allow_http=True,
        webhook_allowed_hosts=frozenset({"localhost"}),
        webhook_allowed_networks=(ip_network("10.1.0.0/16"),),
    )
    client = make_client(config=config)
    for url in ("http://localhost:3000/hook", "https://10.1.2.3/hook", "https://app.example/hook"):
        body = {"endpoint_url": url, "events": ["dsync.*"]}
        assert (await client.post(f"{ROOT}/webhook_endpoints", json=body)).status_code == 201
