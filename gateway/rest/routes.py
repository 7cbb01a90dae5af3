"""The paths of the REST API: one table, looked up by the decoded segments."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from gateway.exchange import Answer
from gateway.rest import (
    directories,
    directory_groups,
    directory_users,
    events,
    organization_domains,
    organizations,
    portal,
    portal_pages,
    webhook_deliveries,
    webhook_endpoints,
)
from gateway.rest.openapi.document import openapi_json
from gateway.rest.request import RestRequest

Handler = Callable[[RestRequest], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """One path: its name in logs and a handler for each method. `public`: no API key is asked for."""

    template: str
    handlers: Mapping[str, Handler]
    public: bool = False
    segments: tuple[str, ...] = field(init=False)
    allow: bytes = field(init=False)

    def __post_init__(self) -> None:
        methods = [*self.handlers, "HEAD", "OPTIONS"] if "GET" in self.handlers else [*self.handlers, "OPTIONS"]
        object.__setattr__(self, "segments", tuple(self.template.strip("/").split("/")))
        object.__setattr__(self, "allow", ", ".join(methods).encode())


class Match(NamedTuple):
    """A route and what stands for its `{…}`."""

    route: Route
    path: dict[str, str]


_DIRECTORY: Final = "/directories/{id}"
_ENDPOINT: Final = "/webhook_endpoints/{id}"

ROUTES: Final = (
    Route("/directories", {"GET": directories.list_directories, "POST": directories.create_directory}),
    Route(
        _DIRECTORY,
        {
            "GET": directories.get_directory,
            "PATCH": directories.update_directory,
            "DELETE": directories.delete_directory,
        },
    ),
    Route(f"{_DIRECTORY}/sync", {"POST": directories.sync_directory}),
    Route(f"{_DIRECTORY}/tokens", {"GET": directories.list_tokens, "POST": directories.create_token}),
    Route(f"{_DIRECTORY}/tokens/{{token_id}}", {"DELETE": directories.revoke_token}),
    Route(f"{_DIRECTORY}/diagnostics", {"GET": directories.list_diagnostics}),
    Route("/directory_users", {"GET": directory_users.list_users}),
    Route("/directory_users/{id}", {"GET": directory_users.get_user}),
    Route("/directory_groups", {"GET": directory_groups.list_groups}),
    Route("/directory_groups/{id}", {"GET": directory_groups.get_group}),
    Route("/directory_groups/{id}/members", {"GET": directory_groups.list_members}),
    Route("/events", {"GET": events.page_of_events}),
    Route("/organizations", {"GET": organizations.list_organizations, "POST": organizations.create_organization}),
    # A literal segment goes before a parameter.
    Route("/organizations/external_id/{external_id}", {"GET": organizations.get_by_external_id}),
    Route(
        "/organizations/{id}",
        {
            "GET": organizations.get_organization,
            "PUT": organizations.update_organization,
            "DELETE": organizations.delete_organization,
        },
    ),
    Route("/organization_domains", {"POST": organization_domains.create_domain}),
    Route(
        "/organization_domains/{id}",
        {"GET": organization_domains.get_domain, "DELETE": organization_domains.delete_domain},
    ),
    Route("/organization_domains/{id}/verify", {"POST": organization_domains.verify_domain}),
    Route("/portal", {"GET": portal_pages.home}, public=True),
    Route("/portal/launch", {"GET": portal_pages.launch, "POST": portal_pages.redeem}, public=True),
    Route("/portal/generate_link", {"POST": portal.generate_link}),
    Route("/portal/revoke_link", {"POST": portal.revoke_link}),
    Route("/webhook_endpoints", {"GET": webhook_endpoints.list_endpoints, "POST": webhook_endpoints.create_endpoint}),
    Route(
        _ENDPOINT,
        {
            "GET": webhook_endpoints.get_endpoint,
            "PATCH": webhook_endpoints.update_endpoint,
            "DELETE": webhook_endpoints.delete_endpoint,
        },
    ),
    Route(f"{_ENDPOINT}/rotate_secret", {"POST": webhook_endpoints.rotate_secret}),
    Route(f"{_ENDPOINT}/deliveries", {"GET": webhook_deliveries.list_deliveries}),
    Route(f"{_ENDPOINT}/deliveries/{{delivery_id}}", {"GET": webhook_deliveries.get_delivery}),
    Route(f"{_ENDPOINT}/deliveries/{{delivery_id}}/redeliver", {"POST": webhook_deliveries.redeliver}),
    Route(f"{_ENDPOINT}/replays", {"GET": webhook_deliveries.list_replays}),
    Route(f"{_ENDPOINT}/replay", {"POST": webhook_deliveries.replay}),
    Route(f"{_ENDPOINT}/test", {"POST": webhook_deliveries.send_test}),
    Route("/openapi.json", {"GET": openapi_json}, public=True),
)
SEGMENTS: Final = frozenset(route.segments[0] for route in ROUTES)
_BY_SHAPE: Final = {
    (segment, length): [route for route in ROUTES if route.segments[0] == segment and len(route.segments) == length]
    for segment in SEGMENTS
    for length in range(1, 6)
}


def find_route(segments: Sequence[str]) -> Match | None:
    """The route of a path; the first segment in any case."""
    for route in _BY_SHAPE.get((segments[0].lower(), len(segments)), ()):
        path = _matched(route.segments[1:], segments[1:])
        if path is not None:
            return Match(route, path)
    return None


def _matched(pattern: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    path: dict[str, str] = {}
    for wanted, given in zip(pattern, segments, strict=True):
        if wanted.startswith("{"):
            path[wanted[1:-1]] = given
        elif wanted != given:
            return None
    return path
