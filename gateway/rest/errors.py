"""Errors as WorkOS sends them: `{"message", "code", "errors": [{"code", "field"}]}`, by one table from reasons."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from gateway.exchange import Answer
from gateway.problems import PLAIN_JSON, Problem, Rule, problem_headers
from gateway.workos import json

_INVALID: Final = "invalid_request_parameters"
_NAMES: Final[Mapping[str, str]] = {
    "DirectoryUser": "Directory User",
    "DirectoryGroup": "Directory Group",
    "User": "Directory User",
    "Group": "Directory Group",
    "OrganizationDomain": "Organization Domain",
    "DirectoryToken": "Directory Token",
    "WebhookEndpoint": "Webhook Endpoint",
    "WebhookDelivery": "Webhook Delivery",
    "PortalLink": "Portal Link",
}
# What a field of a message is called in a request here.
_FIELDS: Final[Mapping[str, str]] = {
    "page_size": "limit",
    "page_token": "after",
    "after_event_id": "after",
    "start_time": "range_start",
    "end_time": "range_end",
    "filter.types": "events",
    "types": "events",
    "filter": "events",
    "window": "after",
    "expire_time": "expires_at",
}


class RestRule(NamedTuple):
    """How a reason looks here: status, `code`, and the field at fault where the reason itself names it."""

    status: int
    code: str
    field: str = ""


RULES: Final[Mapping[str, RestRule]] = {
    "CREDENTIALS_INVALID": RestRule(401, "unauthorized"),
    "SCOPE_MISSING": RestRule(403, "forbidden"),
    "RESOURCE_NOT_FOUND": RestRule(404, "entity_not_found"),
    "UNIQUENESS": RestRule(409, "duplicate_entity"),
    "ARGUMENT_INVALID": RestRule(422, _INVALID),
    "SCIM_INVALID_SYNTAX": RestRule(400, "invalid_request_body"),
    "CURSOR_EXPIRED": RestRule(422, "cursor_expired", "after"),
    "CURSOR_DIVERGED": RestRule(422, "cursor_diverged", "after"),
    "CURSOR_INVALID": RestRule(422, "cursor_invalid", "after"),
    "DIRECTORY_DISABLED": RestRule(409, "directory_disabled"),
    "NOT_SUPPORTED": RestRule(422, "not_supported"),
    "IDEMPOTENCY_KEY_REUSED": RestRule(422, "idempotency_key_reused"),
    "OVERLOADED": RestRule(429, "rate_limited"),
    "LIMIT_EXCEEDED": RestRule(422, "limit_exceeded"),
}
# Of what is refused before a reason of the service comes in, by status.
_CODES: Final[Mapping[int, str]] = {
    405: "method_not_allowed",
    413: "content_too_large",
    415: "unsupported_media_type",
}


class RestProblem(Problem):
    """A problem in this API's own words. `fields`: code and name of each field at fault."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        fields: Iterable[tuple[str, str]] = (),
        entity_id: str | None = None,
        origin: Problem | None = None,
    ) -> None:
        rule = Rule(status, retry_after=origin.rule.retry_after if origin else None)
        super().__init__(rule, message, reason=origin.reason if origin else None, close=bool(origin and origin.close))
        if origin is not None:
            self.headers = origin.headers
        self.code = code
        self.fields = tuple(fields)
        self.entity_id = entity_id


def invalid(field: str, message: str, code: str = "invalid") -> RestProblem:
    """422 for one field."""
    return RestProblem(422, message, code=_INVALID, fields=[(code, field)])


def missing(fields: Iterable[str], *, instead: str = "") -> RestProblem:
    """422 for fields that are needed, or one that would do `instead`."""
    names = list(fields)
    message = f"Needed: {', '.join(names)}{f' or {instead}' if instead else ''}."
    return RestProblem(422, message, code=_INVALID, fields=[("required", name) for name in names])


def not_found(kind: str, entity_id: str) -> RestProblem:
    """404 in WorkOS's words."""
    shown = entity_id[:256]
    return RestProblem(404, f"{kind} not found: '{shown}'.", code="entity_not_found", entity_id=shown)


def as_rest(failure: Problem) -> RestProblem:
    """Any problem in this API's words; `code` and status by its reason."""
    if isinstance(failure, RestProblem):
        return failure
    if failure.reason == "RESOURCE_NOT_FOUND":
        return _not_found(failure)
    found = RULES.get(failure.reason or "")
    if found is None or failure.close:
        status = failure.rule.status
        return RestProblem(status, _sentence(failure.detail), code=_CODES.get(status), origin=failure)
    status, code, field = found
    field = field or _field(failure)
    if field == "endpoint_url" and code == _INVALID:
        code = "invalid_url"
    fields = [("invalid" if code == _INVALID else code, field)] if field else []
    return RestProblem(status, _sentence(failure.detail, failure), code=code, fields=fields, origin=failure)


def rest_answer(failure: Problem, request_id: str) -> Answer:
    """A failure as this API answers it."""
    shown = as_rest(failure)
    message = shown.detail or f"The request failed here. Its id is {request_id}."
    body: dict[str, Any] = {"message": message}
    if shown.code is not None:
        body["code"] = shown.code
    if shown.entity_id is not None:
        body["entity_id"] = shown.entity_id
    if shown.fields:
        body["errors"] = [{"code": code, "field": field, "message": message} for code, field in shown.fields]
    return Answer(shown.rule.status, problem_headers(shown, PLAIN_JSON), json.encode(body), shown.close)


def _not_found(failure: Problem) -> RestProblem:
    kind = failure.metadata.get("resource_type", "")
    if not kind:
        return RestProblem(404, _sentence(failure.detail), code="entity_not_found", origin=failure)
    return not_found(_NAMES.get(kind, kind), failure.metadata.get("id", ""))


def _field(failure: Problem) -> str:
    name = failure.metadata.get("field", "")
    return _FIELDS.get(name, name)


def _sentence(detail: str, failure: Problem | None = None) -> str:
    """The service's texts are fragments, as gRPC's are; a field that one begins with is called as it is here."""
    if not detail:
        return ""
    end = "" if detail.endswith((".", "?", "!")) else "."
    named = failure.metadata.get("field", "") if failure is not None else ""
    # The other end of a range is named in the middle.
    detail = detail.replace(" start_time", f" {_FIELDS['start_time']}").replace(" end_time", f" {_FIELDS['end_time']}")
    if failure is not None and named and detail.startswith(named):
        return _field(failure) + detail[len(named) :] + end
    return detail[0].upper() + detail[1:] + end
