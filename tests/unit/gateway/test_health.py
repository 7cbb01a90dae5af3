"""What load balancers, schedulers and Prometheus see."""

import asyncio

import httpx
import pytest
from grpc_health.v1.health_pb2 import HealthCheckResponse

from gateway.health import Readiness, grpc_probe
from tests.unit.gateway.conftest import MakeApp, MakeClient
from tests.unit.gateway.fake_upstream import FakeChannel

ROOT = "http://gateway.test"


async def serving() -> bool:
    return True


async def not_serving() -> bool:
    return False


async def broken() -> bool:
    raise ConnectionError


async def hanging() -> bool:
    await asyncio.Event().wait()
    return True


async def test_a_running_process_is_alive_even_when_it_is_not_ready(make_client: MakeClient) -> None:
    client = make_client(ready=broken)
    assert (await client.get(f"{ROOT}/healthz")).json() == {"status": "alive"}


@pytest.mark.parametrize(("probe", "status"), [(None, 200), (serving, 200), (not_serving, 503), (broken, 503)])
async def test_ready_is_what_the_probe_says(make_client: MakeClient, probe: object, status: int) -> None:
    assert (await make_client(ready=probe).get(f"{ROOT}/readyz/")).status_code == status


async def test_a_probe_that_hangs_means_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.health._PROBE_SECONDS", 0.01)
    assert not await Readiness(hanging).ready()


async def test_a_draining_gateway_is_not_ready_but_still_serves(make_client: MakeClient, make_app: MakeApp) -> None:
    app = make_app(ready=serving)
    client = make_client(app)
    app.drain()
    assert (await client.get(f"{ROOT}/readyz")).status_code == 503
    assert (await client.get("/Users/1")).status_code == 200


@pytest.mark.parametrize(
    ("status", "ready"), [(HealthCheckResponse.SERVING, True), (HealthCheckResponse.NOT_SERVING, False)]
)
async def test_the_probe_asks_the_standard_health_service(
    channel: FakeChannel, status: HealthCheckResponse.ServingStatus, *, ready: bool
) -> None:
    channel.replies["Check"] = HealthCheckResponse(status=status)
    assert await grpc_probe(channel)() is ready  # type: ignore[arg-type]


async def test_metrics_are_prometheus_text(client: httpx.AsyncClient) -> None:
    await client.get("/Users/1")
    answer = await client.get(f"{ROOT}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert (
        'directorysync_http_requests_total{method="GET",route="/scim/v2/{key}/Users/{id}",status="200"} 1.0'
        in answer.text
    )


async def test_metrics_of_several_processes_come_from_whoever_knows_them(make_client: MakeClient) -> None:
    client = make_client(metrics_text=lambda: b"all_workers 2\n")
    assert (await client.get(f"{ROOT}/metrics")).text == "all_workers 2\n"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_they_are_read_only_and_need_no_credential(client: httpx.AsyncClient, path: str) -> None:
    del client.headers["authorization"]
    assert (await client.get(ROOT + path)).status_code == 200
    assert (await client.head(ROOT + path)).content == b""
    answer = await client.post(ROOT + path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
