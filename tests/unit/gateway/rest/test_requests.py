"""What all routes share: credentials, bodies, errors, headers."""

from typing import Any

import grpc
import httpx
import pytest

from directorysync.v1 import directory_admin_pb2 as admin_pb
from directorysync.v1 import directory_sync_pb2 as pb
from directorysync.v1 import resources_pb2
from directorysync.v1.errors_pb2 import ErrorReason
from gateway.config import GatewayConfig
from gateway.problems import DOMAIN
from gateway.rest.errors import RULES
from gateway.rest.routes import ROUTES
from tests.unit.gateway.conftest import TOKEN, MakeClient
from tests.unit.gateway.fake_upstream import FakeChannel, rpc_error

ORGANIZATION = admin_pb.CreateOrganizationResponse(organization=resources_pb2.Organization(id="org_1", name="Acme"))
WRONG = {"message": "Something is wrong."}
PRIVATE = [route.template for route in ROUTES if not route.public]


def refused(reason: str, code: grpc.StatusCode, **metadata: str) -> grpc.aio.AioRpcError:
    return rpc_error(code, reason, "something is wrong", domain=DOMAIN, metadata=metadata)


@pytest.mark.parametrize("template", PRIVATE)
async def test_every_route_asks_for_a_key(rest: httpx.AsyncClient, channel: FakeChannel, template: str) -> None:
    route = next(one for one in ROUTES if one.template == template)
    for method in route.handlers:
        for headers in ({"authorization": ""}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer "}):
            answer = await rest.request(method, template, headers=headers)
            assert answer.status_code == 401
            assert answer.json()["message"]
            assert answer.headers["x-request-id"]
    assert not channel.calls


async def test_the_key_and_the_request_id_go_on(
    rest: httpx.AsyncClient, channel: FakeChannel, replies: dict[str, Any]
) -> None:
    replies["GetDirectory"] = pb.GetDirectoryResponse(directory=resources_pb2.Directory(id="directory_1"))
    answer = await rest.get("/directories/directory_1", headers={"x-request-id": "mine-1", "idempotency-key": "k"})
    assert answer.headers["x-request-id"] == "mine-1"
    assert answer.headers["content-type"] == "application/json"
    assert channel.last.metadata == {"authorization": f"Bearer {TOKEN}", "x-request-id": "mine-1"}


async def test_a_post_carries_its_idempotency_key(
    rest: httpx.AsyncClient, channel: FakeChannel, replies: dict[str, Any]
) -> None:
    replies["CreateOrganization"] = ORGANIZATION
    answer = await rest.post("/organizations", json={"name": "Acme"}, headers={"idempotency-key": "key 1"})
    assert answer.status_code == 201
    assert channel.last.metadata["idempotency-key"] == "key 1"


@pytest.mark.parametrize("key", ["x" * 256, "ä"])
async def test_an_idempotency_key_that_is_none_is_refused(
    rest: httpx.AsyncClient, channel: FakeChannel, key: str
) -> None:
    headers = [(b"idempotency-key", key.encode())]
    answer = await rest.post("/organizations", json={"name": "Acme"}, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert not channel.calls


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'"x"', None, 400),
        (b"\xff", "application/json", 400),
        (b'{"name":"\\ud800"}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"name=Acme", "application/x-www-form-urlencoded", 415),
        (b'{"name":"' + b"x" * 300_000 + b'"}', "application/json", 413),
        (b"{}", "application/json", 422),
        (b'{"name":null}', "application/json", 422),
        (b'{"name":""}', "application/json", 422),
        (b'{"name":1}', "application/json", 422),
        (b'{"name":"A","metadata":[]}', "application/json", 422),
        (b'{"name":"A","metadata":{"a":1}}', "application/json", 422),
        (b'{"name":"A","domains":"a.test"}', "application/json", 422),
        (b'{"name":"A","domain_data":[1]}', "application/json", 422),
        (b'{"name":"A","domain_data":[{"domain":"a.test","state":"failed"}]}', "application/json", 422),
        (b'{"name":"A","domain_data":[{"state":"verified"}]}', "application/json", 422),
    ],
)
async def test_a_bad_body_is_refused_and_nothing_is_done(
    rest: httpx.AsyncClient, channel: FakeChannel, body: bytes, content_type: str | None, status: int
) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    answer = await rest.post("/organizations", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.json()["message"]
    if status == 422:
        assert answer.json()["code"] == "invalid_request_parameters"
        assert {"code", "field", "message"} == answer.json()["errors"][0].keys()
    assert answer.json()["code"]
    assert not channel.calls


async def test_all_that_is_missing_is_named(rest: httpx.AsyncClient) -> None:
    answer = await rest.post("/webhook_endpoints", json={"events": []})
    assert [(one["code"], one["field"]) for one in answer.json()["errors"]] == [
        ("required", "endpoint_url"),
        ("required", "events"),
    ]


@pytest.mark.parametrize(
    ("path", "message"),
    [("/directory_users", "Needed: directory or group."), ("/directory_groups", "Needed: directory or user.")],
)
async def test_what_would_do_instead_is_named(rest: httpx.AsyncClient, path: str, message: str) -> None:
    answer = await rest.get(path)
    assert (answer.status_code, answer.json()["message"]) == (422, message)


async def test_unknown_fields_are_ignored(rest: httpx.AsyncClient, replies: dict[str, Any]) -> None:
    replies["CreateOrganization"] = ORGANIZATION
    body = {"name": "Acme", "allow_profiles_outside_organization": True, "x": {"y": [1]}}
    assert (await rest.post("/organizations", json=body)).status_code == 201


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (
            refused(
                "RESOURCE_NOT_FOUND", grpc.StatusCode.NOT_FOUND, resource_type="Organization", id="org_9"
            ),
            404,
            {"message": "Organization not found: 'org_9'.", "code": "entity_not_found", "entity_id": "org_9"},
        ),
        (
            refused("ARGUMENT_INVALID", grpc.StatusCode.INVALID_ARGUMENT, field="page_size"),
            422,
            {
                "message": "Something is wrong.",
                "code": "invalid_request_parameters",
                "errors": [{"code": "invalid", "field": "limit", "message": "Something is wrong."}],
            },
        ),
        (
            rpc_error(
                grpc.StatusCode.INVALID_ARGUMENT,
                "ARGUMENT_INVALID",
                "expire_time has passed already",
                metadata={"field": "expire_time"},
            ),
            422,
            {
                "message": "expires_at has passed already.",
                "code": "invalid_request_parameters",
                "errors": [{"code": "invalid", "field": "expires_at", "message": "expires_at has passed already."}],
            },
        ),
        (refused("SCOPE_MISSING", grpc.StatusCode.PERMISSION_DENIED), 403, WRONG | {"code": "forbidden"}),
        (refused("UNIQUENESS", grpc.StatusCode.ALREADY_EXISTS), 409, WRONG | {"code": "duplicate_entity"}),
        (
            refused("IDEMPOTENCY_KEY_REUSED", grpc.StatusCode.INVALID_ARGUMENT),
            422,
            WRONG | {"code": "idempotency_key_reused"},
        ),
        (refused("STORAGE_UNAVAILABLE", grpc.StatusCode.UNAVAILABLE), 503, WRONG),
    ],
)  # fmt: skip
async def test_failures_of_the_service_in_workos_form(
    rest: httpx.AsyncClient, replies: dict[str, Any], error: Exception, status: int, body: dict[str, Any]
) -> None:
    replies["GetOrganization"] = error
    answer = await rest.get("/organizations/org_9")
    assert (answer.status_code, answer.json()) == (status, body)


async def test_too_much_at_once_says_when_to_come_back(rest: httpx.AsyncClient, replies: dict[str, Any]) -> None:
    replies["GetOrganization"] = rpc_error(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "full", retry=(2, 0))
    answer = await rest.get("/organizations/org_9")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert answer.json()["code"] == "rate_limited"


async def test_more_requests_than_may_run_are_refused(make_client: MakeClient, channel: FakeChannel) -> None:
    client = make_client(config=GatewayConfig(max_in_flight=0))
    answer = await client.get("http://gateway.test/organizations")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert not channel.calls


@pytest.mark.parametrize(
    "path", ["/organizations/a/b", "/directories/a/b/c/d/e", "/events/x", "/organizations/a/it_contacts"]
)
async def test_an_unknown_path_is_404_as_an_object(rest: httpx.AsyncClient, path: str) -> None:
    answer = await rest.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "route_not_found")


async def test_an_id_that_cannot_be_one_is_404(rest: httpx.AsyncClient, channel: FakeChannel) -> None:
    assert (await rest.get(f"/directories/{'x' * 300}")).status_code == 404
    assert (await rest.get("/directories/a%00b")).status_code == 404
    assert not channel.calls


async def test_methods(rest: httpx.AsyncClient, replies: dict[str, Any]) -> None:
    answer = await rest.put("/directories")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST, HEAD, OPTIONS")
    assert answer.json() == {"message": "This path takes GET, POST, HEAD, OPTIONS.", "code": "method_not_allowed"}
    assert (await rest.options("/directories")).headers["allow"] == "GET, POST, HEAD, OPTIONS"
    replies["ListDirectories"] = pb.ListDirectoriesResponse()
    answer = await rest.head("/directories")
    assert (answer.status_code, answer.content) == (200, b"")


def test_every_reason_of_the_table_exists() -> None:
    assert {f"ERROR_REASON_{reason}" for reason in RULES} <= set(ErrorReason.keys())
