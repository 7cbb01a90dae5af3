"""Every failure that is expected, apart from SCIM's own (service.scim.errors). service.rpc.status maps both."""

from collections.abc import Mapping


class DirectorySyncError(Exception):
    """Base. `detail` is for people; `metadata` repeats what is dynamic in it, for programs."""

    def __init__(self, detail: str, **metadata: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.metadata: Mapping[str, str] = metadata


class CredentialsInvalidError(DirectorySyncError):
    """No credential, or an unknown, revoked or expired one; which of these is not said."""


class ScopeMissingError(DirectorySyncError):
    """The credential is good but was made for less."""


class NotFoundError(DirectorySyncError):
    """No such resource, or none that the caller may see."""


class AlreadyExistsError(DirectorySyncError):
    """Another resource has this name or key."""


class VersionMismatchError(DirectorySyncError):
    """If-Match names another version."""


class ArgumentError(DirectorySyncError):
    """A field of the request is missing, malformed or too large."""


class IdempotencyKeyReusedError(DirectorySyncError):
    """The idempotency key was used for another request."""


class CursorInvalidError(DirectorySyncError):
    """Not a cursor of ours, or one of another scope."""


class CursorExpiredError(DirectorySyncError):
    """The cursor is older than retention."""


class CursorDivergedError(DirectorySyncError):
    """The cursor comes from another database or a history that was rolled back."""


class LimitExceededError(DirectorySyncError):
    """A ceiling was reached."""


class OverloadedError(DirectorySyncError):
    """The write queue is full; try again in `retry_after_seconds`."""

    retry_after_seconds = 1


class ConsumerTooSlowError(DirectorySyncError):
    """A stream's reader did not read for too long."""


class SubscriptionHeldError(DirectorySyncError):
    """Another reader has the subscription; it may be free in `retry_after_seconds`."""

    retry_after_seconds = 5


class LeaseLostError(DirectorySyncError):
    """Another reader took the subscription over, or it was reset or deleted."""


class DrainingError(DirectorySyncError):
    """The server is going away; resume elsewhere."""

    retry_after_seconds = 1


class StorageUnavailableError(DirectorySyncError):
    """The database cannot be reached; the call may or may not have been carried out."""

    retry_after_seconds = 1


class DirectoryDisabledError(DirectorySyncError):
    """The directory is disabled or deleted."""


class NotSupportedError(DirectorySyncError):
    """Named by a standard, not offered here."""


class SchemaUnknownError(DirectorySyncError):
    """The database's schema is not the one this release was written for. Raised at start only."""
