"""The channel of the client: which calls are tried again, how long they may take, the credential, typed errors."""

import json
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

import grpc

from directorysync import credentials, errors

MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
DEADLINE: Final = "5s"
LONG_DEADLINE: Final = "60s"

# Only reads are sent again: a write that got no answer may have been carried out. Watches resume with their cursor.
READS: Final[Mapping[str, tuple[str, ...]]] = {
    "directorysync.v1.DirectorySync": (
        "GetServerInfo",
        "GetDirectory",
        "ListDirectories",
        "GetUser",
        "BatchGetUsers",
        "LookupUsers",
        "ListUsers",
        "GetGroup",
        "ListGroups",
        "ListGroupMembers",
        "ListUserGroups",
        "ListEvents",
        "ListMemberships",
        "BatchListUserGroups",
        "ResolveMemberships",
    ),
    "directorysync.v1.DirectoryIngest": ("GetResource", "SearchResources", "GetDiscovery"),
    "directorysync.v1.DirectoryAdmin": (
        "GetOrganization",
        "ListOrganizations",
        "ListDirectoryTokens",
        "ListApiKeys",
        "ListDiagnostics",
        "GetEventLog",
        "GetSubscription",
        "ListSubscriptions",
        "GetWebhookEndpoint",
        "ListWebhookEndpoints",
        "ListWebhookDeliveries",
        "GetWebhookDelivery",
        "ListWebhookReplays",
        "ListWebhookTargets",
        "GetPortalSession",
    ),
}
STREAMS: Final = ("WatchEvents", "Subscribe")
_SLOW_WRITES: Final = (("directorysync.v1.DirectoryAdmin", "DeleteDirectory"),)


def service_config() -> dict[str, Any]:
    """Deadlines for every unary call, retries for reads. gRPC takes the most exact entry that fits a method."""
    names = [{"service": service, "method": method} for service, methods in READS.items() for method in methods]
    retries = {
        "maxAttempts": 4,
        "initialBackoff": "0.05s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        # A server that goes away may cancel a read which it has begun.
        "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
    }
    return {
        "methodConfig": [
            {"name": names, "timeout": DEADLINE, "retryPolicy": retries},
            {"name": [{"service": next(iter(READS)), "method": method} for method in STREAMS]},
            {"name": [{"service": service} for service in READS], "timeout": DEADLINE},
            {
                "name": [{"service": service, "method": method} for service, method in _SLOW_WRITES],
                "timeout": LONG_DEADLINE,
            },
        ]
    }


CHANNEL_OPTIONS: Final[tuple[tuple[str, Any], ...]] = (
    ("grpc.service_config", json.dumps(service_config())),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


def open_channel(connection: credentials.Connection) -> grpc.aio.Channel:
    """A lazy channel that presents the key. Needs a running event loop; OSError when a TLS file cannot be read."""
    key = connection.api_key
    interceptors: list[grpc.aio.ClientInterceptor] = [_Unary(key), _Stream(key), _Duplex(key)]
    if connection.tls is None:
        return grpc.aio.insecure_channel(connection.address, CHANNEL_OPTIONS, interceptors=interceptors)
    return grpc.aio.secure_channel(
        connection.address, connection.tls.channel_credentials(), CHANNEL_OPTIONS, interceptors=interceptors
    )


def _authorized(details: grpc.aio.ClientCallDetails, api_key: str | None) -> grpc.aio.ClientCallDetails:
    if api_key is None:
        return details
    metadata = grpc.aio.Metadata(*(details.metadata or ()), ("authorization", f"Bearer {api_key}"))
    return grpc.aio.ClientCallDetails(
        details.method, details.timeout, metadata, details.credentials, details.wait_for_ready
    )


class _Unary(grpc.aio.UnaryUnaryClientInterceptor):
    """Presents the key and gives errors their type."""

    def __init__(self, api_key: str | None) -> None:
        self._api_key = api_key

    async def intercept_unary_unary(
        self,
        continuation: Callable[
            [grpc.aio.ClientCallDetails, _Request], Awaitable[grpc.aio.UnaryUnaryCall[_Request, _Response]]
        ],
        client_call_details: grpc.aio.ClientCallDetails,
        request: _Request,
    ) -> grpc.aio.UnaryUnaryCall[_Request, _Response]:
        call = await continuation(_authorized(client_call_details, self._api_key), request)
        try:
            await call
        except grpc.aio.AioRpcError as error:
            raise errors.from_rpc_error(error) from error
        return call


class _Stream(grpc.aio.UnaryStreamClientInterceptor):
    """Presents the key."""

    def __init__(self, api_key: str | None) -> None:
        self._api_key = api_key

    async def intercept_unary_stream(
        self,
        continuation: Callable[
            [grpc.aio.ClientCallDetails, _Request], Awaitable[grpc.aio.UnaryStreamCall[_Request, _Response]]
        ],
        client_call_details: grpc.aio.ClientCallDetails,
        request: _Request,
    ) -> grpc.aio.UnaryStreamCall[_Request, _Response]:
        return await continuation(_authorized(client_call_details, self._api_key), request)


class _Duplex(grpc.aio.StreamStreamClientInterceptor):
    """Presents the key."""

    def __init__(self, api_key: str | None) -> None:
        self._api_key = api_key

    async def intercept_stream_stream(
        self,
        continuation: Callable[
            [grpc.aio.ClientCallDetails, AsyncIterable[_Request] | Iterable[_Request]],
            Awaitable[grpc.aio.StreamStreamCall[_Request, _Response]],
        ],
        client_call_details: grpc.aio.ClientCallDetails,
        request_iterator: AsyncIterable[_Request] | Iterable[_Request],
    ) -> grpc.aio.StreamStreamCall[_Request, _Response]:
        return await continuation(_authorized(client_call_details, self._api_key), request_iterator)
