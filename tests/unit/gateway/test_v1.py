"""SCIM 1.1 over HTTP: endpoints, media type, form of errors, and the version that the service is told."""

import grpc
import httpx
import pytest

from directorysync.v1 import directory_ingest_pb2 as pb
from tests.unit.gateway.conftest import BASE, MakeClient
from tests.unit.gateway.fake_upstream import FakeChannel, rpc_error

V1 = BASE.replace("/v2/", "/v1/")
CONTEXT = pb.IngestContext(directory="key-1", base_url=V1, scim_version=pb.SCIM_VERSION_1_1)
CONFIG = pb.DISCOVERY_DOCUMENT_SERVICE_PROVIDER_CONFIG
SCHEMAS = pb.DISCOVERY_DOCUMENT_SCHEMAS


def assert_error(answer: httpx.Response, status: int) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    body = answer.json()
    assert list(body) == ["Errors"]
    (error,) = body["Errors"]
    assert (list(error), error["code"]) == (["description", "code"], str(status))
    assert error["description"]


@pytest.mark.parametrize(
    ("method", "path", "call"),
    [
        ("POST", "/Users", "CreateResource"),
        ("GET", "/users/", "SearchResources"),
        ("GET", "/Users/1", "GetResource"),
        ("GET", "/Users.json", "SearchResources"),
        ("GET", "/Groups/1.json", "GetResource"),
        ("PUT", "/Groups/1", "ReplaceResource"),
        ("PATCH", "/Groups/1", "PatchResource"),
        ("DELETE", "/Users/1", "DeleteResource"),
    ],
)
async def test_the_service_is_told_the_version(
    client: httpx.AsyncClient, channel: FakeChannel, method: str, path: str, call: str
) -> None:
    answer = await client.request(method, V1 + path, content=b"{}" if method in {"POST", "PUT", "PATCH"} else None)
    assert answer.is_success
    assert (channel.last.method, channel.last.request.context) == (call, CONTEXT)
    assert not answer.content or answer.headers["content-type"] == "application/json"
    assert getattr(channel.last.request, "id", "") in {"", "1"}


async def test_2_0_says_nothing_of_its_version(client: httpx.AsyncClient, channel: FakeChannel) -> None:
    await client.get("/Users/1")
    assert channel.last.request.context == pb.IngestContext(directory="key-1", base_url=BASE)


@pytest.mark.parametrize(
    ("path", "document", "name"),
    [
        ("", CONFIG, ""),
        ("/ServiceProviderConfigs", CONFIG, ""),
        ("/serviceproviderconfigs.json", CONFIG, ""),
        ("/ServiceProviderConfig", CONFIG, ""),
        ("/Schemas", SCHEMAS, ""),
        ("/Schemas/Users", SCHEMAS, "Users"),
        ("/Schemas/urn:scim:schemas:core:1.0:Group", SCHEMAS, "urn:scim:schemas:core:1.0:Group"),
    ],
)
async def test_discovery(
    client: httpx.AsyncClient, channel: FakeChannel, path: str, document: pb.DiscoveryDocument.ValueType, name: str
) -> None:
    assert (await client.get(V1 + path)).status_code == 200
    assert channel.last.request == pb.GetDiscoveryRequest(context=CONTEXT, document=document, id=name)


@pytest.mark.parametrize(
    "path", ["/ResourceTypes", "/Me", "/.search", "/Devices", "/ServiceProviderConfigs/x", "/a/b/c"]
)
async def test_what_1_1_does_not_have_is_not_found(client: httpx.AsyncClient, channel: FakeChannel, path: str) -> None:
    assert_error(await client.get(V1 + path), 404)
    assert not channel.calls


async def test_bulk_is_not_offered(client: httpx.AsyncClient, channel: FakeChannel) -> None:
    assert_error(await client.post(f"{V1}/Bulk", content=b"{}"), 501)
    assert not channel.calls


@pytest.mark.parametrize(("override", "call"), [("PATCH", "PatchResource"), ("put", "ReplaceResource")])
async def test_a_post_does_what_its_override_says(
    client: httpx.AsyncClient, channel: FakeChannel, override: str, call: str
) -> None:
    answer = await client.post(f"{V1}/Users/1", content=b"{}", headers={"x-http-method-override": override})
    assert (answer.status_code, channel.last.method) == (200, call)


async def test_a_post_that_deletes(client: httpx.AsyncClient, channel: FakeChannel) -> None:
    answer = await client.post(f"{V1}/Users/1", headers={"x-http-method-override": "DELETE"})
    assert (answer.status_code, channel.last.method) == (204, "DeleteResource")


@pytest.mark.parametrize(
    ("method", "url", "override"),
    [("POST", f"{V1}/Users/1", "GET"), ("POST", f"{BASE}/Users/1", "PATCH"), ("PROPFIND", f"{V1}/Users/1", "PATCH")],
)
async def test_nothing_else_is_overridden(
    client: httpx.AsyncClient, channel: FakeChannel, method: str, url: str, override: str
) -> None:
    answer = await client.request(method, url, content=b"{}", headers={"x-http-method-override": override})
    assert answer.status_code == 405
    assert not channel.calls


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/scim+json"])
async def test_answers_are_plain_json(client: httpx.AsyncClient, accept: str | None) -> None:
    headers = {} if accept is None else {"accept": accept}
    assert (await client.get(f"{V1}/Users/1", headers=headers)).headers["content-type"] == "application/json"


async def test_xml_is_not_offered(client: httpx.AsyncClient) -> None:
    assert_error(await client.get(f"{V1}/Users/1", headers={"accept": "application/xml"}), 406)
    xml = {"content-type": "application/xml"}
    assert_error(await client.post(f"{V1}/Users", content=b"<User/>", headers=xml), 415)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [("/scim/v1", {}, 404), ("/SCIM/V1/key-1/Users", {"authorization": ""}, 401), ("/scim/v1/a.b/Users", {}, 401)],
)
async def test_every_failure_below_the_base_has_the_form_of_1_1(
    client: httpx.AsyncClient, path: str, headers: dict[str, str], status: int
) -> None:
    assert_error(await client.get(f"http://gateway.test{path}", headers=headers), status)


async def test_failures_of_the_service(make_client: MakeClient, channel: FakeChannel) -> None:
    channel.replies["GetResource"] = rpc_error(grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND", "no User x")
    channel.replies["SearchResources"] = RuntimeError("a secret")
    client = make_client()
    missing, failed = await client.get(f"{V1}/Users/x"), await client.get(f"{V1}/Users")
    assert_error(missing, 404)
    assert missing.json()["Errors"][0]["description"] == "no User x"
    assert_error(failed, 500)
    assert "secret" not in failed.text
    assert failed.headers["x-request-id"] in failed.text


async def test_a_method_that_a_path_lacks(client: httpx.AsyncClient) -> None:
    answer = await client.put(f"{V1}/Users", content=b"{}")
    assert_error(answer, 405)
    assert answer.headers["allow"] == "GET, POST, HEAD, OPTIONS"
