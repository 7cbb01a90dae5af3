"""Organizations and their domains as WorkOS shows them (workos.com/docs/reference/organization)."""

from typing import Any

from directorysync.v1 import resources_pb2 as pb
from gateway.workos.times import time_text


def organization(message: pb.Organization) -> dict[str, Any]:
    """An Organization."""
    return {
        "object": "organization",
        "id": message.id,
        "name": message.name,
        "domains": [organization_domain(domain) for domain in message.domains],
        "metadata": dict(sorted(message.metadata.items())),
        "external_id": message.external_id or None,
        "created_at": time_text(message.create_time),
        "updated_at": time_text(message.update_time),
    }


def organization_domain(message: pb.OrganizationDomain) -> dict[str, Any]:
    """An OrganizationDomain. It is proven by the application's word alone, so its strategy is `manual`."""
    verified = message.state == pb.ORGANIZATION_DOMAIN_STATE_VERIFIED
    return {
        "object": "organization_domain",
        "id": message.id,
        "organization_id": message.organization_id,
        "domain": message.domain,
        "state": "verified" if verified else "pending",
        "verification_strategy": "manual",
        "created_at": time_text(message.create_time),
        "updated_at": time_text(message.update_time),
    }
