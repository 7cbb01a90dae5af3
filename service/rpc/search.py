"""DirectoryIngest: queries and discovery documents."""

from collections.abc import Sequence
from typing import Any

import msgspec

from directorysync.v1 import directory_ingest_pb2 as pb
from service.app.custom_schemas import ExtensionSchemas
from service.app.ingest import MAX_DOCUMENT_BYTES
from service.app.search import DEFAULT_COUNT, MAX_COUNT, Search, SearchQuery
from service.domain.caller import not_found
from service.domain.errors import ArgumentError
from service.rpc.documents import kind_of, projection_of, rendered
from service.rpc.edge import Call, Method, UnaryHandler
from service.rpc.ingest_scope import IngestScope
from service.rpc.methods import unary_methods
from service.scim import discovery, search_cursor
from service.scim.custom_schemas import CustomSchemas
from service.scim.errors import InvalidCount
from service.scim.filters import parse_filter
from service.scim.messages import MAX_BULK_OPERATIONS
from service.scim.schema import GROUP, RESOURCE_TYPES, USER, ResourceType, Schema
from service.storage.sorting import check_sort

_encode = msgspec.json.encode
_MAX_BASE_URL = 2_048
_OF_THE_DIRECTORY = (pb.DISCOVERY_DOCUMENT_RESOURCE_TYPES, pb.DISCOVERY_DOCUMENT_SCHEMAS)

# A query over all types may name the attributes of each (RFC 7644 3.4.2.1).
ANY = ResourceType(
    "resources",
    "",
    Schema("", "Any", "Users and groups", (*USER.schema.attributes, *GROUP.schema.attributes)),
    USER.extensions,
)


class SearchHandlers:
    """Check, convert, call, convert."""

    def __init__(self, search: Search, scope: IngestScope, schemas: ExtensionSchemas) -> None:
        self._search = search
        self._scope = scope
        self._schemas = schemas

    def methods(self) -> list[Method]:
        """The RPCs of DirectoryIngest that read more than one resource, or none."""
        handlers: dict[str, UnaryHandler] = {"SearchResources": self.search, "GetDiscovery": self.get_discovery}
        return unary_methods(pb.DESCRIPTOR, "DirectoryIngest", (), handlers)

    async def search(self, request: pb.SearchResourcesRequest, call: Call) -> pb.SearchResourcesResponse:
        """SearchResources."""
        directory = await self._scope.admit(request.context, call)
        asked = _query(request)
        by_cursor = request.HasField("cursor")
        bound = _bound(directory.id, request)
        if by_cursor:
            after = search_cursor.decode(request.cursor, bound) if request.cursor else None
            found = await self._search.search_behind(directory, asked, after)
        else:
            found = await self._search.search(directory, asked)
        resources = [rendered(loaded, kind, asked.projections[kind], asked.base_url) for kind, loaded in found.page]
        response = discovery.list_response(
            resources,
            found.total,
            None if by_cursor else asked.start_index,
            len(resources),
            next_cursor=None if found.last is None else search_cursor.encode(found.last, bound),
        )
        return pb.SearchResourcesResponse(list_json=_encode(response).decode())

    async def get_discovery(self, request: pb.GetDiscoveryRequest, call: Call) -> pb.GetDiscoveryResponse:
        """GetDiscovery."""
        directory = await self._scope.admit(request.context, call)
        custom = await self._schemas.of(directory) if request.document in _OF_THE_DIRECTORY else CustomSchemas()
        document = _discovered(request.document, request.id, _base_url(request.context), custom)
        return pb.GetDiscoveryResponse(document_json=_encode(document).decode())


def _bound(directory_id: str, request: pb.SearchResourcesRequest) -> Sequence[str]:
    """What a cursor is good for. The size of pages and the attributes shown may change on the way."""
    asked = (request.filter.strip(), request.sort_by, str(request.sort_descending))
    return directory_id, str(request.resource_type), *asked


def _query(request: pb.SearchResourcesRequest) -> SearchQuery:
    kinds = (
        RESOURCE_TYPES if request.resource_type == pb.RESOURCE_TYPE_UNSPECIFIED else (kind_of(request.resource_type),)
    )
    named = kinds[0] if len(kinds) == 1 else ANY
    count = request.count if request.HasField("count") else DEFAULT_COUNT
    if request.HasField("cursor") and count < 1:
        raise InvalidCount("count must be at least 1 where a cursor is used")
    return SearchQuery(
        kinds=kinds,
        filter=parse_filter(request.filter, named) if request.filter.strip() else None,
        sort=check_sort(request.sort_by, named) if request.sort_by else None,
        descending=request.sort_descending,
        start_index=max(1, request.start_index),
        count=min(max(0, count), MAX_COUNT),
        projections={kind: projection_of(request.projection, kind) for kind in kinds},
        base_url=_base_url(request.context),
    )


def _base_url(context: pb.IngestContext) -> str:
    if len(context.base_url) > _MAX_BASE_URL or "\0" in context.base_url:
        raise ArgumentError("context.base_url is not a URL", field="context.base_url")
    return context.base_url


def _discovered(document: int, name: str, base_url: str, custom: CustomSchemas) -> dict[str, Any]:
    if document == pb.DISCOVERY_DOCUMENT_SERVICE_PROVIDER_CONFIG:
        return discovery.service_provider_config(
            base_url,
            max_operations=MAX_BULK_OPERATIONS,
            max_payload=MAX_DOCUMENT_BYTES,
            max_results=MAX_COUNT,
            default_page_size=DEFAULT_COUNT,
            cursor=True,
        )
    if document == pb.DISCOVERY_DOCUMENT_RESOURCE_TYPES:
        one, every = discovery.resource_type(name, base_url, custom), discovery.resource_types(base_url, custom)
        return _one_or_all("ResourceType", name, one, every)
    if document == pb.DISCOVERY_DOCUMENT_SCHEMAS:
        one, every = discovery.schema(name, base_url, custom), discovery.schemas(base_url, custom)
        return _one_or_all("Schema", name, one, every)
    raise ArgumentError("document is not one of DiscoveryDocument", field="document")


def _one_or_all(kind: str, name: str, one: dict[str, Any] | None, every: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if not name:
        return discovery.list_response(every, len(every), 1, len(every))
    if one is None:
        raise not_found(kind, name)
    return one
