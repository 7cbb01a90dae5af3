"""Users and groups: check, convert, call, convert. One set of handlers serves both."""

from directorysync.v1 import directory_ingest_pb2 as pb
from gateway.exchange import Answer, Headers
from gateway.scim.codec import entity_tags, matches_weakly
from gateway.scim.queries import Query, parse_search
from gateway.scim.request import ScimRequest


async def create(request: ScimRequest) -> Answer:
    """POST (RFC 7644 3.3): 201."""
    projection = request.projection()
    message = pb.CreateResourceRequest(
        context=request.context,
        resource_type=request.resource_type,
        document_json=await request.text(),
        projection=projection,
    )
    reply = await request.call(request.upstream.ingest.CreateResource, message)
    return _resource_answer(201, reply.resource, request.media_type)


async def get(request: ScimRequest) -> Answer:
    """GET of one resource (RFC 7644 3.4.1): 200, or 304 when If-None-Match names its version (3.14)."""
    message = pb.GetResourceRequest(
        context=request.context,
        resource_type=request.resource_type,
        id=request.id,
        projection=request.projection(),
    )
    reply = await request.call(request.upstream.ingest.GetResource, message)
    unwanted = request.exchange.headers.get(b"if-none-match")
    if unwanted is not None and matches_weakly(entity_tags(unwanted), reply.resource.etag):
        return Answer(304, _resource_headers(reply.resource))
    return _resource_answer(200, reply.resource, request.media_type)


async def replace(request: ScimRequest) -> Answer:
    """PUT (RFC 7644 3.5.1): 200."""
    projection = request.projection()
    message = pb.ReplaceResourceRequest(
        context=request.context,
        resource_type=request.resource_type,
        id=request.id,
        document_json=await request.text(),
        if_match=_if_match(request),
        projection=projection,
    )
    reply = await request.call(request.upstream.ingest.ReplaceResource, message)
    return _resource_answer(200, reply.resource, request.media_type)


async def patch(request: ScimRequest) -> Answer:
    """PATCH (RFC 7644 3.5.2): 200 with the resource, or 204 when the service returned none."""
    projection = request.projection()
    message = pb.PatchResourceRequest(
        context=request.context,
        resource_type=request.resource_type,
        id=request.id,
        patch_json=await request.text(),
        if_match=_if_match(request),
        projection=projection,
    )
    reply = await request.call(request.upstream.ingest.PatchResource, message)
    if not reply.resource.document_json:
        return Answer(204, _resource_headers(reply.resource))
    return _resource_answer(200, reply.resource, request.media_type)


async def delete(request: ScimRequest) -> Answer:
    """DELETE (RFC 7644 3.6): 204."""
    message = pb.DeleteResourceRequest(
        context=request.context, resource_type=request.resource_type, id=request.id, if_match=_if_match(request)
    )
    await request.call(request.upstream.ingest.DeleteResource, message)
    return Answer(204, [])


async def search(request: ScimRequest) -> Answer:
    """GET of a list (RFC 7644 3.4.2): 200 with a ListResponse."""
    return await search_with(request, request.query())


async def search_by_post(request: ScimRequest) -> Answer:
    """POST to `.search` (RFC 7644 3.4.3): 200 with a ListResponse."""
    return await search_with(request, parse_search(await request.text()))


async def search_with(request: ScimRequest, query: Query) -> Answer:
    """Ask the service for one page."""
    message = pb.SearchResourcesRequest(
        context=request.context,
        resource_type=request.resource_type,
        filter=query.filter,
        sort_by=query.sort_by,
        sort_descending=query.sort_descending,
        start_index=query.start_index,
        count=query.count,
        projection=query.projection(),
        cursor=query.cursor,
    )
    reply = await request.call(request.upstream.ingest.SearchResources, message)
    return Answer(200, [(b"content-type", request.media_type)], reply.list_json.encode())


def _if_match(request: ScimRequest) -> list[str]:
    return entity_tags(request.exchange.headers.get(b"if-match"))


def _resource_headers(resource: pb.ResourceDocument) -> Headers:
    headers: Headers = []
    if resource.etag:
        headers.append((b"etag", resource.etag.encode("latin-1")))
    if resource.location:
        headers.append((b"location", resource.location.encode("latin-1")))
    return headers


def _resource_answer(status: int, resource: pb.ResourceDocument, media_type: bytes) -> Answer:
    headers = [(b"content-type", media_type), *_resource_headers(resource)]
    if resource.location:
        headers.append((b"content-location", resource.location.encode("latin-1")))
    return Answer(status, headers, resource.document_json.encode())
