"""The paths of SCIM under `/scim/v2/{key}` and `/scim/v1/{key}`: one table each, looked up by the decoded segments."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.types import Receive, Scope, Send

from directorysync.v1 import directory_ingest_pb2 as pb
from directorysync.v1.errors_pb2 import ErrorReason
from gateway.config import GatewayConfig
from gateway.exchange import Answer, Exchange, exchange_of
from gateway.problems import Problem, error_form, http_problem, method_not_allowed, problem
from gateway.scim import bulk, discovery, resources
from gateway.scim.request import ScimRequest, accept_request
from gateway.scim.version import SCIM_1_1, SCIM_2_0, VERSIONS, Version
from gateway.upstream import Upstream

Handler = Callable[[ScimRequest], Awaitable[Answer]]

_Routes = Mapping[tuple[str, ...], "Route"]

_BASE: Final = "/scim/v2/{key}"
_BASE_V1: Final = "/scim/v1/{key}"
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


def _resource_routes(base: str, name: str, kind: pb.ResourceType.ValueType) -> dict[tuple[str, ...], Route]:
    segment = name.lower()
    one = {"GET": resources.get, "PUT": resources.replace, "PATCH": resources.patch, "DELETE": resources.delete}
    collection = {"GET": resources.search, "POST": resources.create}
    return {
        (segment,): Route(f"{base}/{name}", collection, kind),
        (segment, _ANY): Route(f"{base}/{name}/{{id}}", one, kind),
    }


def _search_route(name: str, kind: pb.ResourceType.ValueType) -> dict[tuple[str, ...], Route]:
    return {(name.lower(), ".search"): Route(f"{_BASE}/{name}/.search", {"POST": resources.search_by_post}, kind)}


def _discovery_routes(base: str, name: str, document: pb.DiscoveryDocument.ValueType) -> dict[tuple[str, ...], Route]:
    handlers: dict[str, Handler] = {"GET": discovery.discovery(document)}
    routes: dict[tuple[str, ...], Route] = {(name.lower(),): Route(f"{base}/{name}", handlers)}
    if document != pb.DISCOVERY_DOCUMENT_SERVICE_PROVIDER_CONFIG:
        routes[name.lower(), _ANY] = Route(f"{base}/{name}/{{id}}", handlers)
    return routes


def _refused(base: str, name: str, *methods: str) -> dict[tuple[str, ...], Route]:
    return {(name.lower(),): Route(f"{base}/{name}", dict.fromkeys(methods, discovery.not_offered))}


ROUTES: Final[_Routes] = {
    (): Route(_BASE, {"GET": discovery.base}),
    (".search",): Route(f"{_BASE}/.search", {"POST": resources.search_by_post}),
    **_resource_routes(_BASE, "Users", pb.RESOURCE_TYPE_USER),
    **_search_route("Users", pb.RESOURCE_TYPE_USER),
    **_resource_routes(_BASE, "Groups", pb.RESOURCE_TYPE_GROUP),
    **_search_route("Groups", pb.RESOURCE_TYPE_GROUP),
    **_discovery_routes(_BASE, "ServiceProviderConfig", pb.DISCOVERY_DOCUMENT_SERVICE_PROVIDER_CONFIG),
    **_discovery_routes(_BASE, "ResourceTypes", pb.DISCOVERY_DOCUMENT_RESOURCE_TYPES),
    **_discovery_routes(_BASE, "Schemas", pb.DISCOVERY_DOCUMENT_SCHEMAS),
    ("bulk",): Route(f"{_BASE}/Bulk", {"POST": bulk.bulk}),
    **_refused(_BASE, "Me", "GET", "POST", "PUT", "PATCH", "DELETE"),
}

ROUTES_V1: Final[_Routes] = {
    (): Route(_BASE_V1, {"GET": discovery.base}),
    **_resource_routes(_BASE_V1, "Users", pb.RESOURCE_TYPE_USER),
    **_resource_routes(_BASE_V1, "Groups", pb.RESOURCE_TYPE_GROUP),
    **_discovery_routes(_BASE_V1, "ServiceProviderConfigs", pb.DISCOVERY_DOCUMENT_SERVICE_PROVIDER_CONFIG),
    # The name of 2.0, for whoever is told the base URL of 1.1 and not the difference.
    **_discovery_routes(_BASE_V1, "ServiceProviderConfig", pb.DISCOVERY_DOCUMENT_SERVICE_PROVIDER_CONFIG),
    **_discovery_routes(_BASE_V1, "Schemas", pb.DISCOVERY_DOCUMENT_SCHEMAS),
    **_refused(_BASE_V1, "Bulk", "POST"),
}

_TABLES: Final[Mapping[str, _Routes]] = {SCIM_2_0.segment: ROUTES, SCIM_1_1.segment: ROUTES_V1}


def find_route(rest: list[str], version: Version = SCIM_2_0) -> Route | None:
    """The route of the segments behind the directory's key. Endpoint names in any case."""
    if len(rest) > 2:
        return None
    routes = _TABLES[version.segment]
    if len(rest) < 2:
        return routes.get((rest[0].lower(),) if rest else ())
    name = rest[0].lower()
    return routes.get((name, rest[1].lower())) or routes.get((name, _ANY))


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
            answer = error_form(exchange.segments)(failure, exchange.request_id)
        finally:
            self._in_flight -= 1
        await exchange.answer(answer)

    async def _answer(self, exchange: Exchange) -> Answer:
        segments = exchange.segments
        version = VERSIONS.get(segments[1].lower()) if len(segments) > 2 else None
        if version is None:
            raise http_problem(404, "The base URL of a directory is /scim/v2/ and its key.")
        key, rest = segments[2], segments[3:]
        if rest:
            rest[-1] = rest[-1].removesuffix(version.suffix)
        if _KEY.fullmatch(key):
            exchange.directory = key
        route = find_route(rest, version)
        if route is None:
            raise http_problem(404, "No such endpoint. Offered are Users, Groups and what ResourceTypes lists.")
        exchange.route = route.template
        if exchange.method == "OPTIONS":
            return Answer(204, [(b"allow", route.allow)])
        method = version.method(exchange)
        handler = route.handlers.get("GET" if method == "HEAD" else method)
        if handler is None:
            raise method_not_allowed(route.allow)
        if self._in_flight > self._config.max_in_flight:
            raise problem(ErrorReason.ERROR_REASON_OVERLOADED, "Too many requests are running here; try again.")
        resource_id = rest[1] if len(rest) == 2 else ""
        request = accept_request(
            exchange,
            self._upstream,
            self._config,
            version=version,
            resource_type=route.resource_type,
            resource_id=resource_id,
        )
        return await handler(request)
