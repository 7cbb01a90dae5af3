"""Failures as SCIM clients see them."""

import grpc
import httpx
import pytest

from directorysync.v1.errors_pb2 import ErrorReason
from gateway.problems import ERROR_SCHEMA, RULES
from tests.unit.gateway.fake_upstream import FakeChannel, rpc_error

SCIM_TYPES = {
    "invalidFilter", "tooMany", "uniqueness", "mutability", "invalidSyntax", "invalidPath", "noTarget", "invalidValue",
    "invalidVers", "sensitive", "invalidCursor", "expiredCursor", "invalidCount",
}  # fmt: skip


def test_every_reason_has_a_rule_and_no_rule_lacks_a_reason() -> None:
    assert set(RULES) == set(ErrorReason.values())


def test_every_scim_type_of_the_rfcs_is_reachable() -> None:
    assert {rule.scim_type for rule in RULES.values()} - {None} == SCIM_TYPES


@pytest.mark.parametrize(
    ("code", "reason", "status", "scim_type"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID", 401, None),
        (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING", 403, None),
        (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND", 404, None),
        (grpc.StatusCode.ALREADY_EXISTS, "UNIQUENESS", 409, "uniqueness"),
        (grpc.StatusCode.ABORTED, "VERSION_MISMATCH", 412, None),
        (grpc.StatusCode.INVALID_ARGUMENT, "SCIM_INVALID_FILTER", 400, "invalidFilter"),
        (grpc.StatusCode.FAILED_PRECONDITION, "SCIM_MUTABILITY", 400, "mutability"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED", 413, None),
        (grpc.StatusCode.FAILED_PRECONDITION, "DIRECTORY_DISABLED", 403, None),
        (grpc.StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED", 501, None),
    ],
)
async def test_an_error_of_the_service_becomes_a_scim_error(
    client: httpx.AsyncClient,
    channel: FakeChannel,
    code: grpc.StatusCode,
    reason: str,
    status: int,
    scim_type: str | None,
) -> None:
    channel.replies["GetResource"] = rpc_error(code, reason, "what went wrong")
    answer = await client.get("/Users/1")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/scim+json"
    expected = {"schemas": [ERROR_SCHEMA], "status": str(status), "detail": "what went wrong"}
    assert answer.json() == (expected if scim_type is None else {**expected, "scimType": scim_type})


async def test_a_refused_credential_says_how_to_authenticate(client: httpx.AsyncClient, channel: FakeChannel) -> None:
    channel.replies["GetResource"] = rpc_error(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID", "no")
    assert (await client.get("/Users/1")).headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("code", "reason", "retry", "status", "seconds"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", (3, 0), 429, "3"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", (0, 200_000_000), 429, "1"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", (2, 1), 429, "3"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", None, 429, "1"),
        (grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING", (7, 0), 503, "7"),
        (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE", None, 503, "5"),
        (grpc.StatusCode.UNAVAILABLE, None, None, 503, "5"),
    ],
)
async def test_when_to_try_again_is_a_whole_number_of_seconds(
    client: httpx.AsyncClient,
    channel: FakeChannel,
    code: grpc.StatusCode,
    reason: str | None,
    retry: tuple[int, int] | None,
    status: int,
    seconds: str,
) -> None:
    channel.replies["CreateResource"] = rpc_error(code, reason, "busy", retry=retry)
    answer = await client.post("/Users", content="{}")
    assert (answer.status_code, answer.headers["retry-after"]) == (status, seconds)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (grpc.StatusCode.DEADLINE_EXCEEDED, 504),
        (grpc.StatusCode.UNAVAILABLE, 503),
        (grpc.StatusCode.CANCELLED, 503),
        (grpc.StatusCode.INVALID_ARGUMENT, 400),
        (grpc.StatusCode.UNIMPLEMENTED, 501),
        (grpc.StatusCode.UNKNOWN, 500),
        (grpc.StatusCode.DATA_LOSS, 500),
    ],
)
async def test_a_failure_on_the_way_keeps_its_text_to_itself(
    client: httpx.AsyncClient, channel: FakeChannel, code: grpc.StatusCode, status: int
) -> None:
    channel.replies["GetResource"] = rpc_error(code, None, "failed to connect to ipv4:10.0.0.7:50051")
    answer = await client.get("/Users/1")
    assert (answer.status_code, answer.json()["status"]) == (status, str(status))
    assert "10.0.0.7" not in answer.text


@pytest.mark.parametrize(
    "error",
    [
        rpc_error(grpc.StatusCode.INTERNAL, "INTERNAL", "relation app_user does not exist"),
        rpc_error(grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND", "relation app_user", domain="elsewhere.test"),
        rpc_error(grpc.StatusCode.INVALID_ARGUMENT, "A_REASON_OF_TOMORROW", "relation app_user"),
        RuntimeError("relation app_user does not exist"),
    ],
    ids=["internal", "another domain", "unknown reason", "not an rpc error"],
)
async def test_a_fault_is_answered_without_its_text(
    client: httpx.AsyncClient, channel: FakeChannel, error: Exception
) -> None:
    channel.replies["GetResource"] = error
    answer = await client.get("/Users/1", headers={"x-request-id": "find-me"})
    assert answer.headers["content-type"] == "application/scim+json"
    assert "app_user" not in answer.text
    assert answer.status_code in {400, 404} or "find-me" in answer.json()["detail"]
