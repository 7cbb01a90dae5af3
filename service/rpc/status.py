"""The one table from failures to gRPC: class -> code and reason (published as ErrorReason)."""

from dataclasses import dataclass

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from service.domain import errors as domain
from service.scim import errors as scim

DOMAIN = "directorysync.v1"
_BAD = grpc.StatusCode.INVALID_ARGUMENT
_FULL = grpc.StatusCode.RESOURCE_EXHAUSTED

# class -> (code, reason). A subclass without a row of its own takes its parent's.
TABLE: dict[type[Exception], tuple[grpc.StatusCode, str]] = {
    domain.CredentialsInvalidError: (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID"),
    domain.ScopeMissingError: (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING"),
    domain.NotFoundError: (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND"),
    domain.AlreadyExistsError: (grpc.StatusCode.ALREADY_EXISTS, "UNIQUENESS"),
    domain.VersionMismatchError: (grpc.StatusCode.ABORTED, "VERSION_MISMATCH"),
    domain.ArgumentError: (_BAD, "ARGUMENT_INVALID"),
    domain.IdempotencyKeyReusedError: (_BAD, "IDEMPOTENCY_KEY_REUSED"),
    domain.CursorExpiredError: (grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED"),
    domain.CursorDivergedError: (grpc.StatusCode.OUT_OF_RANGE, "CURSOR_DIVERGED"),
    domain.CursorInvalidError: (_BAD, "CURSOR_INVALID"),
    domain.LimitExceededError: (_FULL, "LIMIT_EXCEEDED"),
    domain.OverloadedError: (_FULL, "OVERLOADED"),
    domain.ConsumerTooSlowError: (_FULL, "CONSUMER_TOO_SLOW"),
    domain.SubscriptionHeldError: (grpc.StatusCode.FAILED_PRECONDITION, "SUBSCRIPTION_HELD"),
    domain.LeaseLostError: (grpc.StatusCode.ABORTED, "LEASE_LOST"),
    domain.DrainingError: (grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING"),
    domain.StorageUnavailableError: (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE"),
    domain.DirectoryDisabledError: (grpc.StatusCode.FAILED_PRECONDITION, "DIRECTORY_DISABLED"),
    domain.NotSupportedError: (grpc.StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED"),
    domain.SchemaUnknownError: (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE"),
    scim.InvalidFilter: (_BAD, "SCIM_INVALID_FILTER"),
    scim.InvalidPath: (_BAD, "SCIM_INVALID_PATH"),
    scim.InvalidSyntax: (_BAD, "SCIM_INVALID_SYNTAX"),
    scim.InvalidValue: (_BAD, "SCIM_INVALID_VALUE"),
    scim.NoTarget: (_BAD, "SCIM_NO_TARGET"),
    scim.Mutability: (grpc.StatusCode.FAILED_PRECONDITION, "SCIM_MUTABILITY"),
    scim.Uniqueness: (grpc.StatusCode.ALREADY_EXISTS, "UNIQUENESS"),
    scim.TooMany: (_BAD, "SCIM_TOO_MANY"),
    scim.Sensitive: (grpc.StatusCode.PERMISSION_DENIED, "SCIM_SENSITIVE"),
    scim.InvalidVersion: (_BAD, "SCIM_INVALID_VERSION"),
    scim.InvalidCursor: (_BAD, "SCIM_INVALID_CURSOR"),
    scim.ExpiredCursor: (_BAD, "SCIM_EXPIRED_CURSOR"),
    scim.InvalidCount: (_BAD, "SCIM_INVALID_COUNT"),
    scim.TooLarge: (_FULL, "LIMIT_EXCEEDED"),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """What goes on the wire for one failure."""

    code: grpc.StatusCode
    reason: str
    message: str
    metadata: dict[str, str]
    retry_after_seconds: int | None = None

    @property
    def details(self) -> bytes:
        """google.rpc.Status for the trailer `grpc-status-details-bin`."""
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        status.details.add().Pack(
            error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.metadata)
        )
        if self.retry_after_seconds is not None:
            delay = Duration(seconds=self.retry_after_seconds)
            status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
        return bytes(status.SerializeToString())


def failure_of(error: Exception) -> Failure | None:
    """The row of the error's class or of its nearest parent; None for what nobody expected."""
    for cls in type(error).__mro__:
        row = TABLE.get(cls)
        if row is not None:
            return Failure(
                code=row[0],
                reason=row[1],
                message=str(getattr(error, "detail", "")),
                metadata=dict(getattr(error, "metadata", {})),
                retry_after_seconds=getattr(error, "retry_after_seconds", None),
            )
    return None


def internal(request_id: str) -> Failure:
    """The answer to a fault of ours: its text stays in the log, under this id."""
    return Failure(
        code=grpc.StatusCode.INTERNAL,
        reason="INTERNAL",
        message=f"internal error; the log has it under request {request_id}",
        metadata={"request_id": request_id},
    )
