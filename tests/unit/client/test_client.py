"""Unary calls: the credential that is sent, what is tried again, and the errors that come back."""

from collections.abc import Callable

import grpc
import pytest

from directorysync import Client, errors
from directorysync.v1.directory_sync_pb2 import GetServerInfoRequest
from tests.unit.client.fake_service import UNAVAILABLE, End, FakeDirectorySync

CANCELLED = End(grpc.StatusCode.CANCELLED)


def failing(times: int, end: End) -> Callable[[], End | None]:
    """Answers with `end` so many times, then well."""
    ends = [end] * times
    return lambda: ends.pop() if ends else None


async def test_api_key_is_presented(service: FakeDirectorySync, client: Client) -> None:
    assert (await client.sync.GetServerInfo(GetServerInfoRequest())).version == "fake"
    assert service.credentials == ["Bearer sk_test"]


async def test_metadata_of_the_caller_is_kept(service: FakeDirectorySync, client: Client) -> None:
    await client.sync.GetServerInfo(GetServerInfoRequest(), metadata=(("x-request-id", "r1"),))
    assert service.credentials == ["Bearer sk_test"]


@pytest.mark.parametrize("end", [UNAVAILABLE, CANCELLED], ids=["unavailable", "cancelled"])
async def test_read_is_sent_again_while_the_server_goes_away(
    service: FakeDirectorySync, client: Client, end: End
) -> None:
    service.unary = failing(3, end)
    assert (await client.sync.GetServerInfo(GetServerInfoRequest())).version == "fake"
    assert service.unary_calls == 4


async def test_read_that_the_server_keeps_cancelling_is_unavailable(service: FakeDirectorySync, client: Client) -> None:
    service.unary = failing(4, CANCELLED)
    with pytest.raises(errors.Unavailable):
        await client.sync.GetServerInfo(GetServerInfoRequest())


async def test_read_is_not_sent_again_for_other_errors(service: FakeDirectorySync, client: Client) -> None:
    service.unary = failing(1, End(grpc.StatusCode.INTERNAL, "INTERNAL", request_id="req_7"))
    with pytest.raises(errors.ServiceFault) as raised:
        await client.sync.GetServerInfo(GetServerInfoRequest())
    assert raised.value.request_id == "req_7"
    assert service.unary_calls == 1


@pytest.mark.parametrize(
    ("end", "kind", "builtin"),
    [
        (End(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"), errors.CredentialsInvalid, Exception),
        (End(grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING", scope="read"), errors.ScopeMissing, PermissionError),
        (End(grpc.StatusCode.PERMISSION_DENIED, "SCIM_SENSITIVE"), errors.PermissionDenied, PermissionError),
        (End(grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND", id="x"), errors.NotFound, LookupError),
        (End(grpc.StatusCode.ALREADY_EXISTS, "UNIQUENESS"), errors.AlreadyExists, Exception),
        (End(grpc.StatusCode.ABORTED, "VERSION_MISMATCH"), errors.VersionMismatch, Exception),
        (End(grpc.StatusCode.INVALID_ARGUMENT, "SCIM_INVALID_FILTER"), errors.InvalidArgument, ValueError),
        (End(grpc.StatusCode.FAILED_PRECONDITION, "DIRECTORY_DISABLED"), errors.FailedPrecondition, Exception),
        (End(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", retry=2), errors.Overloaded, Exception),
        (End(grpc.StatusCode.DEADLINE_EXCEEDED), errors.DeadlineExceeded, TimeoutError),
        (End(grpc.StatusCode.OUT_OF_RANGE, "A_REASON_OF_THE_FUTURE"), errors.DirectorySyncError, Exception),
    ],
    ids=lambda value: value.reason or value.code.name if isinstance(value, End) else "",
)
async def test_error_has_the_type_of_its_reason(
    service: FakeDirectorySync, client: Client, end: End, kind: type[errors.DirectorySyncError], builtin: type
) -> None:
    service.unary = failing(1, end)
    with pytest.raises(kind) as raised:
        await client.sync.GetServerInfo(GetServerInfoRequest())
    error = raised.value
    assert isinstance(error, builtin)
    assert (error.reason, error.code, error.metadata) == (end.reason, end.code, end.metadata)
    assert error.message == str(error) == f"{end.reason or end.code.name}!"
    assert error.retry_after == (end.retry or None)


async def test_unreachable_server_is_unavailable(unused_port: int) -> None:
    async with Client.connect(f"127.0.0.1:{unused_port}", "sk_test") as client:
        with pytest.raises(errors.Unavailable):
            await client.sync.GetServerInfo(GetServerInfoRequest())
