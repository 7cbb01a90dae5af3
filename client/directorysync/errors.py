"""Errors of the service as exceptions: one class for each thing that a caller may want to treat apart.

The service describes every error with google.rpc.ErrorInfo under the domain `directorysync.v1`; the reasons are listed
in `errors.proto`.
"""

from collections.abc import Mapping

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "directorysync.v1"


class DirectorySyncError(Exception):
    """A call that failed.

    `reason` is the name in errors.proto without its prefix, empty when the service itself never answered. `message` is
    for people. `retry_after` is in seconds, when the service named a time.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.code = code
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after

    @property
    def request_id(self) -> str | None:
        """Id under which the service logged the call, when it said so."""
        return self.metadata.get("request_id")


class CredentialsInvalid(DirectorySyncError):
    """No API key, or one that is unknown, revoked or expired."""


class PermissionDenied(DirectorySyncError, PermissionError):
    """The service knows the caller and refuses."""


class ScopeMissing(PermissionDenied):
    """The API key is good but was made for less."""


class NotFound(DirectorySyncError, LookupError):
    """There is no such resource, or none that the caller may see."""


class AlreadyExists(DirectorySyncError):
    """Another resource has this userName, displayName or key."""


class VersionMismatch(DirectorySyncError):
    """The version that the caller expected is not the current one."""


class InvalidArgument(DirectorySyncError, ValueError):
    """Part of the request is missing, malformed or too large."""


class CursorInvalid(InvalidArgument):
    """The cursor is not one of the service's, or was made for another scope."""


class CursorExpired(DirectorySyncError):
    """The cursor is older than what the service keeps: start anew."""

    @property
    def oldest_cursor(self) -> str | None:
        """Where the events that are still kept begin."""
        return self.metadata.get("oldest_cursor")


class CursorDiverged(DirectorySyncError):
    """The cursor belongs to a database that was replaced or rolled back: start anew."""


class FailedPrecondition(DirectorySyncError):
    """The state of the resource forbids the call, for example a directory that is disabled."""


class SubscriptionHeld(FailedPrecondition):
    """Another reader holds the subscription; `metadata["consumer"]` names it."""


class LeaseLost(DirectorySyncError):
    """Another reader took the subscription over, or it was reset or deleted; what is not acknowledged is its now."""


class IdempotencyKeyReused(InvalidArgument):
    """The idempotency key was used for another request."""


class LimitExceeded(DirectorySyncError):
    """A ceiling was reached; `metadata["limit"]` names it."""


class Overloaded(DirectorySyncError):
    """The write queue is full; try again after `retry_after` seconds."""


class ConsumerTooSlow(DirectorySyncError):
    """The reader of a stream did not read for too long. `Client.watch` resumes by itself."""


class Unavailable(DirectorySyncError, ConnectionError):
    """The service or its database cannot be reached, or is going away. A write may have been carried out."""


class DeadlineExceeded(DirectorySyncError, TimeoutError):
    """No answer in time. The call may or may not have been carried out."""


class ServiceFault(DirectorySyncError):
    """A fault of the service; its log has the details under `request_id`."""


_BY_REASON: dict[str, type[DirectorySyncError]] = {
    "CREDENTIALS_INVALID": CredentialsInvalid,
    "SCOPE_MISSING": ScopeMissing,
    "RESOURCE_NOT_FOUND": NotFound,
    "UNIQUENESS": AlreadyExists,
    "VERSION_MISMATCH": VersionMismatch,
    "CURSOR_EXPIRED": CursorExpired,
    "CURSOR_DIVERGED": CursorDiverged,
    "CURSOR_INVALID": CursorInvalid,
    "LIMIT_EXCEEDED": LimitExceeded,
    "OVERLOADED": Overloaded,
    "CONSUMER_TOO_SLOW": ConsumerTooSlow,
    "SUBSCRIPTION_HELD": SubscriptionHeld,
    "LEASE_LOST": LeaseLost,
    "IDEMPOTENCY_KEY_REUSED": IdempotencyKeyReused,
}

_BY_CODE: dict[grpc.StatusCode, type[DirectorySyncError]] = {
    grpc.StatusCode.UNAUTHENTICATED: CredentialsInvalid,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    grpc.StatusCode.RESOURCE_EXHAUSTED: LimitExceeded,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    # By the server, as it goes away: who cancels a call himself gets no RPC error.
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.INTERNAL: ServiceFault,
}


def from_rpc_error(error: grpc.aio.AioRpcError) -> DirectorySyncError:
    """The typed form of a gRPC error. Without ErrorInfo (the network failed, a proxy answered) the code decides."""
    reason, metadata, retry_after = "", {}, None
    for detail in _details(error):
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
            if info.domain == DOMAIN:
                reason, metadata = info.reason, dict(info.metadata)
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry = error_details_pb2.RetryInfo()
            detail.Unpack(retry)
            retry_after = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    kind = _BY_REASON.get(reason) or _BY_CODE.get(error.code(), DirectorySyncError)
    return kind(
        error.details() or error.code().name,
        reason=reason,
        code=error.code(),
        metadata=metadata,
        retry_after=retry_after,
    )


def _details(error: grpc.aio.AioRpcError) -> list[any_pb2.Any]:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            try:
                return list(status_pb2.Status.FromString(value).details)
            except ValueError:
                return []
    return []
