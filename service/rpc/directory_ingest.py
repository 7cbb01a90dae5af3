"""DirectoryIngest: commands and reads of one SCIM resource. Search and discovery are in service.rpc.search."""

from collections.abc import Callable

from directorysync.v1 import directory_ingest_pb2 as pb
from service.app.ingest import Ingest, Written
from service.domain.decision import Outcome
from service.rpc.documents import bare, kind_of, projection_of, resource
from service.rpc.edge import Call, Method, UnaryHandler
from service.rpc.ingest_scope import IngestScope
from service.rpc.methods import unary_methods
from service.scim.projection import Projection
from service.scim.schema import ResourceType


class IngestHandlers:
    """`cursor_of(directory_id, seq)` makes the cursor that covers a change."""

    def __init__(self, ingest: Ingest, scope: IngestScope, cursor_of: Callable[[str, int], str]) -> None:
        self._ingest = ingest
        self._scope = scope
        self._cursor_of = cursor_of

    def methods(self) -> list[Method]:
        """The RPCs handled here. Scopes are checked per directory, by IngestScope."""
        handlers: dict[str, UnaryHandler] = {
            "CreateResource": self.create,
            "GetResource": self.get,
            "ReplaceResource": self.replace,
            "PatchResource": self.patch,
            "DeleteResource": self.delete,
        }
        return unary_methods(pb.DESCRIPTOR, "DirectoryIngest", (), handlers)

    async def create(self, request: pb.CreateResourceRequest, call: Call) -> pb.CreateResourceResponse:
        """POST."""
        kind = kind_of(request.resource_type)
        projection = projection_of(request.projection, kind)
        directory = await self._scope.admit(request.context, call, write=True)
        written = await self._ingest.create(directory, kind, request.document_json, projection, call.request_id)
        return pb.CreateResourceResponse(
            resource=self._document(written, kind, projection, request.context.base_url),
            cursor=self._cursor(written.outcome),
        )

    async def get(self, request: pb.GetResourceRequest, call: Call) -> pb.GetResourceResponse:
        """GET."""
        kind = kind_of(request.resource_type)
        projection = projection_of(request.projection, kind)
        directory = await self._scope.admit(request.context, call)
        loaded = await self._ingest.get(directory, kind, request.id, projection)
        return pb.GetResourceResponse(resource=resource(loaded, kind, projection, request.context.base_url))

    async def replace(self, request: pb.ReplaceResourceRequest, call: Call) -> pb.ReplaceResourceResponse:
        """PUT."""
        kind = kind_of(request.resource_type)
        projection = projection_of(request.projection, kind)
        directory = await self._scope.admit(request.context, call, write=True)
        written = await self._ingest.replace(
            directory,
            kind,
            request.id,
            text=request.document_json,
            if_match=list(request.if_match),
            projection=projection,
            request_id=call.request_id,
        )
        return pb.ReplaceResourceResponse(
            resource=self._document(written, kind, projection, request.context.base_url),
            changed=written.outcome.changed,
            cursor=self._cursor(written.outcome),
        )

    async def patch(self, request: pb.PatchResourceRequest, call: Call) -> pb.PatchResourceResponse:
        """PATCH."""
        kind = kind_of(request.resource_type)
        projection = projection_of(request.projection, kind)
        directory = await self._scope.admit(request.context, call, write=True)
        written = await self._ingest.patch(
            directory,
            kind,
            request.id,
            text=request.patch_json,
            if_match=list(request.if_match),
            projection=projection,
            request_id=call.request_id,
            document_wanted=bool(request.projection.attributes or request.projection.excluded_attributes),
        )
        return pb.PatchResourceResponse(
            resource=self._document(written, kind, projection, request.context.base_url),
            changed=written.outcome.changed,
            cursor=self._cursor(written.outcome),
        )

    async def delete(self, request: pb.DeleteResourceRequest, call: Call) -> pb.DeleteResourceResponse:
        """DELETE."""
        kind = kind_of(request.resource_type)
        directory = await self._scope.admit(request.context, call, write=True)
        outcome = await self._ingest.delete(directory, kind, request.id, list(request.if_match), call.request_id)
        return pb.DeleteResourceResponse(cursor=self._cursor(outcome))

    def _document(
        self, written: Written, kind: ResourceType, projection: Projection, base_url: str
    ) -> pb.ResourceDocument:
        if written.loaded is None:
            return bare(written.outcome.entity, kind, base_url)
        return resource(written.loaded, kind, projection, base_url)

    def _cursor(self, outcome: Outcome) -> str:
        return "" if outcome.seq is None else self._cursor_of(outcome.entity.directory_id, outcome.seq)
