"""Resources as ResourceDocument: rendered, projected, encoded once."""

from datetime import datetime
from typing import Any

import msgspec

from directorysync.v1 import directory_ingest_pb2 as pb
from service.app.ingest import Loaded
from service.domain.decision import etag
from service.domain.errors import ArgumentError
from service.domain.group import Group
from service.domain.user import User
from service.scim.projection import Projection
from service.scim.rendering import render
from service.scim.schema import GROUP, USER, ResourceType

_encode = msgspec.json.encode
_KINDS: dict[int, ResourceType] = {pb.RESOURCE_TYPE_USER: USER, pb.RESOURCE_TYPE_GROUP: GROUP}


def kind_of(value: int) -> ResourceType:
    """RESOURCE_TYPE_USER or RESOURCE_TYPE_GROUP; anything else is refused."""
    kind = _KINDS.get(value)
    if kind is None:
        raise ArgumentError("resource_type must be RESOURCE_TYPE_USER or RESOURCE_TYPE_GROUP", field="resource_type")
    return kind


def projection_of(message: pb.Projection, kind: ResourceType) -> Projection:
    """The projection a request asks for."""
    return Projection.parse(list(message.attributes), list(message.excluded_attributes), kind)


def instant(value: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-01-15T12:00:00.000Z`."""
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def location_of(entity: User | Group, kind: ResourceType, base_url: str) -> str:
    """Where the resource is, below the directory's SCIM base URL."""
    return f"{base_url.rstrip('/')}{kind.endpoint}/{entity.id}"


def rendered(loaded: Loaded, kind: ResourceType, projection: Projection, base_url: str) -> dict[str, Any]:
    """A resource as it is sent, after projection."""
    entity = loaded.entity
    document = render(
        entity.document,
        resource_type=kind,
        id=entity.id,
        created=instant(entity.created_at),
        modified=instant(entity.updated_at),
        version=etag(entity.version),
        base_url=base_url,
        groups=loaded.groups,
        members=loaded.members,
    )
    return projection.apply(document)


def resource(loaded: Loaded, kind: ResourceType, projection: Projection, base_url: str) -> pb.ResourceDocument:
    """A resource with its document."""
    entity = loaded.entity
    return pb.ResourceDocument(
        id=entity.id,
        document_json=_encode(rendered(loaded, kind, projection, base_url)).decode(),
        etag=etag(entity.version),
        location=location_of(entity, kind, base_url),
    )


def bare(entity: User | Group, kind: ResourceType, base_url: str) -> pb.ResourceDocument:
    """A resource without its document, for answers with no body."""
    return pb.ResourceDocument(id=entity.id, etag=etag(entity.version), location=location_of(entity, kind, base_url))
