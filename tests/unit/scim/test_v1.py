"""SCIM 1.1 documents, PATCH bodies, names and filters into 2.0 and back."""

from typing import Any

import pytest

from service.scim.documents import decode
from service.scim.errors import InvalidSyntax, InvalidValue, Mutability
from service.scim.members import AddMembers, MemberRef, RemoveAllMembers, RemoveMembers, split_members
from service.scim.messages import parse_patch
from service.scim.patch import apply_patch
from service.scim.schema import CORE_GROUP_URN, CORE_USER_URN, ENTERPRISE_USER_URN, GROUP, USER
from service.scim.v1 import (
    CORE_URN,
    ENTERPRISE_URN,
    document_from_v1,
    document_to_v1,
    filter_from_v1,
    list_to_v1,
    name_from_v1,
    patch_from_v1,
)

V1_USER: dict[str, Any] = {
    "schemas": [CORE_URN, ENTERPRISE_URN],
    "externalId": "hr-17",
    "userName": "ines.oliveira@example.org",
    "name": {"formatted": "Inês Oliveira", "familyName": "Oliveira", "givenName": "Inês"},
    "emails": [{"value": "ines@example.org", "type": "work", "primary": True}],
    "active": True,
    ENTERPRISE_URN: {
        "employeeNumber": "4711",
        "department": "Tide tables",
        "manager": {"managerId": "directory_user_2", "displayName": "Rui Costa"},
    },
}
STORED: dict[str, Any] = {
    "userName": "ines",
    "displayName": "Inês",
    "title": "Pilot",
    "name": {"familyName": "Oliveira", "givenName": "Inês"},
    "emails": [
        {"value": "ines@example.org", "type": "work", "primary": True},
        {"value": "ines@home.example", "type": "home"},
    ],
    "addresses": [{"type": "work", "locality": "Faro"}],
    "active": True,
    ENTERPRISE_USER_URN: {"department": "Tide tables", "manager": {"value": "directory_user_2"}},
}


def test_a_user_of_1_1_is_the_same_user_in_2_0() -> None:
    document = document_from_v1(V1_USER, USER)
    assert document["schemas"] == [CORE_USER_URN, ENTERPRISE_USER_URN]
    decoded = decode(document, USER)
    assert decoded.diagnostics == ()
    assert decoded.document[ENTERPRISE_USER_URN] == {
        "employeeNumber": "4711",
        "department": "Tide tables",
        "manager": {"value": "directory_user_2", "displayName": "Rui Costa"},
    }
    assert decoded.document["emails"] == V1_USER["emails"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"schemas": [CORE_URN.upper(), 7]}, {"schemas": [CORE_GROUP_URN, 7]}),
        ({"schemas": "odd"}, {"schemas": "odd"}),
        ({f"{CORE_URN}:displayName": "Crew"}, {"displayName": "Crew"}),
        ({f"{ENTERPRISE_URN}:department": "Sea"}, {f"{ENTERPRISE_USER_URN}:department": "Sea"}),
        ({ENTERPRISE_URN.upper(): {"Manager": {"MANAGERID": "1"}}}, {ENTERPRISE_USER_URN: {"Manager": {"value": "1"}}}),
        ({ENTERPRISE_USER_URN: {"manager": {"managerId": "1"}}}, {ENTERPRISE_USER_URN: {"manager": {"value": "1"}}}),
        ({ENTERPRISE_URN: {"manager": "1"}}, {ENTERPRISE_USER_URN: {"manager": "1"}}),
        ({ENTERPRISE_URN: '{"department":"Sea"}'}, {ENTERPRISE_USER_URN: '{"department":"Sea"}'}),
        ({"urn:okta:custom:group:1.0": {"description": "d"}}, {"urn:okta:custom:group:1.0": {"description": "d"}}),
    ],
)
def test_names_and_urns_of_a_body(body: dict[str, Any], expected: dict[str, Any]) -> None:
    assert document_from_v1(body, GROUP) == expected


def test_a_user_of_2_0_as_1_1_shows_it() -> None:
    resource = {
        "schemas": [CORE_USER_URN, ENTERPRISE_USER_URN, "urn:example:crew"],
        "id": "directory_user_1",
        "userName": "ines",
        ENTERPRISE_USER_URN: {"department": "Sea", "manager": {"value": "2", "displayName": "Rui"}},
        "urn:example:crew": {"watch": 2},
        "groups": [{"value": "g1", "$ref": "https://d.example/Groups/g1", "display": "Crew", "type": "direct"}],
        "meta": {"resourceType": "User", "created": "c", "lastModified": "m", "location": "l", "version": "v"},
    }
    assert document_to_v1(resource) == {
        "schemas": [CORE_URN, ENTERPRISE_URN, "urn:example:crew"],
        "id": "directory_user_1",
        "userName": "ines",
        ENTERPRISE_URN: {"department": "Sea", "manager": {"managerId": "2", "displayName": "Rui"}},
        "urn:example:crew": {"watch": 2},
        "groups": [{"value": "g1", "display": "Crew", "type": "direct"}],
        "meta": {"created": "c", "lastModified": "m", "location": "l", "version": "v"},
    }


def test_values_that_no_schema_defines_are_shown_as_they_are() -> None:
    resource = {"members": 1, "groups": {"a": 1}, ENTERPRISE_USER_URN: "text", "meta": "text"}
    assert document_to_v1(resource) == resource


def test_a_list_in_the_form_of_1_1() -> None:
    group = {"schemas": [CORE_GROUP_URN], "id": "g1", "members": [{"value": "u1", "$ref": "r", "type": "User"}]}
    response = {"schemas": ["x"], "totalResults": 9, "itemsPerPage": 1, "startIndex": 3, "Resources": [group]}
    assert list_to_v1(response) == {
        "schemas": [CORE_URN],
        "totalResults": 9,
        "itemsPerPage": 1,
        "startIndex": 3,
        "Resources": [{"schemas": [CORE_URN], "id": "g1", "members": [{"value": "u1", "type": "User"}]}],
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("userName", "userName"),
        (f"{CORE_URN}:name.givenName", "name.givenName"),
        (f"{CORE_URN}.userName", "userName"),
        (ENTERPRISE_URN, ENTERPRISE_USER_URN),
        (f"{ENTERPRISE_URN}:manager.managerId", f"{ENTERPRISE_USER_URN}:manager.managerId"),
        ("urn:example:crew:watch", "urn:example:crew:watch"),
    ],
)
def test_names(name: str, expected: str) -> None:
    assert name_from_v1(name) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('userName eq "ines"', 'userName eq "ines"'),
        (f'{CORE_URN}:userName eq "a" and active pr', 'userName eq "a" and active pr'),
        (f'{ENTERPRISE_URN}:department eq "Sea"', f'{ENTERPRISE_USER_URN}:department eq "Sea"'),
        (f'title eq "{CORE_URN}:x"', f'title eq "{CORE_URN}:x"'),
        (f'title eq "\\"{CORE_URN}:x', f'title eq "\\"{CORE_URN}:x'),
    ],
)
def test_filters_keep_their_quoted_values(text: str, expected: str) -> None:
    assert filter_from_v1(text) == expected


def test_a_filter_too_long_for_the_grammar_is_left_to_be_refused() -> None:
    text = f"{CORE_URN}:userName pr or " * 500
    assert filter_from_v1(text) == text


def patched(body: dict[str, Any], document: dict[str, Any] = STORED) -> dict[str, Any]:
    operations = parse_patch(patch_from_v1(body, USER))
    return apply_patch(document, operations, USER, resource_id="directory_user_1").document


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ({"schemas": [CORE_URN], "id": "directory_user_1"}, {}),
        ({"schemas": [CORE_URN], "id": "directory_user_1", "active": False}, {"active": False}),
        ({"title": None, "displayName": "I. O."}, {"title": None, "displayName": "I. O."}),
        ({"name": {"givenName": "Inez"}}, {"name": {"familyName": "Oliveira", "givenName": "Inez"}}),
        (
            {ENTERPRISE_URN: {"costCenter": "9", "manager": {"managerId": "directory_user_3"}}},
            {
                ENTERPRISE_USER_URN: {
                    "department": "Tide tables",
                    "costCenter": "9",
                    "manager": {"value": "directory_user_3"},
                }
            },
        ),
        ({"meta": {"attributes": ["title"]}}, {"title": None}),
        ({"meta": {"attributes": ["title"]}, "title": "Captain"}, {"title": "Captain"}),
        ({"Meta": {"Attributes": "name.familyName"}}, {"name": {"givenName": "Inês"}}),
        (
            {"meta": {"attributes": [f"{ENTERPRISE_URN}:manager"]}},
            {ENTERPRISE_USER_URN: {"department": "Tide tables"}},
        ),
        ({"meta": {"attributes": [ENTERPRISE_URN, "shoeSize", "id", "meta", "groups"]}}, {ENTERPRISE_USER_URN: None}),
        ({"groups": [{"value": "g1", "operation": "delete"}]}, {}),
    ],
)
def test_a_merge_patch_of_a_user(body: dict[str, Any], changed: dict[str, Any]) -> None:
    expected = {name: value for name, value in {**STORED, **changed}.items() if value is not None}
    assert patched(body) == expected


WORK, HOME = STORED["emails"]


@pytest.mark.parametrize(
    ("emails", "expected"),
    [
        ([{"value": "ines@home.example", "operation": "delete"}], [WORK]),
        ([{"value": "nobody@example.org", "operation": "delete"}], [WORK, HOME]),
        ([{"type": "home", "Operation": "Delete"}], [WORK]),
        ([{"value": "new@example.org", "type": "other"}], [WORK, HOME, {"value": "new@example.org", "type": "other"}]),
        ([{"value": "ines@home.example", "type": "other"}], [WORK, {"value": "ines@home.example", "type": "other"}]),
        (
            [{"value": "ines@home.example", "primary": True, "operation": "add"}],
            [{**WORK, "primary": False}, {**HOME, "primary": True}],
        ),
        (
            [{"value": "ines@example.org", "operation": "delete"}, {"value": 'q"\\é@example.org', "type": "work"}],
            [HOME, {"value": 'q"\\é@example.org', "type": "work"}],
        ),
        ([{"value": "  ", "type": "work"}], [WORK, HOME]),
        ([], [WORK, HOME]),
    ],
)
def test_values_are_merged_by_their_value(emails: list[Any], expected: list[Any]) -> None:
    assert patched({"emails": emails})["emails"] == expected


def test_all_values_are_replaced_when_the_attribute_is_removed_first() -> None:
    body = {"meta": {"attributes": ["emails"]}, "emails": [{"value": "only@example.org", "type": "work"}]}
    assert patched(body)["emails"] == [{"value": "only@example.org", "type": "work"}]


def test_values_without_a_value_are_added_and_deleted_by_all_that_they_say() -> None:
    faro, lagos = {"type": "work", "locality": "Faro"}, {"type": "home", "locality": "Lagos"}
    assert patched({"addresses": [lagos]})["addresses"] == [faro, lagos]
    assert "addresses" not in patched({"addresses": [{**faro, "operation": "delete"}]})


def test_an_attribute_that_no_schema_defines_is_merged_as_well() -> None:
    document = {**STORED, "crew": [{"value": "a"}]}
    assert patched({"crew": [{"value": "b"}]}, document)["crew"] == [{"value": "a"}, {"value": "b"}]
    assert "crew" not in patched({"crew": [{"value": "a", "operation": "delete"}]}, document)


def test_a_photo_longer_than_a_path_is_added() -> None:
    photo = {"value": "data:image/png;base64," + "A" * 5000, "type": "photo"}
    assert patched({"photos": [photo]})["photos"] == [photo]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"meta": {"attributes": "userName"}}, Mutability),
        ({"meta": {"attributes": {"a": 1}}}, InvalidSyntax),
        ({"meta": {"attributes": [1]}}, InvalidSyntax),
        ({"emails": [{"operation": "delete"}]}, InvalidValue),
        ({"id": "directory_user_9"}, Mutability),
        ({"active": "perhaps"}, InvalidValue),
    ],
)
def test_what_cannot_be_done_is_refused(body: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        patched(body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"members": [{"value": "u1", "display": "Inês"}]}, (AddMembers((MemberRef("u1", None, "Inês"),)),)),
        ({"members": [{"value": "u1", "operation": "delete"}]}, (RemoveMembers(("u1",)),)),
        (
            {"members": [{"value": "u2", "type": "User"}, {"value": "u1", "operation": "DELETE"}]},
            (RemoveMembers(("u1",)), AddMembers((MemberRef("u2", "User"),))),
        ),
        (
            {"meta": {"attributes": ["members"]}, "members": [{"value": "u3"}]},
            (RemoveAllMembers(), AddMembers((MemberRef("u3"),))),
        ),
        ({"members": []}, ()),
        ({"members": {"value": "u1"}}, (AddMembers((MemberRef("u1"),)),)),
        ({"displayName": "Crew"}, ()),
    ],
)
def test_a_merge_patch_of_members(body: dict[str, Any], expected: tuple[object, ...]) -> None:
    plan = split_members(parse_patch(patch_from_v1({"schemas": [CORE_URN], **body}, GROUP)), GROUP)
    assert plan.member_operations == expected


def test_a_patch_of_2_0_is_left_as_it_is() -> None:
    body = {"schemas": ["any"], "operations": [{"op": "replace", "path": "active", "value": False}]}
    assert patch_from_v1(body, USER) == body
