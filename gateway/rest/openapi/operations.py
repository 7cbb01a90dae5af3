"""What can be asked for at each path."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.rest.openapi.shapes import Schema, array, choice, entity, flag, nullable, number, ref, text, time


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `answer`: the schema of its success, none for 204. `own`: WorkOS has no such call."""

    method: str
    template: str
    name: str
    summary: str
    status: int = 200
    answer: str | None = None
    query: Mapping[str, Schema] | None = None
    body: Schema | None = None
    body_needed: bool = True
    own: bool = False
    paged: bool = False


_EVENTS: Final = array(text(), "Types; those that end in .* stand for all with that beginning", minItems=1)
_METADATA: Final = nullable(
    {"type": "object", "additionalProperties": nullable(text()), "description": "A key without a value is removed"}
)
_DOMAIN_DATA: Final = array(entity({"domain": text()}, {"state": choice("pending", "verified")}))
_EXTERNAL_ID: Final = nullable(text("The application's own id", maxLength=256))
_DIRECTORY: Final = "/directories/{id}"
_ENDPOINT: Final = "/webhook_endpoints/{id}"
_POLICY: Final = ref("DirectoryPolicy")

_DIRECTORIES: Final = (
    Operation(
        "get", "/directories", "listDirectories", "List directories", answer="DirectoryList", paged=True,
        query={
            "organization_id": text(), "search": text("A part of the name", maxLength=256),
            "domain": text("One of the organization's; deprecated at WorkOS"),
        },
    ),
    Operation(
        "post", "/directories", "createDirectory", "Create a directory with its first token", 201, "CreatedDirectory",
        body=entity(
            {"organization_id": text(), "name": text(minLength=1, maxLength=256)},
            {"provider": text(), "type": text("WorkOS's name of the provider, instead")},
        ),
        own=True,
    ),
    Operation("get", _DIRECTORY, "getDirectory", "Get a directory with its counts", answer="Directory"),
    Operation(
        "patch", _DIRECTORY, "updateDirectory", "Change name, provider, state or policy", answer="Directory", own=True,
        body=entity({}, {"name": text(), "provider": text(), "disabled": flag(), "policy": _POLICY}),
    ),
    Operation("delete", _DIRECTORY, "deleteDirectory", "Delete a directory", 202, "Empty"),
    Operation("post", f"{_DIRECTORY}/sync", "syncDirectory", "Pull from the provider (none here is pulled)", 202,
              "Empty"),
    Operation("get", f"{_DIRECTORY}/tokens", "listTokens", "List tokens", answer="DirectoryTokenList", own=True),
    Operation(
        "post", f"{_DIRECTORY}/tokens", "createToken", "Create one more token", 201, "CreatedDirectoryToken", own=True,
        body=entity({}, {"expires_at": nullable(time())}), body_needed=False,
    ),
    Operation("delete", f"{_DIRECTORY}/tokens/{{token_id}}", "revokeToken", "Revoke a token", 204, own=True),
    Operation("get", f"{_DIRECTORY}/diagnostics", "listDiagnostics", "What could not be understood", own=True,
              answer="DirectoryDiagnosticList"),
)  # fmt: skip
_USERS_AND_GROUPS: Final = (
    Operation(
        "get", "/directory_users", "listUsers", "List the users of a directory or of a group",
        answer="DirectoryUserList", paged=True,
        query={
            "directory": text("This or `group` is needed"),
            "group": text(),
            "idp_id": text("Needs `directory`"),
            "email": text("One of the user's addresses, in any case. Needs `directory`"),
        },
    ),
    Operation("get", "/directory_users/{id}", "getUser", "Get a user with its groups", answer="DirectoryUser"),
    Operation(
        "get", "/directory_groups", "listGroups", "List the groups of a directory or of a user",
        answer="DirectoryGroupList", paged=True,
        query={"directory": text("This or `user` is needed"), "user": text()},
    ),
    Operation("get", "/directory_groups/{id}", "getGroup", "Get a group", answer="DirectoryGroup"),
    Operation("get", "/directory_groups/{id}/members", "listMembers", "List users and groups in a group", own=True,
              answer="DirectoryGroupMembershipList", paged=True),
)  # fmt: skip
_EVENTS_API: Final = (
    Operation(
        "get", "/events", "listEvents", "Read the log, by pages or as text/event-stream", answer="EventList",
        paged=True,
        query={
            "events": text("Types, joined by commas; none: all"),
            "organization_id": text(),
            "directory_id": text(),
            "range_start": text("From this time on, ISO 8601"),
            "range_end": text("Before this time, ISO 8601"),
        },
    ),
)  # fmt: skip
_ORGANIZATIONS: Final = (
    Operation(
        "get", "/organizations", "listOrganizations", "List organizations", answer="OrganizationList", paged=True,
        query={"domains": text("Joined by commas"), "search": text("A part of the name", maxLength=256)},
    ),
    Operation(
        "post", "/organizations", "createOrganization", "Create an organization", 201, "Organization",
        body=entity(
            {"name": text(minLength=1, maxLength=256)},
            {"domain_data": _DOMAIN_DATA, "domains": array(text()), "external_id": _EXTERNAL_ID, "metadata": _METADATA},
        ),
    ),
    Operation("get", "/organizations/{id}", "getOrganization", "Get an organization", answer="Organization"),
    Operation(
        "put", "/organizations/{id}", "updateOrganization", "Change an organization; what is not named stays",
        answer="Organization",
        body=entity(
            {},
            {
                "name": text(), "domain_data": _DOMAIN_DATA, "domains": array(text()), "external_id": _EXTERNAL_ID,
                "metadata": _METADATA,
            },
        ),
    ),
    Operation(
        "delete", "/organizations/{id}", "deleteOrganization", "Delete an organization and its directories", 202,
        "Empty",
    ),
    Operation("get", "/organizations/external_id/{external_id}", "getOrganizationByExternalId",
              "Get an organization by the application's own id", answer="Organization"),
    Operation(
        "post", "/organization_domains", "createDomain", "Name a domain of an organization", 201, "OrganizationDomain",
        body=entity({"organization_id": text(), "domain": text()}),
    ),
    Operation("get", "/organization_domains/{id}", "getDomain", "Get a domain", answer="OrganizationDomain"),
    Operation("delete", "/organization_domains/{id}", "deleteDomain", "Delete a domain", 202, "Empty"),
    Operation("post", "/organization_domains/{id}/verify", "verifyDomain", "Verify over DNS (not offered)", 200,
              "OrganizationDomain"),
)  # fmt: skip
_PORTAL: Final = (
    Operation(
        "post", "/portal/generate_link", "generateLink", "Make a link for an administrator", 201, "PortalLink",
        body=entity(
            {"organization": text()},
            {
                "intent": choice("dsync"), "return_url": text(), "success_url": text(), "external_user_id": text(),
                "it_contact_emails": array(text(), maxItems=20), "admin_emails": array(text(), maxItems=20),
                "expires_at": nullable(time("Five minutes from now when it is not given, at most 30 days")),
            },
        ),
    ),
    Operation("post", "/portal/revoke_link", "revokeLink", "End links and sessions of a person", 204,
              body=entity({"organization": text(), "external_user_id": text()})),
)  # fmt: skip
_FILTER: Final = {"organization_ids": array(text()), "directory_ids": array(text()), "description": text()}
_WEBHOOKS: Final = (
    Operation("get", "/webhook_endpoints", "listWebhookEndpoints", "List endpoints", answer="WebhookEndpointList",
              paged=True),
    Operation(
        "post", "/webhook_endpoints", "createWebhookEndpoint", "Create an endpoint", 201, "WebhookEndpoint",
        body=entity({"endpoint_url": text(), "events": _EVENTS}, _FILTER),
    ),
    Operation("get", _ENDPOINT, "getWebhookEndpoint", "Get an endpoint", answer="WebhookEndpoint", own=True),
    Operation(
        "patch", _ENDPOINT, "updateWebhookEndpoint", "Change an endpoint; what is not named stays",
        answer="WebhookEndpoint",
        body=entity(
            {}, {"endpoint_url": text(), "status": choice("enabled", "disabled"), "events": _EVENTS, **_FILTER}
        ),
    ),
    Operation("delete", _ENDPOINT, "deleteWebhookEndpoint", "Delete an endpoint", 204),
    Operation(
        "post", f"{_ENDPOINT}/rotate_secret", "rotateWebhookSecret", "Make a new secret beside the present ones",
        answer="WebhookEndpoint", own=True, body_needed=False,
        body=entity({}, {"overlap_seconds": number("How long the present ones sign on", minimum=0, maximum=2_592_000)}),
    ),
    Operation(
        "get", f"{_ENDPOINT}/deliveries", "listWebhookDeliveries", "What was sent, the newest first", own=True,
        answer="WebhookDeliveryList",
        query={
            "state": choice("retrying", "succeeded", "failed"), "event_id": text(), "after": text(),
            "limit": number(minimum=1, maximum=1_000, default=10),
        },
    ),
    Operation("get", f"{_ENDPOINT}/deliveries/{{delivery_id}}", "getWebhookDelivery", "One delivery with its attempts",
              answer="WebhookDeliveryWithAttempts", own=True),
    Operation("post", f"{_ENDPOINT}/deliveries/{{delivery_id}}/redeliver", "redeliverWebhook", "Send it again", 202,
              "WebhookReplay", own=True),
    Operation("get", f"{_ENDPOINT}/replays", "listWebhookReplays", "What is sent again", answer="WebhookReplayList",
              own=True),
    Operation(
        "post", f"{_ENDPOINT}/replay", "replayWebhook", "Send an event, or a stretch of the log, again", 202,
        "WebhookReplay", own=True,
        body=entity({}, {"event_id": text(), "range_start": time(), "range_end": time()}),
    ),
    Operation(
        "post", f"{_ENDPOINT}/test", "testWebhook", "Send a made-up event", 202, "WebhookReplay", own=True,
        body=entity({}, {"event": text("Its type; dsync.user.created unless given")}), body_needed=False,
    ),
)  # fmt: skip
OPERATIONS: Final[Sequence[Operation]] = (
    *_DIRECTORIES, *_USERS_AND_GROUPS, *_EVENTS_API, *_ORGANIZATIONS, *_PORTAL, *_WEBHOOKS,
)  # fmt: skip
