"""`/Bulk` (RFC 7644 3.7): one call upstream, then a BulkResponse."""

from typing import Any, Final

import msgspec

from directorysync.v1 import directory_ingest_pb2 as pb
from directorysync.v1.errors_pb2 import ErrorReason
from gateway.exchange import Answer
from gateway.problems import problem, scim_error
from gateway.scim.request import ScimRequest

_RESPONSE: Final = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
_DONE: Final = {"POST": "201", "PUT": "200", "PATCH": "200", "DELETE": "204"}


async def bulk(request: ScimRequest) -> Answer:
    """POST: 200 with what became of each operation."""
    message = pb.BulkResourcesRequest(context=request.context, bulk_json=await request.text())
    reply = await request.call(request.upstream.ingest.BulkResources, message)
    operations = [_operation(result) for result in reply.results]
    body = msgspec.json.encode({"schemas": [_RESPONSE], "Operations": operations})
    return Answer(200, [(b"content-type", request.media_type)], body)


def _operation(result: pb.BulkResult) -> dict[str, Any]:
    operation: dict[str, Any] = {"method": result.method}
    if result.bulk_id:
        operation["bulkId"] = result.bulk_id
    if result.resource.etag and result.method != "DELETE":
        operation["version"] = result.resource.etag
    if result.resource.location:
        operation["location"] = result.resource.location
    if not result.error_reason:
        return operation | {"status": _DONE[result.method]}
    reason = ErrorReason.Value(f"ERROR_REASON_{result.error_reason}")
    error = scim_error(problem(reason, result.error_message))
    return operation | {"status": error["status"], "response": error}
