"""The document, put together once, and the handler that shows it."""

import re
from functools import cache
from typing import Any, Final

from gateway.exchange import Answer
from gateway.problems import PLAIN_JSON
from gateway.rest.openapi.operations import OPERATIONS, Operation
from gateway.rest.openapi.schemas import SCHEMAS
from gateway.rest.openapi.shapes import Schema, choice, number, ref, text
from gateway.rest.request import RestRequest
from gateway.workos import json

_PARAMETER: Final = re.compile(r"{(\w+)}")
_ERRORS: Final = {
    "400": "Not understood",
    "401": "No API key, or none that is known",
    "403": "The API key was made for less",
    "404": "No such thing, or none that the API key reaches",
    "409": "Against what is there",
    "413": "Too large",
    "415": "Not JSON",
    "422": "A field is missing or wrong; errors names it",
    "429": "Too much at once; Retry-After says when to try again",
    "503": "Not available now; Retry-After says when to try again",
}
_PAGING: Final[dict[str, Schema]] = {
    "limit": number("How many at most", minimum=1, maximum=1_000, default=10),
    "after": text("The id behind which the page begins, of the kind that is listed; it need not exist any more"),
    "before": text("The id at which the page ends, likewise"),
    "order": choice("asc", "desc", "normal", description="By creation; normal is desc with the two ids exchanged"),
}
_ABOUT: Final = (
    "The WorkOS-compatible REST API. Calls marked as own are not WorkOS's. Every POST takes Idempotency-Key: repeated"
    " within 24 hours with the same request it answers what it answered."
)


async def openapi_json(request: RestRequest) -> Answer:
    """GET: 200, to anybody."""
    del request
    return Answer(200, [(b"content-type", PLAIN_JSON)], _written())


@cache
def _written() -> bytes:
    return json.encode(document())


def document() -> dict[str, Any]:
    """The description in OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        path = paths.setdefault(operation.template, {})
        if not path and (names := _PARAMETER.findall(operation.template)):
            path["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": text(minLength=1)} for name in names
            ]
        path[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Directory Sync", "version": "1", "description": _ABOUT},
        "security": [{"api_key": []}],
        "paths": paths | _pages(),
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"api_key": {"type": "http", "scheme": "bearer"}},
            "responses": {"Error": {"description": "An error", "content": _json(ref("Error"))}},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    query = {**(operation.query or {}), **(_PAGING if operation.paged else {})}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary + (" (own)" if operation.own else ""),
        "tags": [operation.template.split("/")[1]],
        "responses": _responses(operation),
    }
    if query:
        described["parameters"] = [{"name": name, "in": "query", "schema": schema} for name, schema in query.items()]
    if operation.body is not None:
        described["requestBody"] = {"required": operation.body_needed, "content": _json(operation.body)}
    if operation.method == "post":
        key = {"name": "Idempotency-Key", "in": "header", "schema": text(minLength=1, maxLength=255)}
        described["parameters"] = [*described.get("parameters", []), key]
    return described


def _responses(operation: Operation) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done"}
    if operation.answer is not None:
        success["content"] = _json(ref(operation.answer))
        if operation.template == "/events":
            success["content"]["text/event-stream"] = {"schema": text()}
    errors = {status: {"description": what, "content": _json(ref("Error"))} for status, what in _ERRORS.items()}
    return {str(operation.status): success, **errors}


def _pages() -> dict[str, Any]:
    """What people see, and this document."""
    html = {"description": "A page", "content": {"text/html": {"schema": text()}}}
    token = {"name": "token", "in": "query", "required": True, "schema": text()}
    form = {"type": "object", "properties": {"token": text()}, "required": ["token"]}
    refused = dict.fromkeys(("400", "401", "403", "404", "413", "429", "503"), html)
    shown: dict[str, Any] = {"tags": ["portal"], "security": []}
    return {
        "/portal": {"get": {**shown, "operationId": "portal", "responses": {"200": html, **refused}}},
        "/portal/launch": {
            "get": {**shown, "operationId": "openLink", "parameters": [token], "responses": {"200": html, **refused}},
            "post": {
                **shown,
                "operationId": "redeemLink",
                "requestBody": {
                    "required": True,
                    "content": {"application/x-www-form-urlencoded": {"schema": form}},
                },
                "responses": {"303": {"description": "On to the portal"}, **refused},
            },
        },
        "/openapi.json": {
            "get": {
                "operationId": "describe",
                "security": [],
                "responses": {"200": {"description": "This document", "content": _json({"type": "object"})}},
            }
        },
    }


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
