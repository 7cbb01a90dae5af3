"""`python -m gateway` as a process in front of a service that is reached over gRPC."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import httpx
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from directorysync.v1 import directory_ingest_pb2 as pb
from directorysync.v1.directory_ingest_pb2_grpc import DirectoryIngestServicer, add_DirectoryIngestServicer_to_server
from tests.unit.gateway.conftest import TOKEN
from tests.unit.gateway.fake_upstream import RESOURCE, USER_JSON


class Ingest(DirectoryIngestServicer):  # type: ignore[misc]
    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {}

    async def GetResource(self, request: Any, context: Any) -> pb.GetResourceResponse:  # noqa: N802 (gRPC's own name)
        self.metadata = dict(context.invocation_metadata())
        if request.id == "missing":
            status = Status(code=grpc.StatusCode.NOT_FOUND.value[0], message="no such user")
            status.details.add().Pack(ErrorInfo(reason="RESOURCE_NOT_FOUND", domain="directorysync.v1"))
            context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such user")
        return pb.GetResourceResponse(resource=RESOURCE)

    async def SearchResources(self, _: Any, __: Any) -> pb.SearchResourcesResponse:  # noqa: N802 (gRPC's own name)
        return pb.SearchResourcesResponse(list_json="[" + "1" * 8_000_000 + "]")


@asynccontextmanager
async def a_service() -> AsyncIterator[tuple[Ingest, int]]:
    server = grpc.aio.server()
    ingest, healths = Ingest(), health.aio.HealthServicer()
    add_DirectoryIngestServicer_to_server(ingest, server)
    health_pb2_grpc.add_HealthServicer_to_server(healths, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await healths.set("", health_pb2.HealthCheckResponse.SERVING)
    try:
        yield ingest, port
    finally:
        await server.stop(0)


async def start(**variables: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        env={**os.environ, "DIRSYNC_HTTP_LISTEN": "127.0.0.1:0", **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ready_url(process: asyncio.subprocess.Process) -> str:
    assert process.stdout
    line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
    assert line.startswith("gateway ready on http://127.0.0.1:")
    return line.split()[-1]


async def test_a_gateway_of_its_own() -> None:
    async with a_service() as (ingest, port):
        process = await start(DIRSYNC_SERVICE_TARGET=f"127.0.0.1:{port}")
        url = await ready_url(process)
        headers = {"authorization": f"Bearer {TOKEN}", "x-request-id": "r-1"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
            user = await client.get("/scim/v2/key-1/Users/1")
            assert (user.status_code, user.text) == (200, USER_JSON)
            assert ingest.metadata["authorization"] == f"Bearer {TOKEN}"
            assert ingest.metadata["x-request-id"] == "r-1"
            missing = await client.get("/scim/v2/key-1/Users/missing")
            assert (missing.status_code, missing.json()["detail"]) == (404, "no such user")
            page = await client.get("/scim/v2/key-1/Users?filter=userName+eq+%22ada.private%22")
            assert len(page.content) == 8_000_002
            assert (await client.get("/readyz")).status_code == 200
            large = await client.post("/scim/v2/key-1/Users", content=b"1" * 4_000_000)
            assert large.status_code == 413
        process.send_signal(signal.SIGTERM)
        _, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    lines = [json.loads(line) for line in errors.decode().splitlines()]
    assert [line["status"] for line in lines] == [200, 404, 200, 413]
    assert TOKEN not in errors.decode()
    assert "ada.private" not in errors.decode()


async def test_without_its_service_it_starts_and_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        process = await start(
            DIRSYNC_SERVICE_TARGET=f"127.0.0.1:{taken.getsockname()[1]}", DIRSYNC_HTTP_DRAIN_SECONDS="60"
        )
        url = await ready_url(process)
        async with httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {TOKEN}"}) as client:
            assert (await client.get("/healthz")).status_code == 200
            assert (await client.get("/readyz")).status_code == 503
            answer = await client.get("/scim/v2/key-1/Users/1")
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert "127.0.0.1" not in answer.text
        process.send_signal(signal.SIGINT)
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await client.get("/healthz")).status_code == 200
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0


@pytest.mark.parametrize(
    ("variables", "code", "said"),
    [
        ({"DIRSYNC_HTTP_MAX_BODY_BYTES": "lots"}, 2, "DIRSYNC_HTTP_MAX_BODY_BYTES: expected a whole number"),
        ({"DIRSYNC_HTTP_TLS_CERT": "/none.pem"}, 2, "DIRSYNC_HTTP_TLS_CERT: no such file"),
        ({"DIRSYNC_HTTP_TLS_CERT": __file__, "DIRSYNC_HTTP_TLS_KEY": __file__}, 1, "PEM"),
    ],
)
async def test_what_cannot_work_ends_with_a_clear_line(variables: dict[str, str], code: int, said: str) -> None:
    process = await start(**variables)
    _, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == code
    assert said in errors.decode()
    assert "Traceback" not in errors.decode()


async def test_a_taken_address_ends_with_a_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        process = await start(DIRSYNC_HTTP_LISTEN=f"127.0.0.1:{taken.getsockname()[1]}")
        _, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert "in use" in errors.decode()
