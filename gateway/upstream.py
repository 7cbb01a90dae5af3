"""The one way to the service: stubs over any channel, the caller's credential, a deadline, one kind of error."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, TypeVar

import grpc

from directorysync.v1.directory_admin_pb2_grpc import DirectoryAdminStub
from directorysync.v1.directory_ingest_pb2_grpc import DirectoryIngestStub
from directorysync.v1.directory_sync_pb2_grpc import DirectorySyncStub
from gateway.config import GatewayConfig
from gateway.problems import problem_of

_Q = TypeVar("_Q")
_R = TypeVar("_R")

_MEBIBYTE = 1024 * 1024
_READS = (
    *(("DirectoryIngest", method) for method in ("GetResource", "SearchResources", "GetDiscovery")),
    *(("DirectorySync", method) for method in ("GetDirectory", "ListDirectories", "ListEvents", "ResolveMemberships")),
    *(("DirectorySync", method) for method in ("GetUser", "BatchGetUsers", "LookupUsers", "ListUsers")),
    *(("DirectorySync", method) for method in ("GetGroup", "ListGroups", "ListGroupMembers", "ListUserGroups")),
    ("DirectorySync", "BatchListUserGroups"),
)
# Only reads are repeated: a write that broke off may have been carried out.
_RETRIES = {
    "methodConfig": [
        {
            "name": [{"service": f"directorysync.v1.{service}", "method": method} for service, method in _READS],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.05s",
                "maxBackoff": "0.5s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}

CHANNEL_OPTIONS: Final[tuple[tuple[str, int | str], ...]] = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # A page holds up to 1,000 resources; the default of 4 MiB would cut it off.
    ("grpc.max_receive_message_length", 64 * _MEBIBYTE),
    ("grpc.max_send_message_length", 8 * _MEBIBYTE),
    ("grpc.service_config", json.dumps(_RETRIES)),
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose call it is: the credential as it came, and the id of the request in every log."""

    token: str = field(repr=False)
    request_id: str
    idempotency_key: str = ""

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """gRPC metadata of a call."""
        pairs = ("authorization", "Bearer " + self.token), ("x-request-id", self.request_id)
        return (*pairs, ("idempotency-key", self.idempotency_key)) if self.idempotency_key else pairs


class Upstream:
    """Stubs of the three services over one channel: a gRPC channel, or one that stays in the process.

    A stub is made when a room first asks for it, so a channel needs only the services whose rooms are open.
    """

    def __init__(self, channel: grpc.aio.Channel, deadline: float) -> None:
        self.deadline = deadline
        self._channel = channel

    @cached_property
    def ingest(self) -> DirectoryIngestStub:
        """Commands and SCIM-shaped reads."""
        return DirectoryIngestStub(self._channel)

    @cached_property
    def sync(self) -> DirectorySyncStub:
        """Look-ups and events."""
        return DirectorySyncStub(self._channel)

    @cached_property
    def admin(self) -> DirectoryAdminStub:
        """Organizations, directories and credentials."""
        return DirectoryAdminStub(self._channel)

    async def call(self, method: grpc.aio.UnaryUnaryMultiCallable[_Q, _R], request: _Q, caller: Caller) -> _R:
        """One unary call in the caller's name, within `deadline` seconds. Raises Problem."""
        try:
            return await method(request, metadata=caller.metadata(), timeout=self.deadline)
        except grpc.RpcError as error:
            raise problem_of(error) from error

    async def stream(
        self, method: grpc.aio.UnaryStreamMultiCallable[_Q, _R], request: _Q, caller: Caller
    ) -> AsyncGenerator[_R]:
        """A stream in the caller's name, without a deadline; closing the generator ends the call. Raises Problem."""
        call = method(request, metadata=caller.metadata())
        try:
            async for message in call:
                yield message
        except grpc.RpcError as error:
            raise problem_of(error) from error
        finally:
            # A channel's call is cancelled, one that stays in the process is a generator.
            if hasattr(call, "cancel"):
                call.cancel()
            elif hasattr(call, "aclose"):
                await call.aclose()


def open_channel(config: GatewayConfig) -> grpc.aio.Channel:
    """A gRPC channel to `service_target`, with TLS when a CA is set. Connects by itself; close it with `close()`."""
    if config.service_ca_file is None:
        return grpc.aio.insecure_channel(config.service_target, options=CHANNEL_OPTIONS)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=_read(config.service_ca_file),
        private_key=_read(config.service_key_file),
        certificate_chain=_read(config.service_cert_file),
    )
    return grpc.aio.secure_channel(config.service_target, credentials, options=CHANNEL_OPTIONS)


def _read(path: str | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()
