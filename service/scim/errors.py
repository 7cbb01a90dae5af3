"""The errors of SCIM: HTTP status and ``scimType`` as RFC 7644 section 3.12 and RFC 9865 section 2 list them."""

from typing import ClassVar


class ScimError(Exception):
    """A request that cannot be fulfilled. ``detail`` is written for a person and holds no value of the request."""

    status: ClassVar[int] = 400
    scim_type: ClassVar[str | None] = None
    rfc: ClassVar[str] = "RFC 7644 section 3.12"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidFilter(ScimError):
    """The filter is malformed, names an unknown attribute, or compares what cannot be compared."""

    scim_type = "invalidFilter"


class TooMany(ScimError):
    """The request would touch or return more than this service is willing to process at once."""

    scim_type = "tooMany"


class Uniqueness(ScimError):
    """A value that must be unique is already in use."""

    status = 409
    scim_type = "uniqueness"


class Mutability(ScimError):
    """A read-only or required attribute would be changed or removed."""

    scim_type = "mutability"


class InvalidSyntax(ScimError):
    """The body does not have the structure of the message it should be."""

    scim_type = "invalidSyntax"


class InvalidPath(ScimError):
    """The ``path`` of a PATCH operation is malformed."""

    scim_type = "invalidPath"


class NoTarget(ScimError):
    """The ``path`` of a PATCH operation selects nothing that could be changed."""

    scim_type = "noTarget"


class InvalidValue(ScimError):
    """A required value is missing, or a value cannot be what the attribute asks for."""

    scim_type = "invalidValue"


class InvalidVersion(ScimError):
    """The SCIM protocol version asked for is not supported."""

    scim_type = "invalidVers"


class Sensitive(ScimError):
    """The request URI carries what must not be in a URI."""

    status = 403
    scim_type = "sensitive"


class TooLarge(ScimError):
    """The request exceeds a ceiling announced in ``/ServiceProviderConfig``."""

    status = 413
    rfc = "RFC 7644 section 3.7.4"


class InvalidCursor(ScimError):
    """The cursor is not one this service gave, or does not belong to this query."""

    scim_type = "invalidCursor"
    rfc = "RFC 9865 section 2"


class ExpiredCursor(ScimError):
    """The cursor was valid once; the query must start over."""

    scim_type = "expiredCursor"
    rfc = "RFC 9865 section 2"


class InvalidCount(ScimError):
    """``count`` cannot be honoured together with a cursor."""

    scim_type = "invalidCount"
    rfc = "RFC 9865 section 2"


SCIM_ERRORS: tuple[type[ScimError], ...] = (
    InvalidFilter,
    TooMany,
    Uniqueness,
    Mutability,
    InvalidSyntax,
    InvalidPath,
    NoTarget,
    InvalidValue,
    InvalidVersion,
    Sensitive,
    TooLarge,
    InvalidCursor,
    ExpiredCursor,
    InvalidCount,
)
"""Every error of the engine; each names its RFC section in ``rfc``."""
