"""`/healthz`, `/readyz` and `/metrics`: for load balancers, schedulers and Prometheus. No credential is asked for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.exchange import Answer, exchange_of
from gateway.problems import Problem, method_not_allowed, plain_answer

Probe = Callable[[], Awaitable[bool]]

_PROBE_SECONDS: Final = 2.0
_JSON: Final = (b"content-type", b"application/json")


class Readiness:
    """Whether to send requests here: not while draining, and not when the service does not serve."""

    def __init__(self, probe: Probe | None = None) -> None:
        self._probe = probe
        self.draining = False

    async def ready(self) -> bool:
        """Ask the probe, for at most two seconds; a probe that fails means no."""
        if self.draining:
            return False
        if self._probe is None:
            return True
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                return await self._probe()
        except Exception:
            return False


def grpc_probe(channel: grpc.aio.Channel) -> Probe:
    """A probe that asks the standard health service behind a channel."""
    check = HealthStub(channel).Check

    async def probe() -> bool:
        reply = await check(HealthCheckRequest(), timeout=_PROBE_SECONDS)
        return bool(reply.status == HealthCheckResponse.SERVING)

    return probe


def health_routes(readiness: Readiness, metrics_text: Callable[[], bytes]) -> dict[str, ASGIApp]:
    """The three paths by their segment."""

    async def healthz() -> Answer:
        return Answer(200, [_JSON], b'{"status":"alive"}')

    async def readyz() -> Answer:
        if await readiness.ready():
            return Answer(200, [_JSON], b'{"status":"ready"}')
        return Answer(503, [_JSON, (b"retry-after", b"1")], b'{"status":"not ready"}')

    async def metrics() -> Answer:
        return Answer(200, [(b"content-type", CONTENT_TYPE_LATEST.encode())], metrics_text())

    return {handler.__name__: _read_only(f"/{handler.__name__}", handler) for handler in (healthz, readyz, metrics)}


def _read_only(route: str, handler: Callable[[], Awaitable[Answer]]) -> ASGIApp:
    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        exchange = exchange_of(scope)
        exchange.route = route
        try:
            if exchange.method not in {"GET", "HEAD"}:
                raise method_not_allowed(b"GET, HEAD")
            answer = await handler()
        except Problem as failure:
            answer = plain_answer(failure, exchange.request_id)
        await exchange.answer(answer)

    return app
