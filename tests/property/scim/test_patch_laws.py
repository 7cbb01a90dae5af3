"""Laws of PATCH, and agreement with scim2-models where a request conforms to RFC 7644 section 3.5.2."""

import json
from contextlib import suppress
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scim2_models import EnterpriseUser, PatchOp, SCIMException, User

from service.scim.documents import decode
from service.scim.errors import ScimError
from service.scim.member_refs import MemberRef
from service.scim.members import AddMembers, RemoveAllMembers, RemoveMembers, ReplaceMembers, apply_members
from service.scim.messages import Operation, parse_patch
from service.scim.patch import apply_patch
from service.scim.schema import CORE_USER_URN, USER
from tests.property.scim import strategies as s

quick = settings(deadline=None, max_examples=120)

singular = st.sampled_from(
    ["displayName", "title", "nickName", "name.givenName", f"{s.URN}:department", f"{s.URN}:manager.value"]
)
conforming = st.one_of(
    st.builds(
        lambda op, path, value: {"op": op, "path": path, "value": value},
        st.sampled_from(["add", "replace"]),
        singular,
        s.words,
    ),
    st.builds(lambda path: {"op": "remove", "path": path}, singular),
    st.builds(
        lambda op, value: {"op": op, "value": value},
        st.sampled_from(["add", "replace"]),
        st.fixed_dictionaries(
            {}, optional={"title": s.words, "name": st.fixed_dictionaries({"givenName": s.words})}
        ).filter(bool),
    ),
    st.builds(
        lambda values: {"op": "replace", "path": "emails", "value": values},
        st.lists(
            st.fixed_dictionaries({"value": s.words, "type": st.sampled_from(["work", "home"])}), min_size=1, max_size=3
        ),
    ),
    st.builds(lambda kind: {"op": "remove", "path": f'emails[type eq "{kind}"]'}, st.sampled_from(["work", "home"])),
    st.just({"op": "remove", "path": "emails"}),
    st.builds(lambda word: {"op": "replace", "path": 'emails[type eq "work"].display', "value": word}, s.words),
)


def run(document: dict[str, Any], *operations: dict[str, Any]) -> dict[str, Any]:
    return apply_patch(document, parse_patch({"Operations": list(operations)}), USER).document


@quick
@given(s.documents, conforming)
def test_repeating_an_operation_changes_nothing(start: dict[str, Any], operation: dict[str, Any]) -> None:
    document = decode(start, USER).document
    with suppress(ScimError):
        once = run(document, operation)
        assert run(once, operation) == once


@quick
@given(
    s.documents,
    st.sampled_from(["displayName", "title", "name.givenName", "emails", "externalId", f"{s.URN}:department"]),
)
def test_replacing_an_attribute_by_itself_changes_nothing(start: dict[str, Any], path: str) -> None:
    document = decode(start, USER).document
    holder: Any = document
    for step in path.removeprefix(f"{s.URN}:").split(".") if s.URN not in path else (s.URN, "department"):
        holder = holder.get(step) if isinstance(holder, dict) else None
    assume(holder is not None)
    assert run(document, {"op": "replace", "path": path, "value": holder}) == document
    assert run(document, {"op": "add", "path": path, "value": holder}) == document


@quick
@given(s.documents, s.words)
def test_what_is_added_and_removed_again_leaves_no_trace(start: dict[str, Any], word: str) -> None:
    document = decode(start, USER).document
    for path, absent in (
        ("nickName", "nickName"),
        ('phoneNumbers[type eq "fax"].value', 'phoneNumbers[type eq "fax"]'),
    ):
        assert run(document, {"op": "add", "path": path, "value": word}, {"op": "remove", "path": absent}) == document


@quick
@given(s.documents, st.lists(conforming, min_size=2, max_size=4))
def test_a_request_equals_its_operations_one_by_one(start: dict[str, Any], operations: list[dict[str, Any]]) -> None:
    document = decode(start, USER).document
    try:
        together = run(document, *operations)
    except ScimError:
        return
    for operation in operations:
        document = run(document, operation)
    assert document == together


@quick
@given(s.documents, st.lists(conforming, min_size=1, max_size=3))
def test_conforming_requests_agree_with_scim2_models(start: dict[str, Any], operations: list[dict[str, Any]]) -> None:
    # The library insists on real addresses in emails; ims has the same shape.
    start, operations = json.loads(json.dumps([start, operations]).replace("emails", "ims"))
    document = decode(start, USER).document
    model = User[EnterpriseUser]
    try:
        user = model.model_validate({"schemas": [CORE_USER_URN, s.URN], **document})
        PatchOp[model].model_validate({"Operations": operations}).patch(user)
    except (SCIMException, ValidationError):
        # Stricter by design: no creation under a filter, no second primary value.
        return
    assert decode(user.model_dump(), USER).document == run(document, *operations)


ids = st.sampled_from("abcdef")
refs = st.lists(st.builds(MemberRef, ids), max_size=4, unique_by=lambda ref: ref.value).map(tuple)
member_operations = st.lists(
    st.builds(AddMembers, refs)
    | st.builds(RemoveMembers, st.lists(ids, max_size=3).map(tuple))
    | st.just(RemoveAllMembers())
    | st.builds(ReplaceMembers, refs),
    max_size=5,
)


@quick
@given(st.sets(ids), member_operations)
def test_member_operations_are_those_of_a_set(start: set[str], operations: list[Any]) -> None:
    members = set(start)
    for operation in operations:
        if isinstance(operation, AddMembers):
            members |= {ref.value for ref in operation.refs}
        elif isinstance(operation, RemoveMembers):
            members -= set(operation.values)
        else:
            members = {ref.value for ref in getattr(operation, "refs", ())}
    added, removed = apply_members({member: MemberRef(member) for member in start}, operations)
    assert {ref.value for ref in added} == members - start
    assert set(removed) == start - members


@quick
@given(s.documents)
def test_no_operation_changes_nothing(start: dict[str, Any]) -> None:
    document = decode(start, USER).document
    assert apply_patch(document, (Operation("remove", "nickName"),), USER).document == document
