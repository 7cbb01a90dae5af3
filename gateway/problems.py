"""Why a request failed, in HTTP's words: one table from reasons to statuses, and the SCIM form of an error."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import grpc
import msgspec
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from directorysync.v1.errors_pb2 import ErrorReason
from gateway.exchange import Answer, Headers

ERROR_SCHEMA: Final = "urn:ietf:params:scim:api:messages:2.0:Error"
SCIM_JSON: Final = b"application/scim+json"
PLAIN_JSON: Final = b"application/json"
DOMAIN: Final = "directorysync.v1"

_PREFIX = "ERROR_REASON_"
_DETAILS_KEY = "grpc-status-details-bin"
_SILENT = frozenset({ErrorReason.ERROR_REASON_UNSPECIFIED, ErrorReason.ERROR_REASON_INTERNAL})


class Rule(NamedTuple):
    """How a reason looks in HTTP: status, scimType (RFC 7644 3.12), seconds to wait when the service names none."""

    status: int
    scim_type: str | None = None
    retry_after: int | None = None


RULES: Final[Mapping[ErrorReason.ValueType, Rule]] = {
    ErrorReason.ERROR_REASON_UNSPECIFIED: Rule(500),
    ErrorReason.ERROR_REASON_CREDENTIALS_INVALID: Rule(401),
    ErrorReason.ERROR_REASON_SCOPE_MISSING: Rule(403),
    ErrorReason.ERROR_REASON_RESOURCE_NOT_FOUND: Rule(404),
    ErrorReason.ERROR_REASON_UNIQUENESS: Rule(409, "uniqueness"),
    ErrorReason.ERROR_REASON_VERSION_MISMATCH: Rule(412),
    ErrorReason.ERROR_REASON_ARGUMENT_INVALID: Rule(400, "invalidValue"),
    ErrorReason.ERROR_REASON_SCIM_INVALID_FILTER: Rule(400, "invalidFilter"),
    ErrorReason.ERROR_REASON_SCIM_INVALID_PATH: Rule(400, "invalidPath"),
    ErrorReason.ERROR_REASON_SCIM_INVALID_SYNTAX: Rule(400, "invalidSyntax"),
    ErrorReason.ERROR_REASON_SCIM_INVALID_VALUE: Rule(400, "invalidValue"),
    ErrorReason.ERROR_REASON_SCIM_NO_TARGET: Rule(400, "noTarget"),
    ErrorReason.ERROR_REASON_SCIM_MUTABILITY: Rule(400, "mutability"),
    ErrorReason.ERROR_REASON_SCIM_TOO_MANY: Rule(400, "tooMany"),
    ErrorReason.ERROR_REASON_SCIM_INVALID_VERSION: Rule(400, "invalidVers"),
    ErrorReason.ERROR_REASON_SCIM_SENSITIVE: Rule(403, "sensitive"),
    ErrorReason.ERROR_REASON_SCIM_INVALID_CURSOR: Rule(400, "invalidCursor"),
    ErrorReason.ERROR_REASON_SCIM_EXPIRED_CURSOR: Rule(400, "expiredCursor"),
    ErrorReason.ERROR_REASON_SCIM_INVALID_COUNT: Rule(400, "invalidCount"),
    ErrorReason.ERROR_REASON_CURSOR_EXPIRED: Rule(410),
    ErrorReason.ERROR_REASON_CURSOR_DIVERGED: Rule(410),
    ErrorReason.ERROR_REASON_CURSOR_INVALID: Rule(400),
    ErrorReason.ERROR_REASON_LIMIT_EXCEEDED: Rule(413),
    ErrorReason.ERROR_REASON_OVERLOADED: Rule(429, retry_after=1),
    ErrorReason.ERROR_REASON_CONSUMER_TOO_SLOW: Rule(503, retry_after=1),
    ErrorReason.ERROR_REASON_SERVER_DRAINING: Rule(503, retry_after=1),
    ErrorReason.ERROR_REASON_STORAGE_UNAVAILABLE: Rule(503, retry_after=5),
    ErrorReason.ERROR_REASON_DIRECTORY_DISABLED: Rule(403),
    ErrorReason.ERROR_REASON_NOT_SUPPORTED: Rule(501),
    ErrorReason.ERROR_REASON_INTERNAL: Rule(500),
    ErrorReason.ERROR_REASON_IDEMPOTENCY_KEY_REUSED: Rule(422),
    ErrorReason.ERROR_REASON_LEASE_LOST: Rule(409),
    ErrorReason.ERROR_REASON_SUBSCRIPTION_HELD: Rule(409),
}

# For failures that never reached a handler of ours, and for reasons of a newer service. Their own text may name hosts,
# so it is replaced.
_BARE_CODES: Final[Mapping[grpc.StatusCode, tuple[Rule, str]]] = {
    grpc.StatusCode.UNAUTHENTICATED: (Rule(401), "The credential was refused."),
    grpc.StatusCode.PERMISSION_DENIED: (Rule(403), "The credential does not allow this."),
    grpc.StatusCode.NOT_FOUND: (Rule(404), "Not found."),
    grpc.StatusCode.INVALID_ARGUMENT: (Rule(400), "The request was refused."),
    grpc.StatusCode.FAILED_PRECONDITION: (Rule(400), "The request was refused in the present state."),
    grpc.StatusCode.ALREADY_EXISTS: (Rule(409, "uniqueness"), "Another resource has this name."),
    grpc.StatusCode.UNIMPLEMENTED: (Rule(501), "Not offered here."),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (Rule(429, retry_after=1), "The service is at its limit; try again."),
    grpc.StatusCode.UNAVAILABLE: (Rule(503, retry_after=5), "The service cannot be reached; try again."),
    grpc.StatusCode.CANCELLED: (Rule(503, retry_after=1), "The service ended the call; try again."),
    grpc.StatusCode.DEADLINE_EXCEEDED: (
        Rule(504),
        "The service did not answer in time. The request may or may not have been carried out.",
    ),
}


class Problem(Exception):
    """A request that cannot be answered as asked; every room renders it in its own form."""

    def __init__(
        self,
        rule: Rule,
        detail: str,
        *,
        reason: str | None = None,
        headers: Headers | None = None,
        close: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.rule = rule
        self.detail = detail
        self.reason = reason
        self.headers = headers or []
        self.close = close
        self.metadata = metadata or {}


def problem(
    reason: ErrorReason.ValueType,
    detail: str,
    *,
    retry_after: int | None = None,
    close: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> Problem:
    """The problem of an ErrorReason; `metadata` as errors.proto says."""
    rule = RULES[reason]
    if retry_after is not None and rule.retry_after is not None:
        rule = rule._replace(retry_after=retry_after)
    name = ErrorReason.Name(reason).removeprefix(_PREFIX)
    return Problem(rule, detail, reason=name, close=close, metadata=metadata)


def http_problem(status: int, detail: str, headers: Headers | None = None) -> Problem:
    """A problem of HTTP alone, which no reason names."""
    return Problem(Rule(status), detail, headers=headers)


def invalid_syntax(detail: str) -> Problem:
    """400 invalidSyntax."""
    return problem(ErrorReason.ERROR_REASON_SCIM_INVALID_SYNTAX, detail)


def invalid_value(detail: str) -> Problem:
    """400 invalidValue."""
    return problem(ErrorReason.ERROR_REASON_SCIM_INVALID_VALUE, detail)


def method_not_allowed(allow: bytes) -> Problem:
    """405 with the methods that are allowed."""
    return http_problem(405, f"This path takes {allow.decode()}.", [(b"allow", allow)])


def problem_of(error: grpc.RpcError) -> Problem:
    """What a failed call means, from its google.rpc.Status when it carries one of ours, else from its code."""
    info, retry_after = _details(error)
    if info is not None and info.domain == DOMAIN and _PREFIX + info.reason in ErrorReason.keys():  # noqa: SIM118
        reason = ErrorReason.Value(_PREFIX + info.reason)
        detail = "" if reason in _SILENT else error.details() or ""
        return problem(reason, detail, retry_after=retry_after, metadata=dict(info.metadata))
    rule, detail = _BARE_CODES.get(error.code(), (RULES[ErrorReason.ERROR_REASON_UNSPECIFIED], ""))
    if retry_after is not None and rule.retry_after is not None:
        rule = rule._replace(retry_after=retry_after)
    return Problem(rule, detail, reason=error.code().name)


def _details(error: grpc.RpcError) -> tuple[ErrorInfo | None, int | None]:
    info: ErrorInfo | None = None
    retry_after: int | None = None
    metadata: Iterable[tuple[str, str | bytes]] = error.trailing_metadata() or ()  # type: ignore[assignment]
    for key, value in metadata:
        if key != _DETAILS_KEY or not isinstance(value, bytes):
            continue
        for packed in Status.FromString(value).details:
            if packed.Is(ErrorInfo.DESCRIPTOR):
                info = ErrorInfo()
                packed.Unpack(info)
            elif packed.Is(RetryInfo.DESCRIPTOR):
                retry = RetryInfo()
                packed.Unpack(retry)
                retry_after = max(1, retry.retry_delay.seconds + (retry.retry_delay.nanos > 0))
    return info, retry_after


def scim_error(failure: Problem, request_id: str = "") -> dict[str, object]:
    """An Error message of RFC 7644 3.12. A fault of ours says the request id and nothing else."""
    status, scim_type, _ = failure.rule
    body: dict[str, object] = {"schemas": [ERROR_SCHEMA], "status": str(status)}
    if scim_type is not None:
        body["scimType"] = scim_type
    body["detail"] = _description(failure, request_id)
    return body


def _description(failure: Problem, request_id: str) -> str:
    return failure.detail or f"The request failed here. Its id is {request_id}."


def scim_answer(failure: Problem, request_id: str) -> Answer:
    """A failure as SCIM answers it."""
    body = msgspec.json.encode(scim_error(failure, request_id))
    return Answer(failure.rule.status, problem_headers(failure, SCIM_JSON), body, failure.close)


def scim_v1_answer(failure: Problem, request_id: str) -> Answer:
    """A failure as SCIM 1.1 answers it (protocol 3.9): `{"Errors": [{"description": …, "code": "404"}]}`."""
    error = {"description": _description(failure, request_id), "code": str(failure.rule.status)}
    body = msgspec.json.encode({"Errors": [error]})
    return Answer(failure.rule.status, problem_headers(failure, PLAIN_JSON), body, failure.close)


def problem_headers(failure: Problem, media_type: bytes) -> Headers:
    """Headers that go with a problem, whatever the form of its body."""
    headers = [(b"content-type", media_type), *failure.headers]
    if failure.rule.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if failure.rule.retry_after is not None:
        # Okta reads whole seconds only; a date is not understood.
        headers.append((b"retry-after", b"%d" % failure.rule.retry_after))
    return headers


def internal_problem() -> Problem:
    """500 for what nobody foresaw."""
    return problem(ErrorReason.ERROR_REASON_INTERNAL, "")


def plain_answer(failure: Problem, request_id: str) -> Answer:
    """The JSON form for paths that belong to no protocol: `{"message": …}`."""
    body = msgspec.json.encode({"message": _description(failure, request_id)})
    return Answer(failure.rule.status, problem_headers(failure, PLAIN_JSON), body, failure.close)


_SCIM_FORMS: Final[Mapping[str, Callable[[Problem, str], Answer]]] = {"v1": scim_v1_answer}


def error_form(segments: Sequence[str]) -> Callable[[Problem, str], Answer]:
    """The form of errors at a path, by its segments."""
    if not segments or segments[0].lower() != "scim":
        return plain_answer
    return _SCIM_FORMS.get(segments[1].lower() if len(segments) > 1 else "", scim_answer)
