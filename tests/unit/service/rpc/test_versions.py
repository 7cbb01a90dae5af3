"""Handlers of 2.0, spoken to in another version."""

import json
from typing import Any

import pytest
from google.protobuf.message import Message

from directorysync.v1 import directory_ingest_pb2 as pb
from service.domain.caller import Caller, Scope
from service.domain.errors import ArgumentError, NotFoundError, NotSupportedError
from service.rpc.edge import Call, Method
from service.rpc.versions import spoken
from service.scim.discovery import list_response, schemas
from service.scim.schema import CORE_USER_URN, ENTERPRISE_USER_URN
from service.scim.v1 import CORE_URN, ENTERPRISE_URN

V1 = pb.IngestContext(directory="d", base_url="https://d.example/scim/v1/d", scim_version=pb.SCIM_VERSION_1_1)
CALL = Call(Caller("token_1", frozenset({Scope.PROVISION})), "req_1", None)
USER: dict[str, Any] = {"schemas": [CORE_USER_URN], "id": "u1", "meta": {"resourceType": "User", "version": "v"}}


class Handler:
    """Keeps the request it was given and answers with what it was made with."""

    def __init__(self, response: Message) -> None:
        self.response = response
        self.request: Any = None

    async def __call__(self, request: Any, _call: Call) -> Message:
        self.request = request
        return self.response

    async def ask(self, request: Message) -> Any:
        method = Method("/x", type(request), type(self.response), (), unary=self)
        (translated,) = spoken([method])
        assert translated.unary is not None
        return await translated.unary(request, CALL)


def user_response() -> pb.CreateResourceResponse:
    return pb.CreateResourceResponse(resource=pb.ResourceDocument(id="u1", document_json=json.dumps(USER)))


@pytest.mark.parametrize("version", [pb.SCIM_VERSION_UNSPECIFIED, pb.SCIM_VERSION_2_0])
async def test_2_0_passes_as_it_is(version: pb.ScimVersion.ValueType) -> None:
    handler = Handler(user_response())
    context = pb.IngestContext(directory="d", scim_version=version)
    request = pb.CreateResourceRequest(context=context, document_json=f' {{"schemas":["{CORE_URN}"]}}')
    assert await handler.ask(request) is handler.response
    assert handler.request is request
    assert handler.response == user_response()


async def test_a_document_is_translated_on_its_way_in_and_out() -> None:
    handler = Handler(user_response())
    request = pb.CreateResourceRequest(
        context=V1,
        resource_type=pb.RESOURCE_TYPE_USER,
        document_json=json.dumps({"schemas": [CORE_URN], ENTERPRISE_URN: {"department": "Sea"}}),
        projection=pb.Projection(attributes=[f"{ENTERPRISE_URN}:department"], excluded_attributes=[f"{CORE_URN}:name"]),
    )
    sent = request.SerializeToString()
    response = await handler.ask(request)
    assert request.SerializeToString() == sent
    assert json.loads(handler.request.document_json) == {
        "schemas": [CORE_USER_URN],
        ENTERPRISE_USER_URN: {"department": "Sea"},
    }
    assert list(handler.request.projection.attributes) == [f"{ENTERPRISE_USER_URN}:department"]
    assert list(handler.request.projection.excluded_attributes) == ["name"]
    assert json.loads(response.resource.document_json) == {"schemas": [CORE_URN], "id": "u1", "meta": {"version": "v"}}


@pytest.mark.parametrize("text", ["", "{", "[1]", "7", "[" * 100_000, '"\\ud800"', " " * 2_048_001 + "{}"])
async def test_what_is_no_object_is_left_to_the_handler(text: str) -> None:
    handler = Handler(pb.PatchResourceResponse(resource=pb.ResourceDocument(id="u1")))
    request = pb.PatchResourceRequest(context=V1, resource_type=pb.RESOURCE_TYPE_USER, patch_json=text)
    response = await handler.ask(request)
    assert handler.request.patch_json == text
    assert response.resource.document_json == ""


async def test_a_search() -> None:
    handler = Handler(pb.SearchResourcesResponse(list_json=json.dumps(list_response([USER], 1, 1, 1))))
    request = pb.SearchResourcesRequest(context=V1, filter=f"{ENTERPRISE_URN}:division pr", sort_by=f"{CORE_URN}:title")
    response = json.loads((await handler.ask(request)).list_json)
    assert (handler.request.filter, handler.request.sort_by) == (f"{ENTERPRISE_USER_URN}:division pr", "title")
    assert (response["schemas"], response["Resources"][0]["schemas"]) == ([CORE_URN], [CORE_URN])


async def test_a_schema_is_found_by_its_name_in_1_1() -> None:
    documents = schemas("https://d.example")

    def handler() -> Handler:
        found = list_response(documents, len(documents), 1, len(documents))
        return Handler(pb.GetDiscoveryResponse(document_json=json.dumps(found)))

    request = pb.GetDiscoveryRequest(context=V1, document=pb.DISCOVERY_DOCUMENT_SCHEMAS, id="Users")
    assert json.loads((await handler().ask(request)).document_json)["id"] == f"{CORE_URN}:User"
    request.id = "Devices"
    with pytest.raises(NotFoundError):
        await handler().ask(request)
    request.id = ""
    assert json.loads((await handler().ask(request)).document_json)["totalResults"] == 2


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (pb.BulkResourcesRequest(context=V1), NotSupportedError),
        (pb.GetDiscoveryRequest(context=V1, document=pb.DISCOVERY_DOCUMENT_RESOURCE_TYPES), NotSupportedError),
        (pb.CreateResourceRequest(context=V1), ArgumentError),
        (pb.GetResourceRequest(context=pb.IngestContext(scim_version=9)), ArgumentError),  # type: ignore[arg-type]
    ],
)
async def test_what_is_not_offered(request_: Message, error: type[Exception]) -> None:
    handler = Handler(user_response())
    with pytest.raises(error):
        await handler.ask(request_)
    assert handler.request is None
