"""The client of the service: one authenticated channel, typed stubs, and a watch that resumes."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from directorysync import credentials, errors
from directorysync.v1 import directory_admin_pb2_grpc, directory_ingest_pb2_grpc, directory_sync_pb2_grpc
from directorysync.v1.directory_sync_pb2 import WatchStart
from directorysync.v1.events_pb2 import EventFilter
from directorysync.watch import EventBatch, Watch, WatchSettings

MAX_MESSAGE_BYTES = 64 * 1024 * 1024

_READS = (
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
)
_SYNC = "directorysync.v1.DirectorySync"
_INGEST = "directorysync.v1.DirectoryIngest"
_ADMIN = "directorysync.v1.DirectoryAdmin"

# Only reads are sent again: a write that got no answer may have been carried out. Watch resumes with its cursor.
SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": _SYNC, "method": method} for method in _READS],
            "timeout": "5s",
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.05s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        },
        {"name": [{"service": _SYNC, "method": "WatchEvents"}]},
        {"name": [{"service": _INGEST}, {"service": _ADMIN}], "timeout": "5s"},
        {"name": [{"service": _ADMIN, "method": "DeleteDirectory"}], "timeout": "60s"},
    ]
}

CHANNEL_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
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


class Client:
    """A connection to the service. `sync`, `ingest` and `admin` are its three interfaces, typed by the contract; their
    unary calls raise `DirectorySyncError`. Use it in one event loop, and as a context manager or with `close()`.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self.sync = directory_sync_pb2_grpc.DirectorySyncStub(channel)
        self.ingest = directory_ingest_pb2_grpc.DirectoryIngestStub(channel)
        self.admin = directory_admin_pb2_grpc.DirectoryAdminStub(channel)

    @classmethod
    def connect(
        cls,
        address: str | None = None,
        api_key: str | None = None,
        *,
        tls: credentials.Tls | bool | None = None,
    ) -> Self:
        """Connects lazily: the first call opens the connection. What is not given is found as
        `directorysync.credentials.resolve` describes. Call it inside a running event loop.
        """
        connection = credentials.resolve(address, api_key, tls)
        interceptors: list[grpc.aio.ClientInterceptor] = [_Unary(connection.api_key), _Stream(connection.api_key)]
        if connection.tls is None:
            channel = grpc.aio.insecure_channel(connection.address, CHANNEL_OPTIONS, interceptors=interceptors)
        else:
            channel = grpc.aio.secure_channel(
                connection.address, connection.tls.channel_credentials(), CHANNEL_OPTIONS, interceptors=interceptors
            )
        return cls(channel)

    def watch(
        self,
        *,
        filter: EventFilter | None = None,  # noqa: A002 - the contract's own name
        start: WatchStart | None = None,
        max_batch_size: int = 0,
        bookmark_interval: float = 15.0,
        give_up_after: float | None = None,
    ) -> AsyncGenerator[EventBatch]:
        """Every event behind `start` (default: from now on), then each new one, in order, whole commands at a time.

        Breaks of any kind are healed by reconnecting behind the last batch, after at most 5 s, for as long as it takes
        or until `give_up_after` seconds without a connection. The first batch is empty and says where the watch began.
        A stream without a message for three times `bookmark_interval` (1 to 300 s) counts as broken.

        Raises CursorExpired and CursorDiverged when the events behind the cursor are gone, CursorInvalid, and
        CredentialsInvalid or ScopeMissing when the key is not good for this.
        """
        settings = WatchSettings(filter, max_batch_size, bookmark_interval, give_up_after)
        return Watch(self.sync, start, settings).batches()

    async def close(self) -> None:
        """Cancels what is under way and closes the connection."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


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
