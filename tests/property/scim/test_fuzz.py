"""Whatever a request holds, the engine answers with a result or a ScimError, and results are in normal form."""

import json
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.scim.documents import decode
from service.scim.errors import ScimError
from service.scim.filters import parse_filter, to_text
from service.scim.match import matches
from service.scim.members import apply_members, split_members
from service.scim.messages import parse_bulk, parse_patch, parse_search
from service.scim.patch import apply_patch
from service.scim.paths import parse_path
from service.scim.primary import primary_email
from service.scim.projection import Projection
from service.scim.rendering import render
from service.scim.schema import GROUP, RESOURCE_TYPES, USER, ResourceType
from tests.property.scim import strategies as s

quick = settings(deadline=None, max_examples=120)
TYPES = {resource_type.name: resource_type for resource_type in RESOURCE_TYPES}
kinds = st.sampled_from(sorted(TYPES))


def holds_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(holds_null(inner) for inner in value.values())
    if isinstance(value, list):
        return any(holds_null(inner) for inner in value)
    return value is None


def check_normal(document: dict[str, Any], resource_type: ResourceType) -> None:
    assert not holds_null(document)
    assert not {"id", "meta", "schemas", "password"} & document.keys()
    json.dumps(document, allow_nan=False).encode()
    again = decode(document, resource_type)
    assert again.document == document


@quick
@given(s.bodies, kinds)
def test_decode_yields_a_normal_document_or_a_scim_error(body: object, kind: str) -> None:
    resource_type = TYPES[kind]
    before = deepcopy(body)
    with suppress(ScimError):
        check_normal(decode(body, resource_type).document, resource_type)
    assert repr(body) == repr(before)


@quick
@given(s.documents, s.patches)
def test_patch_yields_a_normal_document_or_a_scim_error(document: dict[str, Any], body: object) -> None:
    start = decode(document, USER).document
    before = deepcopy(start)
    with suppress(ScimError):
        check_normal(apply_patch(start, parse_patch(body), USER, resource_id="x").document, USER)
    assert start == before


@quick
@given(s.patches | s.values)
def test_group_patch_splits_or_fails_with_a_scim_error(body: object) -> None:
    with suppress(ScimError):
        plan = split_members(parse_patch(body), GROUP)
        added, removed = apply_members({}, plan.member_operations)
        assert removed == ()
        assert {ref.value for ref in added} <= set(plan.named)
        check_normal(apply_patch({"displayName": "g"}, plan.document_operations, GROUP).document, GROUP)


@quick
@given(s.fragments, s.documents, kinds)
def test_filter_text_is_a_filter_or_a_scim_error(text: str, document: dict[str, Any], kind: str) -> None:
    resource_type = TYPES[kind]
    with suppress(ScimError):
        expression = parse_filter(text, resource_type)
        assert parse_filter(to_text(expression), resource_type) == expression
        assert matches(expression, document, resource_type) in {True, False}


@quick
@given(s.paths | s.fragments, kinds)
def test_path_text_is_a_path_or_a_scim_error(text: str | None, kind: str) -> None:
    resource_type = TYPES[kind]
    with suppress(ScimError):
        parse_path(text or "", resource_type)


@quick
@given(s.values)
def test_message_bodies_are_read_or_refused_with_a_scim_error(body: object) -> None:
    for parse in (parse_patch, parse_search, parse_bulk):
        with suppress(ScimError):
            parse(body)


@quick
@given(s.bodies, st.lists(s.names, max_size=4), st.lists(s.names, max_size=4))
def test_a_decoded_body_can_be_projected_and_rendered(body: object, included: list[str], excluded: list[str]) -> None:
    try:
        document = decode(body, USER).document
    except ScimError:
        return
    primary_email(document)
    resource = render(
        document, resource_type=USER, id="1", created="c", modified="m", version="v", base_url="http://x", groups=()
    )
    assert not holds_null(resource)
    for projection in (Projection.parse(included, None, USER), Projection.parse(None, excluded, USER)):
        part = projection.apply(resource)
        assert part["id"] == "1"
        assert part["schemas"] == resource["schemas"]
        assert part.keys() <= resource.keys()


@pytest.mark.parametrize("text", ['"' * 8000, '"\\"' * 2700, "(" * 8192, "not " * 2000, "a." * 4000, "emails[" * 1000])
def test_hostile_filter_text_is_refused(text: str) -> None:
    with pytest.raises(ScimError):
        parse_filter(text, USER)
