"""Users and groups over HTTP: what reaches the service, and what the client gets."""

import httpx
import pytest

from directorysync.v1 import directory_ingest_pb2 as pb
from tests.unit.gateway.conftest import BASE, TOKEN
from tests.unit.gateway.fake_upstream import LIST_JSON, LOCATION, USER_JSON, FakeChannel

USERS, GROUPS = pb.RESOURCE_TYPE_USER, pb.RESOURCE_TYPE_GROUP
KINDS = pytest.mark.parametrize(("path", "kind"), [("Users", USERS), ("Groups", GROUPS)])
ONE_RESOURCE = {"etag": 'W/"7"', "location": LOCATION, "content-location": LOCATION}


def assert_resource(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status
    assert answer.text == USER_JSON
    assert answer.headers["content-type"] == "application/scim+json"
    assert {name: answer.headers[name] for name in ONE_RESOURCE} == ONE_RESOURCE


@KINDS
async def test_post_hands_the_body_on_as_it_came_and_answers_201(
    client: httpx.AsyncClient, channel: FakeChannel, path: str, kind: int
) -> None:
    body = '{ "userName": "Ada \\u00e9 é" , "n": 1.0 }'
    assert_resource(await client.post(f"/{path}", content=body.encode()), 201)
    assert channel.last.method == "CreateResource"
    assert channel.last.request == pb.CreateResourceRequest(
        context=pb.IngestContext(directory="key-1", base_url=BASE), resource_type=kind, document_json=body
    )


async def test_the_credential_the_request_id_and_the_deadline_travel_with_the_call(
    client: httpx.AsyncClient, channel: FakeChannel
) -> None:
    await client.get("/Users/directory_user_1", headers={"x-request-id": "entra-42"})
    assert channel.last.metadata == {"authorization": f"Bearer {TOKEN}", "x-request-id": "entra-42"}
    assert channel.last.timeout == 25


@KINDS
async def test_get_answers_200_with_etag(client: httpx.AsyncClient, channel: FakeChannel, path: str, kind: int) -> None:
    assert_resource(await client.get(f"/{path}/directory_user_1"), 200)
    assert (channel.last.request.resource_type, channel.last.request.id) == (kind, "directory_user_1")


@pytest.mark.parametrize("tag", ['W/"7"', '"7"', "*", '"1", W/"7"', '"a,b", W/"7"', "7"])
async def test_if_none_match_of_the_current_version_answers_304(client: httpx.AsyncClient, tag: str) -> None:
    answer = await client.get("/Users/directory_user_1", headers={"if-none-match": tag})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", 'W/"7"')
    assert "content-length" not in answer.headers


@pytest.mark.parametrize("tag", ['W/"6"', '"77"', ""])
async def test_if_none_match_of_another_version_answers_the_resource(client: httpx.AsyncClient, tag: str) -> None:
    assert_resource(await client.get("/Users/directory_user_1", headers={"if-none-match": tag}), 200)


@KINDS
async def test_put_answers_200(client: httpx.AsyncClient, channel: FakeChannel, path: str, kind: int) -> None:
    answer = await client.put(f"/{path}/directory_user_1", content="{}", headers={"if-match": 'W/"6", "5"'})
    assert_resource(answer, 200)
    request = channel.last.request
    assert (request.resource_type, request.id, request.document_json) == (kind, "directory_user_1", "{}")
    assert list(request.if_match) == ['W/"6"', '"5"']


@KINDS
async def test_patch_answers_200_with_the_document(
    client: httpx.AsyncClient, channel: FakeChannel, path: str, kind: int
) -> None:
    body = '{"Operations":[{"op":"Replace","path":"active","value":"False"}]}'
    answer = await client.patch(f"/{path}/directory_user_1", content=body, headers={"if-match": "*"})
    assert_resource(answer, 200)
    request = channel.last.request
    assert (request.resource_type, request.id, request.patch_json) == (kind, "directory_user_1", body)
    assert list(request.if_match) == ["*"]


async def test_patch_without_a_document_answers_204_with_its_version(
    client: httpx.AsyncClient, channel: FakeChannel
) -> None:
    resource = pb.ResourceDocument(id="directory_group_1", etag='W/"8"', location=f"{BASE}/Groups/directory_group_1")
    channel.replies["PatchResource"] = pb.PatchResourceResponse(resource=resource, changed=True)
    answer = await client.patch("/Groups/directory_group_1", content='{"Operations":[]}')
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["etag"] == 'W/"8"'
    assert answer.headers["location"] == f"{BASE}/Groups/directory_group_1"
    assert "content-type" not in answer.headers


@KINDS
async def test_delete_answers_204(client: httpx.AsyncClient, channel: FakeChannel, path: str, kind: int) -> None:
    answer = await client.delete(f"/{path}/directory_user_1", headers={"if-match": 'W/"7"'})
    assert (answer.status_code, answer.content) == (204, b"")
    assert channel.last.request == pb.DeleteResourceRequest(
        context=pb.IngestContext(directory="key-1", base_url=BASE),
        resource_type=kind,
        id="directory_user_1",
        if_match=['W/"7"'],
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/Users/1"),
        ("POST", "/Users"),
        ("PUT", "/Users/1"),
        ("PATCH", "/Users/1"),
        ("GET", "/Users"),
    ],
)
async def test_a_projection_is_handed_on_by_every_answer_with_a_body(
    client: httpx.AsyncClient, channel: FakeChannel, method: str, path: str
) -> None:
    parameters = {"attributes": "userName, emails ,", "EXCLUDEDATTRIBUTES": "members"}
    await client.request(method, path, params=parameters, content=None if method == "GET" else "{}")
    assert channel.last.request.projection == pb.Projection(
        attributes=["userName", "emails"], excluded_attributes=["members"]
    )


async def test_without_projection_parameters_none_is_sent(client: httpx.AsyncClient, channel: FakeChannel) -> None:
    await client.patch("/Groups/1", content="{}")
    assert not channel.last.request.HasField("projection")


@KINDS
async def test_a_list_is_answered_as_the_service_wrote_it(
    client: httpx.AsyncClient, channel: FakeChannel, path: str, kind: int
) -> None:
    answer = await client.get(f"/{path}?filter=userName+eq+%22a%2Bb%40x%22&startIndex=1&count=2")
    assert (answer.status_code, answer.text) == (200, LIST_JSON)
    assert answer.headers["content-type"] == "application/scim+json"
    assert channel.last.request == pb.SearchResourcesRequest(
        context=pb.IngestContext(directory="key-1", base_url=BASE),
        resource_type=kind,
        filter='userName eq "a+b@x"',
        start_index=1,
        count=2,
    )


@pytest.mark.parametrize(
    ("path", "kind"), [("/Users/.search", USERS), ("/Groups/.search", GROUPS), ("/.search", 0), ("/.SEARCH/", 0)]
)
async def test_search_by_post(client: httpx.AsyncClient, channel: FakeChannel, path: str, kind: int) -> None:
    body = {"filter": 'displayName sw "s"', "attributes": ["displayName"], "startIndex": 1, "count": 10}
    answer = await client.post(path, json=body)
    assert (answer.status_code, answer.text) == (200, LIST_JSON)
    assert channel.last.request == pb.SearchResourcesRequest(
        context=pb.IngestContext(directory="key-1", base_url=BASE),
        resource_type=kind,
        filter='displayName sw "s"',
        start_index=1,
        count=10,
        projection=pb.Projection(attributes=["displayName"]),
    )
