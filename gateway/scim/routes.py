"""The paths of SCIM under `/scim/v2/{key}`: one table, looked up by the decoded segments."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.types import Receive, Scope, Send

from directorysync.v1 import directory_ingest_pb2 as pb
from directorysync.v1.errors_pb2 import ErrorReason
from gateway.config import GatewayConfig
from gateway.exchange import Answer, Exchange, exchange_of
from gateway.problems import Problem, http_problem, method_not_allowed, problem, scim_answer
from gateway.scim import bulk, discovery, resources
from gateway.scim.request import ScimRequest, accept_request
from gateway.upstream import Upstream

Handler = Callable[[ScimRequest], Awaitable[Answer]]

_BASE: Final = "/scim/v2/{key}"
_ANY: Final = "{id}"
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class Route:
    """One path: its name in logs, the kind of resource behind it, and a handler for each method."""

    template: str
    handlers: Mapping[str, Handler]
    resource_type: pb.ResourceType.ValueType = pb.RESOURCE_TYPE_UNSPECIFIED
    allow: bytes = field(init=False)

    def __post_init__(self) -> None:
        methods = [*self.handlers, "HEAD", "OPTIONS"] if "GET" in self.handlers else [*self.handlers, "OPTIONS"]
        object.__setattr__(self, "allow", ", ".join(methods).encode())


def _resource_routes(name: str, kind: pb.ResourceType.ValueType) -> dict[tuple[str, ...], Route]:
    segment = name.lower()
    one = {"GET": resources.get, "PUT": resources.replace, "PATCH": resources.patch, "DELETE": resources.delete}
    collection = {"GET": resources.search, "POST": resources.create}
    return {
        (segment,): Route(f"{_BASE}/{name}", collection, kind),
        (segment, _ANY): Route(f"{_BASE}/{name}/{{id}}", one, kind),
        (segment, ".search"): Route(f"{_BASE}/{name}/.search", {"POST": resources.search_by_post}, kind),
    }


def _discovery_routes(name: str, document: pb.DiscoveryDocument.ValueType) -> dict[tuple[str, ...], Route]:
    handlers: dict[str, Handler] = {"GET": discovery.discovery(document)}
    routes: dict[tuple[str, ...], Route] = {(name.lower(),): Route(f"{_BASE}/{name}", handlers)}
    if document != pb.DISCOVERY_DOCUMENT_SERVICE_PROVIDER_CONFIG:
        routes[name.lower(), _ANY] = Route(f"{_BASE}/{name}/{{id}}", handlers)
    return routes


def _refused(name: str, *methods: str) -> dict[tuple[str, ...], Route]:
    return {(name.lower(),): Route(f"{_BASE}/{name}", dict.fromkeys(methods, discovery.not_offered))}


ROUTES: Final[Mapping[tuple[str, ...], Route]] = {
    (): Route(_BASE, {"GET": discovery.base}),
    (".search",): Route(f"{_BASE}/.search", {"POST": resources.search_by_post}),
    **_resource_routes("Users", pb.RESOURCE_TYPE_USER),
    **_resource_routes("Groups", pb.RESOURCE_TYPE_GROUP),
    **_discovery_routes("ServiceProviderConfig", pb.DISCOVERY_DOCUMENT_SERVICE_PROVIDER_CONFIG),
    **_discovery_routes("ResourceTypes", pb.DISCOVERY_DOCUMENT_RESOURCE_TYPES),
    **_discovery_routes("Schemas", pb.DISCOVERY_DOCUMENT_SCHEMAS),
    ("bulk",): Route(f"{_BASE}/Bulk", {"POST": bulk.bulk}),
    **_refused("Me", "GET", "POST", "PUT", "PATCH", "DELETE"),
}


def find_route(rest: list[str]) -> Route | None:
    """The route of the segments behind the directory's key. Endpoint names in any case."""
    if len(rest) > 2:
        return None
    if len(rest) < 2:
        return ROUTES.get((rest[0].lower(),) if rest else ())
    name = rest[0].lower()
    return ROUTES.get((name, rest[1].lower())) or ROUTES.get((name, _ANY))


class ScimApp:
    """ASGI application of everything below `/scim`. Every answer, also of a failure, is SCIM's."""

    def __init__(self, upstream: Upstream, config: GatewayConfig) -> None:
        self._upstream = upstream
        self._config = config
        self._in_flight = 0

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        """Answer one request."""
        exchange = exchange_of(scope)
        self._in_flight += 1
        try:
            answer = await self._answer(exchange)
        except Problem as failure:
            exchange.reason = failure.reason
            answer = scim_answer(failure, exchange.request_id)
        finally:
            self._in_flight -= 1
        await exchange.answer(answer)

    async def _answer(self, exchange: Exchange) -> Answer:
        segments = exchange.segments
        if len(segments) < 3 or segments[1].lower() != "v2":
            raise http_problem(404, "The base URL of a directory is /scim/v2/ and its key.")
        key, rest = segments[2], segments[3:]
        if _KEY.fullmatch(key):
            exchange.directory = key
        route = find_route(rest)
        if route is None:
            raise http_problem(404, "No such endpoint. Offered are Users, Groups and what ResourceTypes lists.")
        exchange.route = route.template
        if exchange.method == "OPTIONS":
            return Answer(204, [(b"allow", route.allow)])
        handler = route.handlers.get("GET" if exchange.method == "HEAD" else exchange.method)
        if handler is None:
            raise method_not_allowed(route.allow)
        if self._in_flight > self._config.max_in_flight:
            raise problem(ErrorReason.ERROR_REASON_OVERLOADED, "Too many requests are running here; try again.")
        resource_id = rest[1] if len(rest) == 2 else ""
        return await handler(accept_request(exchange, self._upstream, self._config, route.resource_type, resource_id))
