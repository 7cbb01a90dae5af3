"""DirectoryIngest: bulk requests."""

from directorysync.v1 import directory_ingest_pb2 as pb
from service.app.bulk import Bulk, BulkAnswer
from service.domain.decision import Outcome
from service.rpc.documents import bare
from service.rpc.edge import Call, Method, UnaryHandler
from service.rpc.ingest_scope import IngestScope
from service.rpc.methods import unary_methods
from service.rpc.status import failure_of


class BulkHandlers:
    """Check, convert, call, convert."""

    def __init__(self, bulk: Bulk, scope: IngestScope) -> None:
        self._bulk = bulk
        self._scope = scope

    def methods(self) -> list[Method]:
        """BulkResources."""
        handlers: dict[str, UnaryHandler] = {"BulkResources": self.bulk}
        return unary_methods(pb.DESCRIPTOR, "DirectoryIngest", (), handlers)

    async def bulk(self, request: pb.BulkResourcesRequest, call: Call) -> pb.BulkResourcesResponse:
        """BulkResources."""
        directory = await self._scope.admit(request.context, call, write=True)
        answers = await self._bulk.run(directory, request.bulk_json, call.request_id)
        return pb.BulkResourcesResponse(results=[_result(answer, request.context.base_url) for answer in answers])


def _result(answer: BulkAnswer, base_url: str) -> pb.BulkResult:
    operation, kind = answer.operation, answer.kind
    result = pb.BulkResult(method=operation.method, bulk_id=operation.bulk_id or "")
    if isinstance(answer.result, Outcome) and kind is not None:
        result.resource.CopyFrom(bare(answer.result.entity, kind, base_url))
        return result
    # The path of what was not created leads nowhere.
    if kind is not None and operation.method != "POST":
        result.resource.id = answer.resource_id
        result.resource.location = f"{base_url.rstrip('/')}{kind.endpoint}/{answer.resource_id}"
    failure = failure_of(answer.result) if isinstance(answer.result, Exception) else None
    result.error_reason = failure.reason if failure else "INTERNAL"
    result.error_message = failure.message if failure else "internal error"
    return result
