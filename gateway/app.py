"""The gateway as one ASGI application: rooms by the first segment of the path, the access layer around them."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import grpc
from prometheus_client import CollectorRegistry, generate_latest
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.access import AccessLayer
from gateway.config import GatewayConfig
from gateway.exchange import exchange_of
from gateway.health import Probe, Readiness, health_routes
from gateway.metrics import GatewayMetrics
from gateway.problems import http_problem, plain_answer
from gateway.rest.app import RestApp
from gateway.rest.routes import SEGMENTS
from gateway.scim.routes import ScimApp
from gateway.upstream import Upstream

Drain = Callable[[], None]


class Gateway:
    """ASGI application; make it with `create_app`."""

    def __init__(
        self, rooms: dict[str, ASGIApp], metrics: GatewayMetrics, readiness: Readiness, drains: Sequence[Drain] = ()
    ) -> None:
        self._rooms = rooms
        self._readiness = readiness
        self._drains = drains
        self._layered = AccessLayer(self._dispatch, metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._layered(scope, receive, send)

    def drain(self) -> None:
        """Answer `/readyz` with 503 from now on, and end streams. Requests are still served."""
        self._readiness.draining = True
        for drain in self._drains:
            drain()

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = exchange_of(scope)
        room = self._rooms.get(exchange.segments[0].lower() if exchange.segments else "")
        if room is None:
            await exchange.answer(plain_answer(http_problem(404, "Not found."), exchange.request_id))
        else:
            await room(scope, receive, send)


def create_app(
    channel: grpc.aio.Channel,
    config: GatewayConfig,
    *,
    ready: Probe | None = None,
    registry: CollectorRegistry | None = None,
    metrics_text: Callable[[], bytes] | None = None,
    extra_routes: Iterable[tuple[str, ASGIApp]] = (),
) -> Gateway:
    """Wire the gateway over a channel.

    `ready` is what `/readyz` asks. The gateway counts in `registry`; `/metrics` shows it, or `metrics_text()` where
    several processes are shown as one. `extra_routes` are more rooms: first path segment (`""` for `/`) and
    application.
    """
    registry = registry or CollectorRegistry()
    readiness = Readiness(ready)
    upstream = Upstream(channel, config.deadline_seconds)
    rest = RestApp(upstream, config)
    rooms: dict[str, ASGIApp] = {
        "scim": ScimApp(upstream, config),
        **dict.fromkeys(SEGMENTS, rest),
        **health_routes(readiness, metrics_text or partial(generate_latest, registry)),
    }
    for segment, room in extra_routes:
        if segment in rooms:
            raise ValueError(f"two rooms for /{segment}")
        rooms[segment] = room
    return Gateway(rooms, GatewayMetrics(registry), readiness, [rest.drain])
