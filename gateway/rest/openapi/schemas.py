"""The objects of the API."""

from typing import Final

from gateway.rest.openapi.shapes import (
    Schema,
    anything,
    array,
    choice,
    constant,
    entity,
    flag,
    listing,
    nullable,
    number,
    ref,
    text,
    time,
)

_TIMES: Final = {"created_at": time(), "updated_at": time()}
_EMAIL: Final = entity({"primary": flag(), "type": nullable(text()), "value": text()})
_POLICY: Final = entity(
    {},
    {
        "deactivation": choice("keep", "delete", description="What the application is told of a deactivated user"),
        "announce_on_reactivation": flag("Announce the memberships of a user that becomes active again"),
        "unique_group_names": nullable(flag("Refuse a second group of one name; null: as the provider needs it")),
        "unique_emails": flag("Refuse a second active user with one address"),
    },
)
_USER: Final = {
    "object": constant("directory_user"),
    "id": text(),
    "directory_id": text(),
    "organization_id": text(),
    "idp_id": text("The provider's id; empty without one"),
    "email": nullable(text("The primary address")),
    "first_name": nullable(text()),
    "last_name": nullable(text()),
    "name": nullable(text()),
    "emails": array(_EMAIL),
    "job_title": nullable(text()),
    "username": nullable(text()),
    "state": choice("active", "inactive"),
    "custom_attributes": anything("The attributes that WorkOS predefines"),
    "raw_attributes": anything("The SCIM document as it is stored"),
    **_TIMES,
    "groups": array(ref("DirectoryGroup")),
}
_DELIVERY: Final = {
    "object": constant("webhook_delivery"),
    "id": text(),
    "webhook_endpoint_id": text(),
    "event_id": text(),
    "event": text("Its type"),
    "directory_id": nullable(text()),
    "state": choice("retrying", "succeeded", "failed"),
    "attempt_count": number(),
    "response_status": nullable(number("Status of the last answer; null: none came")),
    "error": nullable(
        text("Why the last attempt failed: status, redirect, timeout, connect, tls, address_refused, protocol")
    ),
    "next_attempt_at": nullable(time()),
    **_TIMES,
}
_ATTEMPT: Final = entity(
    {
        "number": number(),
        "endpoint_url": text(),
        "response_status": nullable(number()),
        "error": nullable(text("Why it failed")),
        "duration_ms": number(),
        "created_at": time(),
        "response_body": nullable(text("The beginning of the answer; null when it is no text")),
    },
    {"response_body_base64": text()},
)
_TOKEN: Final = {
    "object": constant("directory_token"),
    "id": text(),
    "directory_id": text(),
    "token_suffix": text("The last characters of the secret"),
    "created_at": time(),
    "expires_at": nullable(time()),
    "last_used_at": nullable(time()),
    "revoked_at": nullable(time()),
}
_SECRET: Final = entity({"secret": text(), "created_at": time(), "expires_at": nullable(time())})

SCHEMAS: Final[dict[str, Schema]] = {
    "Error": entity(
        {"message": text()},
        {
            "code": text(),
            "entity_id": text(),
            "errors": array(entity({"code": text(), "field": text()}, {"message": text()})),
        },
    ),
    "ListMetadata": entity({"before": nullable(text()), "after": nullable(text())}),
    "Empty": entity({}),
    "DirectoryPolicy": _POLICY,
    "Directory": entity(
        {
            "object": constant("directory"),
            "id": text(),
            "organization_id": text(),
            "external_key": text("The key in its SCIM address"),
            "type": text("WorkOS's name of the provider", examples=["okta scim v2.0"]),
            "state": choice("linked", "unlinked", "deleting"),
            "name": text(),
            **_TIMES,
            "provider": text(),
            "disabled": flag(),
            "policy": ref("DirectoryPolicy"),
        },
        {"metadata": entity({"users": entity({"active": number(), "inactive": number()}), "groups": number()})},
    ),
    "CreatedDirectory": entity(
        {
            "directory": ref("Directory"),
            "scim": entity({"base_url": text(), "bearer_token": text("Shown once")}),
        }
    ),
    "DirectoryToken": entity(_TOKEN),
    "CreatedDirectoryToken": entity({**_TOKEN, "token": text("The secret; shown once")}),
    "DirectoryDiagnostic": entity(
        {
            "object": constant("directory_diagnostic"),
            "resource_type": nullable(choice("User", "Group")),
            "path": text(),
            "reason": text(),
            "count": number(),
            "first_seen_at": time(),
            "last_seen_at": time(),
            "last_request_id": text(),
        }
    ),
    "DirectoryUser": entity(_USER),
    "DirectoryGroup": entity(
        {
            "object": constant("directory_group"),
            "id": text(),
            "idp_id": text(),
            "directory_id": text(),
            "organization_id": text(),
            "name": text(),
            "raw_attributes": anything("The SCIM document as it is stored"),
            **_TIMES,
        }
    ),
    "DirectoryGroupMembership": entity(
        {
            "object": constant("directory_group_membership"),
            "group_id": text(),
            "member": entity(
                {"object": choice("directory_user", "directory_group"), "id": text(), "name": text()},
            ),
            "created_at": nullable(time()),
        }
    ),
    "Event": entity(
        {
            "object": constant("event"),
            "id": text(),
            "event": text("Its type", examples=["dsync.user.created"]),
            "data": anything("What it is about; its shape depends on the type"),
            "created_at": time(),
            "context": anything(),
        }
    ),
    "OrganizationDomain": entity(
        {
            "object": constant("organization_domain"),
            "id": text(),
            "organization_id": text(),
            "domain": text(),
            "state": choice("pending", "verified"),
            "verification_strategy": constant("manual"),
            **_TIMES,
        }
    ),
    "Organization": entity(
        {
            "object": constant("organization"),
            "id": text(),
            "name": text(),
            "domains": array(ref("OrganizationDomain")),
            "metadata": {"type": "object", "additionalProperties": text()},
            "external_id": nullable(text()),
            **_TIMES,
        }
    ),
    "PortalLink": entity({"link": text("Opens once", format="uri")}),
    "WebhookEndpoint": entity(
        {
            "object": constant("webhook_endpoint"),
            "id": text(),
            "endpoint_url": text(),
            "secret": text("The newest secret that deliveries are signed with"),
            "status": choice("enabled", "disabled"),
            "events": array(text()),
            **_TIMES,
            "organization_ids": array(text()),
            "directory_ids": array(text()),
            "description": text(),
            "status_reason": nullable(text()),
            "failing_since": nullable(time()),
            "secrets": array(_SECRET, "All that sign now, the newest first"),
        }
    ),
    "WebhookDelivery": entity(_DELIVERY),
    "WebhookDeliveryWithAttempts": entity({**_DELIVERY, "attempts": array(_ATTEMPT)}),
    "WebhookReplay": entity(
        {
            "object": constant("webhook_replay"),
            "id": text(),
            "webhook_endpoint_id": text(),
            "event_id": nullable(text()),
            "test_event": nullable(text()),
            "range_start": nullable(time()),
            "range_end": nullable(time()),
            "delivered_count": number(),
            "error": nullable(text()),
            "created_at": time(),
            "completed_at": nullable(time()),
        }
    ),
}
SCHEMAS.update(
    {
        f"{name}List": listing(name)
        for name in (
            "Directory",
            "DirectoryToken",
            "DirectoryDiagnostic",
            "DirectoryUser",
            "DirectoryGroup",
            "DirectoryGroupMembership",
            "Event",
            "Organization",
            "WebhookEndpoint",
            "WebhookDelivery",
            "WebhookReplay",
        )
    }
)
