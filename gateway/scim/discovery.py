"""ServiceProviderConfig, ResourceTypes and Schemas (RFC 7644 4), and the base path that clients probe."""

from collections.abc import Awaitable, Callable

from directorysync.v1 import directory_ingest_pb2 as pb
from gateway.exchange import Answer
from gateway.problems import http_problem
from gateway.scim.request import ScimRequest
from gateway.scim.resources import search_with


async def base(request: ScimRequest) -> Answer:
    """GET of the base path: what the directory can do, which proves the token; with `filter` a search over all."""
    query = request.query()
    if query.filter:
        return await search_with(request, query)
    return await _document(request, pb.DISCOVERY_DOCUMENT_SERVICE_PROVIDER_CONFIG)


def discovery(document: pb.DiscoveryDocument.ValueType) -> Callable[[ScimRequest], Awaitable[Answer]]:
    """The handler of one discovery endpoint: 200, or 403 when a filter is asked for (RFC 7644 4)."""

    async def get(request: ScimRequest) -> Answer:
        if request.query().filter:
            raise http_problem(403, "Discovery endpoints take no filter.")
        return await _document(request, document)

    return get


async def _document(request: ScimRequest, document: pb.DiscoveryDocument.ValueType) -> Answer:
    message = pb.GetDiscoveryRequest(context=request.context, document=document, id=request.id)
    reply = await request.call(request.upstream.ingest.GetDiscovery, message)
    return Answer(200, [(b"content-type", request.media_type)], reply.document_json.encode())


async def not_offered(request: ScimRequest) -> Answer:
    """`/Me`: named by RFC 7644, not offered here (a token is no person): 501."""
    raise http_problem(501, "This endpoint is not offered here; ServiceProviderConfig says what is.")
