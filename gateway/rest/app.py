"""The REST API as one ASGI application: the room of several first segments."""

import asyncio

from starlette.types import Receive, Scope, Send

from directorysync.v1.errors_pb2 import ErrorReason
from gateway.config import GatewayConfig
from gateway.exchange import Answer, Exchange, exchange_of
from gateway.problems import Problem, method_not_allowed, problem
from gateway.rest.errors import RestProblem, rest_answer
from gateway.rest.request import RestRequest, accept_request
from gateway.rest.routes import Match, find_route
from gateway.rest.streams import EventStream, open_stream, wants_stream
from gateway.upstream import Upstream

_MAX_ID = 256


class RestApp:
    """ASGI application. Every answer, also of a failure, is JSON, but for streams and the pages of the portal."""

    def __init__(self, upstream: Upstream, config: GatewayConfig) -> None:
        self._upstream = upstream
        self._config = config
        self._in_flight = 0
        self._streams = 0
        self._draining = asyncio.Event()

    def drain(self) -> None:
        """End the streams, and open no more: their clients resume elsewhere."""
        self._draining.set()

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        """Answer one request."""
        exchange = exchange_of(scope)
        self._in_flight += 1
        try:
            answer = await self._answer(exchange)
        except Problem as failure:
            exchange.reason = failure.reason
            answer = rest_answer(failure, exchange.request_id)
        finally:
            self._in_flight -= 1
        if isinstance(answer, EventStream):
            await self._stream(answer, exchange)
        else:
            await exchange.answer(answer)

    async def _answer(self, exchange: Exchange) -> Answer | EventStream:
        found = find_route(exchange.segments)
        if found is None:
            raise RestProblem(404, "No such path. /openapi.json lists those there are.", code="route_not_found")
        exchange.route = found.route.template
        if exchange.method == "OPTIONS":
            return Answer(204, [(b"allow", found.route.allow)])
        method = "GET" if exchange.method == "HEAD" else exchange.method
        handler = found.route.handlers.get(method)
        if handler is None:
            raise method_not_allowed(found.route.allow)
        request = self._accept(exchange, found)
        if found.route.template == "/events" and exchange.method == "GET" and wants_stream(exchange):
            return await self._open(request)
        return await handler(request)

    def _accept(self, exchange: Exchange, found: Match) -> RestRequest:
        if self._in_flight > self._config.max_in_flight:
            raise problem(ErrorReason.ERROR_REASON_OVERLOADED, "Too many requests are running here; try again.")
        request = accept_request(exchange, self._upstream, self._config, found.path, public=found.route.public)
        for value in found.path.values():
            if len(value) > _MAX_ID or "\0" in value:
                raise RestProblem(404, "Nothing has such an id.", code="entity_not_found")
        return request

    async def _open(self, request: RestRequest) -> EventStream:
        if self._draining.is_set():
            raise problem(ErrorReason.ERROR_REASON_SERVER_DRAINING, "The server is going away; resume elsewhere.")
        if self._streams >= self._config.max_in_flight:
            raise problem(ErrorReason.ERROR_REASON_OVERLOADED, "Too many streams are open here; try again.")
        return await open_stream(request, self._draining)

    async def _stream(self, stream: EventStream, exchange: Exchange) -> None:
        self._streams += 1
        try:
            await stream.send(exchange)
        finally:
            self._streams -= 1
