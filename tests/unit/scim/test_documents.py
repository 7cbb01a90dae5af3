from typing import Any

import pytest

from service.scim.documents import MemberRef, decode, merge_put
from service.scim.errors import InvalidSyntax, InvalidValue, ScimError
from service.scim.limits import MAX_ATTRIBUTES, MAX_DEPTH, MAX_KEY_BYTES, MAX_NAME_LENGTH, MAX_STRING_LENGTH
from service.scim.schema import ENTERPRISE_USER_URN as ENT
from service.scim.schema import GROUP, USER

ADSCIM = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"


def user(**attributes: Any) -> dict[str, Any]:
    return decode({"userName": "ada", **attributes}, USER).document


def rest(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "userName"}


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        pytest.param({"active": "False"}, {"active": False}, id="E02"),
        pytest.param({"active": "true"}, {"active": True}, id="L01"),
        pytest.param(
            {"emails": [{"value": "a", "primary": "True"}]}, {"emails": [{"value": "a", "primary": True}]}, id="rule-4"
        ),
        pytest.param({ENT: {"manager": "48af"}}, {ENT: {"manager": {"value": "48af"}}}, id="E08"),
        pytest.param({"manager": "48af"}, {ENT: {"manager": {"value": "48af"}}}, id="E09-bare-name"),
        pytest.param(
            {ENT: {"manager": [{"$ref": "http://h/Users/x", "value": "x"}]}},
            {ENT: {"manager": {"$ref": "http://h/Users/x", "value": "x"}}},
            id="E09",
        ),
        pytest.param(
            {"roles": [{"value": '{"id":"06b","value":"Admin","displayName":"Admin"}'}]},
            {"roles": [{"value": "Admin", "display": "Admin"}]},
            id="E10",
        ),
        pytest.param(
            {"roles": [{"value": "Admin", "displayName": "A", "type": "WindowsAzureActiveDirectoryRole"}]},
            {"roles": [{"value": "Admin", "display": "A", "type": "WindowsAzureActiveDirectoryRole"}]},
            id="E11",
        ),
        pytest.param({"meta": {"resourceType": "User"}, "roles": []}, {}, id="E13"),
        pytest.param(
            {"name.givenName": "Ada", "name": {"familyName": "B"}},
            {"name": {"familyName": "B", "givenName": "Ada"}},
            id="E06",
        ),
        pytest.param(
            {f"{ENT}:employeeNumber": "7", ENT: {"department": "R"}},
            {ENT: {"employeeNumber": "7", "department": "R"}},
            id="E07",
        ),
        pytest.param({"id": "x", "meta": {}, "groups": []}, {}, id="O05"),
        pytest.param({"password": "1mz050nq"}, {}, id="O06"),
        pytest.param({"name": {"middleName": "", "familyName": "U"}}, {"name": {"familyName": "U"}}, id="O14"),
        pytest.param(
            {ENT: {"employeeNumber": 701984, "costCenter": 4.5}},
            {ENT: {"employeeNumber": "701984", "costCenter": "4.5"}},
            id="O17",
        ),
        pytest.param({"externalId": 12}, {"externalId": "12"}, id="O17-core"),
        pytest.param({"id": None, "meta": {"resourceType": "User"}}, {}, id="L02"),
        pytest.param(
            {ENT: {"department": "", "manager": {"managerId": "77", "displayName": "  "}}},
            {ENT: {"manager": {"value": "77"}}},
            id="L03",
        ),
        pytest.param(
            {
                "emails": [
                    {"value": "a", "type": "work", "primary": True},
                    {"value": "b", "type": "home", "primary": True},
                ]
            },
            {
                "emails": [
                    {"value": "a", "type": "work", "primary": True},
                    {"value": "b", "type": "home", "primary": False},
                ]
            },
            id="P02",
        ),
        pytest.param(
            {
                "photos": [],
                "emails": [{"primary": True, "type": "other", "value": "a"}],
                "name": {"familyName": "", "formatted": "ada"},
            },
            {"emails": [{"primary": True, "type": "other", "value": "a"}], "name": {"formatted": "ada"}},
            id="K02",
        ),
        pytest.param({"name": '{"givenName":"Ada"}'}, {"name": {"givenName": "Ada"}}, id="X01"),
        pytest.param({ENT: '{"manager":"{\\"value\\":\\"7\\"}"}'}, {ENT: {"manager": {"value": "7"}}}, id="X01-nested"),
        pytest.param(
            {"EMAILS": [{"VALUE": "a", "Type": "work"}], "DisplayName": "A", ENT.upper(): {"Department": "R"}},
            {"emails": [{"value": "a", "type": "work"}], "displayName": "A", ENT: {"department": "R"}},
            id="rule-3",
        ),
        pytest.param(
            {"title": None, "name": {"givenName": None}, "emails": [None], ENT: {"manager": None}}, {}, id="rule-5"
        ),
        pytest.param(
            {"shoeSize": 9, "foo.bar": [None, 1], "urn:x:y:2.0": {"a": None, "b": 1}},
            {"shoeSize": 9, "foo.bar": [1], "urn:x:y:2.0": {"b": 1}},
            id="rule-6",
        ),
        pytest.param(
            {"emails": "a@x", "phoneNumbers": {"value": "1"}, "ims": ["x", "y"]},
            {"emails": [{"value": "a@x"}], "phoneNumbers": [{"value": "1"}], "ims": [{"value": "x"}, {"value": "y"}]},
            id="one-value-for-many",
        ),
        pytest.param({"emails": [{"type": "work", "value": "", "primary": True}]}, {}, id="a-type-alone-is-no-value"),
        pytest.param({"displayName": ["A"], "title": {"value": "T"}}, {"displayName": "A", "title": "T"}, id="wrapped"),
        pytest.param(
            {"roles": '[{"value":"a"}]', "entitlements": "{not json"},
            {"roles": [{"value": "a"}], "entitlements": [{"value": "{not json"}]},
            id="X01-list",
        ),
        pytest.param({"active": " "}, {}, id="O14-boolean"),
        pytest.param({"password.x": 1, "Password": "s"}, {"password.x": 1}, id="O06-case"),
        pytest.param({f"{ENT}:department": None, f"{ENT}:division": ""}, {}, id="E07-empty"),
        pytest.param({ENT: "text"}, {}, id="an-extension-must-be-an-object"),
        pytest.param({ENT: {"level": 5, "grade": None}}, {ENT: {"level": 5}}, id="unknown-extension-attribute"),
        pytest.param({"userType": " Employee "}, {"userType": " Employee "}, id="rule-10"),
    ],
)
def test_a_user_body_is_understood(sent: dict[str, Any], stored: dict[str, Any]) -> None:
    decoded = decode({"userName": "ada", **sent}, USER)
    assert rest(decoded.document) == stored


@pytest.mark.parametrize(
    "schemas", [None, [], ["urn:scim:schemas:core:1.0"], "x", ["urn:ietf:params:scim:schemas:core:2.0:Group"]]
)
def test_schemas_are_inferred_k01(schemas: object) -> None:
    assert user(schemas=schemas) == {"userName": "ada"}


def test_foreign_schema_urns_are_not_kept_e12() -> None:
    body = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group", ADSCIM],
        "externalId": "8a",
        "displayName": "Eng (EU)",
    }
    assert decode(body, GROUP).document == {"externalId": "8a", "displayName": "Eng (EU)"}


def test_a_group_extension_is_kept_as_sent_o15() -> None:
    body = {"displayName": "g", "urn:okta:custom:group:1.0": {"description": "d"}}
    assert decode(body, GROUP).document == body


def test_user_name_is_kept_exactly_as_sent() -> None:
    assert decode({"userName": " Ada@Contoso.COM "}, USER).document["userName"] == " Ada@Contoso.COM "


def test_the_body_is_not_changed() -> None:
    body = {
        "userName": "a",
        "emails": [{"value": "x", "primary": True}, {"value": "y", "primary": True}],
        "title": None,
    }
    copy = {
        "userName": "a",
        "emails": [{"value": "x", "primary": True}, {"value": "y", "primary": True}],
        "title": None,
    }
    decode(body, USER)
    assert body == copy


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ({"name": True}, "name"),
        ({"displayName": {"de": "A", "en": "B"}}, "displayName"),
        ({"displayName": True}, "displayName"),
        ({"title": ["a", "b"]}, "title"),
        ({"emails": [{"value": "a", "primary": "perhaps"}]}, "emails[0].primary"),
        ({"emails": [7, True]}, "emails[1]"),
    ],
)
def test_what_is_not_understood_is_kept_and_reported(sent: dict[str, Any], path: str) -> None:
    decoded = decode({"userName": "ada", **sent}, USER)
    assert [note.path for note in decoded.diagnostics] == [path]
    name = path.partition("[")[0]
    assert decoded.document[name] == sent[name] or path == "emails[1]"


def test_unknown_attributes_are_reported_but_extensions_are_not() -> None:
    decoded = decode({"userName": "ada", "shoeSize": 9, "urn:x:y": {"a": 1}}, USER)
    assert [(note.path, note.reason) for note in decoded.diagnostics] == [("shoeSize", "unknown attribute")]


@pytest.mark.parametrize("name", [None, "", "  ", [], {"a": 1}, True, ["a", "b"]])
def test_a_user_needs_a_user_name(name: object) -> None:
    with pytest.raises(InvalidValue, match="userName"):
        decode({"userName": name}, USER)
    with pytest.raises(InvalidValue, match="userName"):
        decode({}, USER)


def test_a_group_needs_a_display_name() -> None:
    with pytest.raises(InvalidValue, match="displayName"):
        decode({"displayName": ""}, GROUP)


@pytest.mark.parametrize("active", ["maybe", 2, {"a": 1}, "off duty", 0.5])
def test_an_active_that_cannot_be_read_is_refused_never_ignored(active: object) -> None:
    with pytest.raises(InvalidValue, match="active"):
        user(active=active)


@pytest.mark.parametrize("body", [None, [], "x", 1, True])
def test_a_body_must_be_an_object(body: object) -> None:
    with pytest.raises(InvalidSyntax):
        decode(body, USER)


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "extra",
    [
        {"title": "a\0b"},
        {"a\0b": "x"},
        {"title": "\ud800"},
        {"x": [{"y": "\0"}]},
        {"roles": [{"value": '{"value":"a\\u0000"}'}]},
        {"x": nested(MAX_DEPTH)},
        {"x": list(range(MAX_ATTRIBUTES))},
        {"k" * (MAX_NAME_LENGTH + 1): 1},
        {"title": "t" * (MAX_STRING_LENGTH + 1)},
        {"x": float("nan")},
        {"x": {1: 2}},
        {"roles": [{"value": '{"value":' + "[" * 60000}, {"x": "\0"}]},
    ],
    ids=str,
)
def test_what_cannot_be_stored_or_is_too_much_is_refused(extra: dict[str, Any]) -> None:
    with pytest.raises(ScimError) as caught:
        user(**extra)
    assert caught.value.detail
    assert len(caught.value.detail) < 200


def test_just_below_the_ceilings_is_accepted() -> None:
    assert user(x=nested(MAX_DEPTH - 1))
    assert user(**{"k" * MAX_NAME_LENGTH: 1, "title": "t" * MAX_STRING_LENGTH})


@pytest.mark.parametrize("name", ["userName", "externalId"])
@pytest.mark.parametrize("text", ["a" * MAX_KEY_BYTES, "ä" * (MAX_KEY_BYTES // 2), "\ufdfa" * 60])
def test_what_a_resource_is_found_by_has_a_ceiling_in_bytes(name: str, text: str) -> None:
    assert user(**{name: text})[name] == text
    with pytest.raises(InvalidValue, match=name):
        user(**{name: text + text[:1]})


def test_the_name_of_a_group_has_a_ceiling_too() -> None:
    with pytest.raises(InvalidValue, match="displayName"):
        decode({"displayName": "n" * (MAX_KEY_BYTES + 1)}, GROUP)


def test_a_new_user_is_active_unless_it_says_otherwise() -> None:
    assert decode({"userName": "a"}, USER).prepared == {"userName": "a", "active": True}
    assert decode({"userName": "a", "active": False}, USER).prepared["active"] is False
    assert decode({"displayName": "g"}, GROUP).prepared == {"displayName": "g"}


@pytest.mark.parametrize(
    ("old", "body", "merged"),
    [
        pytest.param(
            {"userName": "a", "active": False, "title": "T"},
            {"userName": "a"},
            {"userName": "a", "active": False},
            id="O07",
        ),
        pytest.param(
            {"userName": "a", "active": False},
            {"userName": "a", "active": True},
            {"userName": "a", "active": True},
            id="O07-reactivated",
        ),
        pytest.param({"userName": "a"}, {"userName": "b"}, {"userName": "b", "active": True}, id="bug-67"),
    ],
)
def test_put_of_a_user(old: dict[str, Any], body: dict[str, Any], merged: dict[str, Any]) -> None:
    assert merge_put(old, decode(body, USER)) == merged


def test_put_of_a_group_keeps_its_external_id_p01() -> None:
    old = {"displayName": "g", "externalId": "1", "urn:x:y": {"a": 1}}
    assert merge_put(old, decode({"displayName": "h"}, GROUP)) == {"displayName": "h", "externalId": "1"}
    assert merge_put(old, decode({"displayName": "h", "externalId": "2"}, GROUP))["externalId"] == "2"


def test_a_name_that_ends_in_a_dot_is_no_attribute() -> None:
    assert rest(user(**{"title.": "x", "groups.": [1]})) == {"title.": "x", "groups.": [1]}


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        pytest.param({"active": "Inactive"}, {"active": False}, id="a-status-as-active"),
        pytest.param({"active": 0.0}, {"active": False}, id="a-float-as-boolean"),
        pytest.param({"active": "Y"}, {"active": True}, id="a-letter-as-boolean"),
        pytest.param({"name": "Ada Byron"}, {"name": {"formatted": "Ada Byron"}}, id="a-name-as-text"),
        pytest.param({"addresses": "1 Main St"}, {"addresses": [{"formatted": "1 Main St"}]}, id="an-address-as-text"),
        pytest.param(
            {"department": "R", "employeeNumber": 7}, {ENT: {"department": "R", "employeeNumber": "7"}}, id="no-urn"
        ),
        pytest.param(
            {"urn:scim:schemas:extension:enterprise:1.0": {"division": "D"}}, {ENT: {"division": "D"}}, id="1.1"
        ),
        pytest.param(
            {"urn:ietf:params:scim:schemas:extension:enterprise:2.0": {"manager": "7"}},
            {ENT: {"manager": {"value": "7"}}},
            id="a-urn-cut-short",
        ),
        pytest.param({ENT: [{"department": "R"}]}, {ENT: {"department": "R"}}, id="an-extension-as-a-list-of-one"),
        pytest.param(
            {USER.schema.id.upper(): {"title": "T", "name.givenName": "A"}},
            {"title": "T", "name": {"givenName": "A"}},
            id="core-urn",
        ),
        pytest.param(
            {USER.schema.id: {"title": "T"}, "title": "U"}, {"title": "U"}, id="core-urn-beside-the-same-name"
        ),
    ],
)
def test_spellings_of_the_same_thing(sent: dict[str, Any], stored: dict[str, Any]) -> None:
    decoded = decode({"userName": "ada", **sent}, USER)
    assert rest(decoded.document) == stored
    assert decoded.diagnostics == ()


def test_everything_may_stand_under_the_urn_of_the_core_schema() -> None:
    nested = decode({USER.schema.id: {"userName": "ada"}}, USER)
    assert nested.document == {"userName": "ada"}
    group = decode({GROUP.schema.id: {"displayName": "g", "members": ["a"]}}, GROUP)
    assert (group.document, group.members) == ({"displayName": "g"}, (MemberRef("a"),))


@pytest.mark.parametrize(("sent", "stored"), [(1e16, 10**16), (-2.5e20, -25 * 10**19), (1e15, 1e15), (2.5, 2.5)])
def test_large_floats_are_the_integers_that_they_are(sent: float, stored: float) -> None:
    document = user(shoe=[sent])
    assert document["shoe"] == [stored]
    assert type(document["shoe"][0]) is type(stored)


def test_what_is_empty_is_no_value_also_where_no_schema_defines_it() -> None:
    assert rest(user(shoes=[], boots={}, shirts=[None], hats=[[]], **{"urn:x:y": {}})) == {"hats": [[]]}
