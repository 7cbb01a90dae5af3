"""Paths, methods and the answers that need no service."""

import httpx
import pytest

from directorysync.v1 import directory_ingest_pb2 as pb
from gateway.config import GatewayConfig
from gateway.problems import ERROR_SCHEMA
from tests.unit.gateway.conftest import BASE, MakeClient
from tests.unit.gateway.fake_upstream import FakeChannel

CONFIG = pb.DISCOVERY_DOCUMENT_SERVICE_PROVIDER_CONFIG
TYPES = pb.DISCOVERY_DOCUMENT_RESOURCE_TYPES
SCHEMAS = pb.DISCOVERY_DOCUMENT_SCHEMAS
USER_URN = "urn:ietf:params:scim:schemas:core:2.0:User"


def assert_scim_error(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/scim+json"
    body = answer.json()
    assert (body["schemas"], body["status"]) == ([ERROR_SCHEMA], str(status))
    assert body["detail"]


@pytest.mark.parametrize(
    "path", ["/users/1", "/USERS/1/", "//Users//1", "/Users/1?", "/Users/%31", "/Users/1?aadOptscim062020"]
)
async def test_case_slashes_and_encoding_of_a_path_do_not_matter(
    client: httpx.AsyncClient, channel: FakeChannel, path: str
) -> None:
    assert (await client.get(BASE + path)).status_code == 200
    assert (channel.last.method, channel.last.request.id) == ("GetResource", "1")


async def test_an_encoded_slash_stays_inside_its_segment(client: httpx.AsyncClient, channel: FakeChannel) -> None:
    await client.get("/Users/a%2Fb%20c")
    assert channel.last.request.id == "a/b c"


@pytest.mark.parametrize(
    ("path", "document", "name"),
    [
        ("", CONFIG, ""),
        ("/", CONFIG, ""),
        ("/?aadOptscim062020=true", CONFIG, ""),
        ("/ServiceProviderConfig", CONFIG, ""),
        ("/serviceproviderconfig/", CONFIG, ""),
        ("/ResourceTypes", TYPES, ""),
        ("/ResourceTypes/User", TYPES, "User"),
        ("/Schemas", SCHEMAS, ""),
        (f"/Schemas/{USER_URN}", SCHEMAS, USER_URN),
        (f"/Schemas/{USER_URN.replace(':', '%3A')}", SCHEMAS, USER_URN),
    ],
)
async def test_discovery(
    client: httpx.AsyncClient, channel: FakeChannel, path: str, document: pb.DiscoveryDocument.ValueType, name: str
) -> None:
    answer = await client.get(BASE + path)
    assert (answer.status_code, answer.json()) == (200, {"patch": {"supported": True}})
    assert answer.headers["content-type"] == "application/scim+json"
    context = pb.IngestContext(directory="key-1", base_url=BASE)
    assert channel.last.request == pb.GetDiscoveryRequest(context=context, document=document, id=name)


async def test_a_filter_on_discovery_is_refused(client: httpx.AsyncClient, channel: FakeChannel) -> None:
    assert_scim_error(await client.get("/Schemas", params={"filter": 'id eq "x"'}), 403)
    assert not channel.calls


async def test_a_filter_on_the_base_path_searches_everything(client: httpx.AsyncClient, channel: FakeChannel) -> None:
    assert (await client.get(BASE, params={"filter": 'displayName eq "x"'})).status_code == 200
    assert (channel.last.method, channel.last.request.resource_type) == ("SearchResources", 0)


@pytest.mark.parametrize(
    "path",
    [
        "/Devices",
        "/ServiceProviderConfigs",
        "/ServiceProviderConfig/x",
        "/Users/1/emails",
        "/Bulk/1",
        "/..",
        "/Users/.search/x",
    ],
)
async def test_an_unknown_endpoint_is_404(client: httpx.AsyncClient, channel: FakeChannel, path: str) -> None:
    assert_scim_error(await client.get(BASE + path), 404)
    assert not channel.calls


@pytest.mark.parametrize("path", ["/scim", "/scim/v2", "/scim/v2/", "/scim/v3/key-1/Users", "/SCIM/v3"])
async def test_below_scim_every_wrong_path_is_a_scim_error(client: httpx.AsyncClient, path: str) -> None:
    assert_scim_error(await client.get(f"http://gateway.test{path}"), 404)


@pytest.mark.parametrize(("method", "path"), [("GET", "/Me"), ("PATCH", "/me/")])
async def test_me_is_not_offered(client: httpx.AsyncClient, method: str, path: str) -> None:
    assert_scim_error(await client.request(method, path), 501)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/Users", "GET, POST, HEAD, OPTIONS"),
        ("DELETE", "/Groups", "GET, POST, HEAD, OPTIONS"),
        ("POST", "/Users/1", "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"),
        ("GET", "/Users/.search", "POST, OPTIONS"),
        ("HEAD", "/.search", "POST, OPTIONS"),
        ("POST", "/Schemas", "GET, HEAD, OPTIONS"),
        ("POST", "", "GET, HEAD, OPTIONS"),
        ("PROPFIND", "/Users", "GET, POST, HEAD, OPTIONS"),
    ],
)
async def test_a_method_that_a_path_lacks_is_405_with_those_it_has(
    client: httpx.AsyncClient, channel: FakeChannel, method: str, path: str, allow: str
) -> None:
    answer = await client.request(method, BASE + path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert method == "HEAD" or answer.json()["status"] == "405"
    assert not channel.calls


async def test_options_names_the_methods(client: httpx.AsyncClient) -> None:
    answer = await client.options("/Users")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == "GET, POST, HEAD, OPTIONS"


@pytest.mark.parametrize("path", ["", "/Users", "/Users/1", "/Schemas"])
async def test_head_answers_as_get_does_without_the_body(client: httpx.AsyncClient, path: str) -> None:
    head, get = await client.head(BASE + path), await client.get(BASE + path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "etag", "location"):
        assert head.headers.get(name) == get.headers.get(name)


@pytest.mark.parametrize("key", ["a.b", "key 1", "ké", "x" * 129])
async def test_a_key_that_no_directory_can_have_is_refused_like_an_unknown_one(
    client: httpx.AsyncClient, channel: FakeChannel, key: str
) -> None:
    assert_scim_error(await client.get(f"http://gateway.test/scim/v2/{key}/Users"), 401)
    assert not channel.calls


@pytest.mark.parametrize(
    ("settings", "headers", "base_url"),
    [
        ({}, {}, "http://gateway.test/scim/v2/key-1"),
        ({}, {"host": "[::1]:8080"}, "http://[::1]:8080/scim/v2/key-1"),
        ({}, {"x-forwarded-proto": "https", "x-forwarded-host": "evil.test"}, "http://gateway.test/scim/v2/key-1"),
        (
            {"trust_forwarded": True},
            {"x-forwarded-proto": "https, http", "x-forwarded-host": "scim.example.com, inner"},
            "https://scim.example.com/scim/v2/key-1",
        ),
        ({"trust_forwarded": True}, {"x-forwarded-proto": "gopher"}, "http://gateway.test/scim/v2/key-1"),
        ({"public_url": "https://dir.example.com/sync"}, {}, "https://dir.example.com/sync/scim/v2/key-1"),
    ],
)
async def test_the_base_url_is_the_one_the_client_sees(
    make_client: MakeClient, channel: FakeChannel, settings: dict[str, object], headers: dict[str, str], base_url: str
) -> None:
    client = make_client(config=GatewayConfig(**settings))  # type: ignore[arg-type]
    await client.get("/Users/1", headers=headers)
    assert channel.last.request.context.base_url == base_url


@pytest.mark.parametrize("host", ["a b", "x/y", "user@host", "h:port", ""])
async def test_a_host_that_is_none_is_refused(client: httpx.AsyncClient, channel: FakeChannel, host: str) -> None:
    assert_scim_error(await client.get("/Users/1", headers={"host": host}), 400)
    assert not channel.calls
