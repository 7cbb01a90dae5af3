"""The gateway over a channel that answers by itself, reached without a socket or with one."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest
import structlog

from gateway.app import Gateway, create_app
from gateway.config import GatewayConfig
from gateway.server import HttpServer, serve
from tests.unit.gateway.fake_upstream import FakeChannel

TOKEN = "secret-token-0123456789"
HEAD = f"Host: gateway.test\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
BASE = "http://gateway.test/scim/v2/key-1"
MakeApp = Callable[..., Gateway]
MakeClient = Callable[..., httpx.AsyncClient]
Serving = Callable[..., AbstractAsyncContextManager[HttpServer]]


@pytest.fixture
def channel() -> FakeChannel:
    return FakeChannel()


@pytest.fixture
def make_app(channel: FakeChannel) -> MakeApp:
    def make(*, config: GatewayConfig | None = None, **settings: Any) -> Gateway:
        return create_app(channel, config or GatewayConfig(), **settings)  # type: ignore[arg-type]

    return make


@pytest.fixture
async def make_client(make_app: MakeApp) -> AsyncIterator[MakeClient]:
    opened: list[httpx.AsyncClient] = []

    def make(app: Gateway | None = None, **settings: Any) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app or make_app(**settings)),
            base_url=BASE,
            headers={"authorization": f"Bearer {TOKEN}"},
        )
        opened.append(client)
        return client

    yield make
    for client in opened:
        await client.aclose()


@pytest.fixture
def client(make_client: MakeClient) -> httpx.AsyncClient:
    return make_client()


@pytest.fixture
def log_text() -> Iterator[io.StringIO]:
    """Everything that was logged, as JSON lines, down to debug."""
    text = io.StringIO()
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        logger_factory=structlog.WriteLoggerFactory(file=text),
        cache_logger_on_first_use=False,
    )
    yield text
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _quiet_log(log_text: io.StringIO) -> None:
    """Keep log lines out of the test's own output."""


def lines(text: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.getvalue().splitlines()]


@pytest.fixture
def serving() -> Serving:
    @asynccontextmanager
    async def open_server(app: Any, **settings: Any) -> AsyncIterator[HttpServer]:
        server = serve(app, GatewayConfig(http_listen="127.0.0.1:0", **settings))
        task = asyncio.create_task(server.serve())
        await server.started()
        try:
            yield server
        finally:
            await server.stop()
            await task

    return open_server


async def exchange_bytes(port: int, *chunks: bytes, pause: float = 0.0) -> bytes:
    """Send chunks over a socket and read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(pause)
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
        await writer.wait_closed()


def post_head(*lines: bytes) -> bytes:
    return b"POST /scim/v2/key-1/Users HTTP/1.1\r\n" + HEAD + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def scim_error(raw: bytes) -> tuple[int, dict[str, Any]]:
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    return int(head.split(b" ", 2)[1]), json.loads(body)
