"""A channel without a service: it records each call and answers with what the test prepared."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from directorysync.v1 import directory_ingest_pb2 as pb

USER_JSON = '{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"directory_user_1","userName":"ada"}'
LOCATION = "http://gateway.test/scim/v2/key-1/Users/directory_user_1"
RESOURCE = pb.ResourceDocument(id="directory_user_1", document_json=USER_JSON, etag='W/"7"', location=LOCATION)
LIST_JSON = '{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":[]}'

Reply = Message | Exception | Callable[[Any], Awaitable[Message]]


@dataclass
class Call:
    method: str
    request: Any
    metadata: dict[str, str]
    timeout: float | None


@dataclass
class FakeChannel:
    """`replies` by method name: a message, an error to raise, or an async function of the request; `streams` too."""

    replies: dict[str, Reply] = field(default_factory=dict)
    streams: dict[str, Callable[[Any], AsyncGenerator[Message]]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.replies = {
            "CreateResource": pb.CreateResourceResponse(resource=RESOURCE),
            "GetResource": pb.GetResourceResponse(resource=RESOURCE),
            "ReplaceResource": pb.ReplaceResourceResponse(resource=RESOURCE, changed=True),
            "PatchResource": pb.PatchResourceResponse(resource=RESOURCE, changed=True),
            "DeleteResource": pb.DeleteResourceResponse(),
            "SearchResources": pb.SearchResourcesResponse(list_json=LIST_JSON),
            "GetDiscovery": pb.GetDiscoveryResponse(document_json='{"patch":{"supported":true}}'),
            **self.replies,
        }

    def unary_unary(self, path: str, **_: Any) -> Callable[..., Awaitable[Message]]:
        name = path.rpartition("/")[2]

        async def call(request: Message, *, metadata: Any = (), timeout: float | None = None) -> Message:
            self.calls.append(Call(name, request, dict(metadata), timeout))
            reply = self.replies[name]
            if isinstance(reply, Exception):
                raise reply
            return reply if isinstance(reply, Message) else await reply(request)

        return call

    def unary_stream(self, path: str, **_: Any) -> Callable[..., Any]:
        name = path.rpartition("/")[2]

        def call(request: Message, *, metadata: Any = (), timeout: float | None = None) -> Any:
            self.calls.append(Call(name, request, dict(metadata), timeout))
            return self.streams[name](request)

        return call

    def stream_stream(self, path: str, **_: Any) -> Callable[..., Any]:
        def call(*_args: Any, **_kwargs: Any) -> Any:
            raise AssertionError(f"{path} was not expected")

        return call

    @property
    def last(self) -> Call:
        return self.calls[-1]


def rpc_error(
    code: grpc.StatusCode,
    reason: str | None = None,
    details: str = "",
    *,
    retry: tuple[int, int] | None = None,
    domain: str = "directorysync.v1",
    metadata: dict[str, str] | None = None,
) -> grpc.aio.AioRpcError:
    """An error as the service ends a call with it; `retry` is the delay as (seconds, nanos)."""
    status = Status(code=code.value[0], message=details)
    if reason is not None:
        status.details.add().Pack(ErrorInfo(reason=reason, domain=domain, metadata=metadata or {"a": "b"}))
    if retry is not None:
        delay = RetryInfo()
        delay.retry_delay.seconds, delay.retry_delay.nanos = retry
        status.details.add().Pack(delay)
    trailing = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details=details)
