"""The versions of SCIM that DirectoryIngest is spoken in. Handlers know 2.0; another is translated around them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
from google.protobuf.message import Message

from directorysync.v1 import directory_ingest_pb2 as pb
from service.app.ingest import MAX_DOCUMENT_BYTES
from service.domain.caller import not_found
from service.domain.errors import ArgumentError, NotSupportedError
from service.rpc.documents import kind_of
from service.rpc.edge import Call, Method, UnaryHandler
from service.scim import v1, v1_discovery
from service.scim.schema import ResourceType

_encode = msgspec.json.encode
_decode = msgspec.json.decode


@dataclass(frozen=True, slots=True)
class Version:
    """What is done to a request before and to a response behind its handler, by the class of the message.

    Both change their message in place; ``requests`` are given a copy.
    """

    requests: Mapping[type, Callable[[Any], None]]
    responses: Mapping[type, Callable[[Any, Any], None]]

    def inward(self, request: Message) -> Message:
        """The request as the handler understands it."""
        translate = self.requests.get(type(request))
        if translate is None:
            return request
        copy = type(request)()
        copy.CopyFrom(request)
        translate(copy)
        return copy

    def outward(self, request: Message, response: Message) -> Message:
        """The response as the client understands it; ``request`` as the client sent it."""
        translate = self.responses.get(type(response))
        if translate is not None:
            translate(request, response)
        return response


def spoken(methods: list[Method]) -> list[Method]:
    """The methods of DirectoryIngest in the version that each request names."""
    return [replace(method, unary=_spoken(method.unary)) if method.unary else method for method in methods]


def _spoken(handler: UnaryHandler) -> UnaryHandler:
    async def handle(request: Any, call: Call) -> Message:
        version = _VERSIONS.get(request.context.scim_version)
        if version is None:
            raise ArgumentError("context.scim_version is not one of ScimVersion", field="context.scim_version")
        return version.outward(request, await handler(version.inward(request), call))

    return handle


def _translated(
    text: str, resource_type: ResourceType, translate: Callable[[Mapping[str, Any], ResourceType], dict[str, Any]]
) -> str:
    """A body in 2.0. What is no JSON object, or too large, is left to the handler, which says so."""
    if len(text) > MAX_DOCUMENT_BYTES:
        return text
    try:
        body = _decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return text
    return _encode(translate(body, resource_type)).decode() if isinstance(body, dict) else text


def _names(message: pb.Projection) -> None:
    message.attributes[:] = [v1.name_from_v1(name) for name in message.attributes]
    message.excluded_attributes[:] = [v1.name_from_v1(name) for name in message.excluded_attributes]


def _document_from_v1(request: pb.CreateResourceRequest | pb.ReplaceResourceRequest) -> None:
    kind = kind_of(request.resource_type)
    request.document_json = _translated(request.document_json, kind, v1.document_from_v1)
    _names(request.projection)


def _patch_from_v1(request: pb.PatchResourceRequest) -> None:
    kind = kind_of(request.resource_type)
    request.patch_json = _translated(request.patch_json, kind, v1.patch_from_v1)
    _names(request.projection)


def _get_from_v1(request: pb.GetResourceRequest) -> None:
    _names(request.projection)


def _search_from_v1(request: pb.SearchResourcesRequest) -> None:
    request.filter = v1.filter_from_v1(request.filter)
    request.sort_by = v1.name_from_v1(request.sort_by)
    _names(request.projection)


def _discovery_from_v1(request: pb.GetDiscoveryRequest) -> None:
    if request.document == pb.DISCOVERY_DOCUMENT_RESOURCE_TYPES:
        raise NotSupportedError("SCIM 1.1 has no resource types; its schemas name the endpoints")
    # One schema of 1.1 holds several of 2.0.
    request.id = ""


def _bulk_from_v1(_request: pb.BulkResourcesRequest) -> None:
    raise NotSupportedError("bulk requests are offered in SCIM 2.0 only")


def _resource_to_v1(_request: Message, response: Any) -> None:
    resource: pb.ResourceDocument = response.resource
    if resource.document_json:
        resource.document_json = _encode(v1.document_to_v1(_decode(resource.document_json))).decode()


def _list_to_v1(_request: Message, response: pb.SearchResourcesResponse) -> None:
    response.list_json = _encode(v1.list_to_v1(_decode(response.list_json))).decode()


def _discovery_to_v1(request: pb.GetDiscoveryRequest, response: pb.GetDiscoveryResponse) -> None:
    document = _decode(response.document_json)
    response.document_json = _encode(_discovered(request, document)).decode()


def _discovered(request: pb.GetDiscoveryRequest, document: dict[str, Any]) -> dict[str, Any]:
    if request.document == pb.DISCOVERY_DOCUMENT_SERVICE_PROVIDER_CONFIG:
        return v1_discovery.config(document)
    base_url = request.context.base_url
    if not request.id:
        return v1_discovery.schemas_list(document["Resources"], base_url)
    found = v1_discovery.schema(request.id, document["Resources"], base_url)
    if found is None:
        raise not_found("Schema", request.id)
    return found


SCIM_2_0: Final = Version({}, {})
SCIM_1_1: Final = Version(
    requests={
        pb.CreateResourceRequest: _document_from_v1,
        pb.GetResourceRequest: _get_from_v1,
        pb.ReplaceResourceRequest: _document_from_v1,
        pb.PatchResourceRequest: _patch_from_v1,
        pb.SearchResourcesRequest: _search_from_v1,
        pb.BulkResourcesRequest: _bulk_from_v1,
        pb.GetDiscoveryRequest: _discovery_from_v1,
    },
    responses={
        pb.CreateResourceResponse: _resource_to_v1,
        pb.GetResourceResponse: _resource_to_v1,
        pb.ReplaceResourceResponse: _resource_to_v1,
        pb.PatchResourceResponse: _resource_to_v1,
        pb.SearchResourcesResponse: _list_to_v1,
        pb.GetDiscoveryResponse: _discovery_to_v1,
    },
)
_VERSIONS: Final[Mapping[int, Version]] = {
    pb.SCIM_VERSION_UNSPECIFIED: SCIM_2_0,
    pb.SCIM_VERSION_2_0: SCIM_2_0,
    pb.SCIM_VERSION_1_1: SCIM_1_1,
}
