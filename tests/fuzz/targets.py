"""What the fuzzer calls. Each target takes any bytes: the engine gives a result that keeps its laws, or a ScimError."""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import deepcopy
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import sentinel

import msgspec

from service.app.bulk import Bulk
from service.app.ingest import Ingest, parse_json
from service.domain.errors import DirectorySyncError
from service.rpc.search import ANY
from service.scim import v1
from service.scim.documents import decode, merge_put
from service.scim.errors import ScimError
from service.scim.filter_ast import Filter, to_text
from service.scim.filters import MAX_FILTER_LENGTH, parse_filter
from service.scim.match import matches
from service.scim.member_refs import MemberRef
from service.scim.members import apply_members, split_members
from service.scim.messages import Operation, parse_patch, parse_search
from service.scim.patch import apply_patch
from service.scim.paths import parse_path
from service.scim.primary import primary_email
from service.scim.projection import Projection
from service.scim.rendering import GroupRef, render
from service.scim.schema import ENTERPRISE_USER_URN, GROUP, RESOURCE_TYPES, USER, ResourceType
from service.storage.filters import FilterCompiler, is_selective, required_address
from service.storage.sorting import check_sort, sort_key
from service.storage.sql_text import Parameters

Target = Callable[[bytes], None]
EXPECTED = (ScimError, DirectorySyncError)
BASE_URL = "https://directory.test/scim/v2/k"
ADA: Mapping[str, Any] = {
    "userName": "ada@example.com",
    "externalId": "00u1",
    "active": True,
    "displayName": "Ada Lovelace",
    "name": {"givenName": "Ada", "familyName": "Lovelace"},
    "emails": [{"value": "ada@example.com", "type": "work", "primary": True}, {"value": "a@x.org", "type": "home"}],
    "roles": [{"value": "admin", "display": "Admin"}, "plain"],
    "nickName": ["two", "texts"],
    "favourite": {"colour": "green"},
    ENTERPRISE_USER_URN: {"department": "Engines", "manager": {"value": "user_2", "displayName": "Charles"}},
    "urn:x:Custom": {"Badge": "7", "list": [1, 2.5, None]},
}
ENGINES: Mapping[str, Any] = {"displayName": "Engines", "externalId": "g-1", "urn:x:Custom": {"cost": 12}}
DOCUMENTS: Mapping[str, tuple[Mapping[str, Any], ...]] = {"User": (ADA, {"userName": "b"}), "Group": (ENGINES,)}
MEMBERS = {"a": MemberRef("a", "User", "Ada"), "b": MemberRef("b", "Group"), "c": MemberRef("c", None, "C")}


def check_filter(data: bytes) -> None:
    """A filter of a query: parse, write, parse again, compile to SQL, evaluate."""
    text = data.decode("utf-8", "replace")
    for resource_type in (USER, GROUP, ANY):
        with suppress(*EXPECTED):
            _check_expression(parse_filter(text, resource_type), resource_type)


def _check_expression(expression: Filter, resource_type: ResourceType) -> None:
    written = to_text(expression)
    if len(written) <= MAX_FILTER_LENGTH:
        assert parse_filter(written, resource_type) == expression, "reads otherwise when written"
    for stored in RESOURCE_TYPES:
        _compile(expression, stored)
    for document in (*DOCUMENTS["User"], *DOCUMENTS["Group"]):
        assert matches(expression, document, resource_type) in {True, False}


def _compile(expression: Filter, resource_type: ResourceType) -> None:
    parameters = Parameters()
    condition = FilterCompiler(resource_type, BASE_URL, parameters).condition(expression)
    condition.encode()
    is_selective(expression, resource_type)
    required_address(expression)
    _check_parameters(parameters)


def _check_parameters(parameters: Parameters) -> None:
    for value in parameters.values:
        if isinstance(value, str):
            assert "\0" not in value, "PostgreSQL stores no NUL"
            value.encode()


def check_path(data: bytes) -> None:
    """The path of a PATCH operation, applied with every operation."""
    text = data.decode("utf-8", "replace")
    for resource_type in RESOURCE_TYPES:
        with suppress(*EXPECTED):
            parse_path(text, resource_type)
        for document in DOCUMENTS[resource_type.name]:
            for operation in (
                Operation("add", text, "x", has_value=True),
                Operation("add", text, [{"value": "x", "type": "work", "primary": True}], has_value=True),
                Operation("replace", text, {"value": "x"}, has_value=True),
                Operation("replace", text, None, has_value=True),
                Operation("remove", text),
            ):
                with suppress(*EXPECTED):
                    _check_patch(document, (operation,), resource_type)


def check_patch(data: bytes) -> None:
    """A PATCH body; ``document`` in it is what it applies to, ``resource`` is "Group" for a group."""
    with suppress(*EXPECTED):
        body = parse_json(data.decode("utf-8", "replace"))
        if not isinstance(body, dict):
            parse_patch(body)
            return
        resource_type = GROUP if body.get("resource") == "Group" else USER
        operations = parse_patch(body)
        for document in DOCUMENTS[resource_type.name]:
            with suppress(*EXPECTED):
                _check_patch(document, operations, resource_type)
        start = decode(body.get("document"), resource_type).document
        _check_patch(start, operations, resource_type)


def _check_patch(document: Mapping[str, Any], operations: tuple[Operation, ...], resource_type: ResourceType) -> None:
    if resource_type is GROUP:
        plan = split_members(operations, GROUP)
        with suppress(*EXPECTED):
            _check_members(plan.named, apply_members(MEMBERS, plan.member_operations))
        operations = plan.document_operations
    start = decode(deepcopy(dict(document)), resource_type).document
    before, asked = deepcopy(start), deepcopy(operations)
    patched = apply_patch(start, operations, resource_type, resource_id="x").document
    assert start == before, "the document before was changed"
    assert operations == asked, "the operations were changed"
    check_normal(patched, resource_type)
    again = apply_patch(start, operations, resource_type, resource_id="x").document
    assert again == patched, "the same PATCH has two outcomes"
    whole = Operation("replace", None, patched, has_value=True)
    assert apply_patch(patched, (whole,), resource_type).document == patched, "replacing all by itself changes it"


def _check_members(named: tuple[str, ...], outcome: tuple[tuple[MemberRef, ...], tuple[str, ...]]) -> None:
    added, removed = outcome
    assert {ref.value for ref in added} <= set(named) - MEMBERS.keys()
    assert set(removed) <= MEMBERS.keys()


def check_normal(document: Mapping[str, Any], resource_type: ResourceType) -> None:
    """A stored document: no null, nothing read-only, JSON, and the same when it is read again and when it is sent."""
    assert not holds_null(document), "a null is stored"
    assert not {"id", "meta", "schemas", "password"} & document.keys()
    json.dumps(document, allow_nan=False, ensure_ascii=False).encode()
    assert decode(dict(document), resource_type).document == document, "reads otherwise when sent again"
    _render(document, resource_type)


def holds_null(value: Any) -> bool:
    """Whether there is a null anywhere in it."""
    if isinstance(value, dict):
        return any(holds_null(inner) for inner in value.values())
    return value is None or (isinstance(value, list) and any(holds_null(inner) for inner in value))


def _render(document: Mapping[str, Any], resource_type: ResourceType) -> dict[str, Any]:
    primary_email(document)
    resource = render(
        document,
        resource_type=resource_type,
        id="1",
        created="c",
        modified="m",
        version="v",
        base_url=BASE_URL,
        groups=[GroupRef("g")] if resource_type is USER else None,
        members=list(MEMBERS.values()) if resource_type is GROUP else None,
    )
    msgspec.json.encode(resource)
    names = list(resource)[:5]
    for projection in (Projection.parse(names, None, resource_type), Projection.parse(None, names, resource_type)):
        part = projection.apply(resource)
        assert part["id"] == "1"
        assert part.keys() <= resource.keys()
    v1.document_to_v1(resource)
    return resource


def check_document(data: bytes) -> None:
    """The body of a POST or PUT, as a user and as a group."""
    with suppress(*EXPECTED):
        body = parse_json(data.decode("utf-8", "replace"))
        for resource_type in RESOURCE_TYPES:
            with suppress(*EXPECTED):
                _check_decoded(body, resource_type)


def _check_decoded(body: object, resource_type: ResourceType) -> None:
    before = deepcopy(body)
    decoded = decode(body, resource_type)
    assert body == before, "the body was changed"
    check_normal(decoded.document, resource_type)
    for stored in DOCUMENTS[resource_type.name]:
        merge_put(dict(stored), decoded)


def check_v1(data: bytes) -> None:
    """A body of SCIM 1.1 as POST and as PATCH; as text a filter and a name."""
    text = data.decode("utf-8", "replace")
    with suppress(*EXPECTED):
        filtered = v1.filter_from_v1(text)
        v1.name_from_v1(text)
        _check_expression(parse_filter(filtered, USER), USER)
    with suppress(*EXPECTED):
        body = parse_json(text)
        if not isinstance(body, dict):
            return
        for resource_type in RESOURCE_TYPES:
            with suppress(*EXPECTED):
                _check_decoded(v1.document_from_v1(body, resource_type), resource_type)
            for document in DOCUMENTS[resource_type.name]:
                with suppress(*EXPECTED):
                    operations = parse_patch(v1.patch_from_v1(body, resource_type))
                    _check_patch(document, operations, resource_type)


def check_message(data: bytes) -> None:
    """A SearchRequest and a bulk request."""
    text = data.decode("utf-8", "replace")
    with suppress(*EXPECTED):
        _check_search(parse_json(text))
    with suppress(*EXPECTED):
        _loop.run_until_complete(_bulk.run(sentinel.directory, text, "r"))


def _check_search(body: object) -> None:
    asked = parse_search(body)
    for resource_type in RESOURCE_TYPES:
        Projection.parse(asked.attributes, asked.excluded_attributes, resource_type)
        if asked.filter:
            with suppress(*EXPECTED):
                _check_expression(parse_filter(asked.filter, resource_type), resource_type)
        if asked.sort_by:
            with suppress(*EXPECTED):
                _check_sort(asked.sort_by, resource_type)


def _check_sort(sort_by: str, resource_type: ResourceType) -> None:
    for named in (resource_type, ANY):
        parameters = Parameters()
        sort_key(check_sort(sort_by, named), resource_type, BASE_URL, parameters)
        _check_parameters(parameters)


class _Accepting:
    """In place of the use cases behind a bulk request: everything is carried out."""

    def new_id(self, kind: ResourceType) -> str:
        return f"{kind.name}_1"

    async def run(self, *_: object) -> object:
        return SimpleNamespace(entity=None)


_loop = asyncio.new_event_loop()
_bulk = Bulk(cast("Ingest", _Accepting()))

TARGETS: Mapping[str, Target] = {
    "filter": check_filter,
    "path": check_path,
    "patch": check_patch,
    "document": check_document,
    "v1": check_v1,
    "message": check_message,
}
