from typing import Any

import pytest

from service.scim.schema import ENTERPRISE_USER_URN as ENT
from service.scim.schema import USER
from tests.unit.scim.patching import ADA, HOME, WORK, changed, op, patched


def test_rfc_add_without_path() -> None:
    value = {"emails": [{"value": "babs@jensen.org", "type": "home"}], "nickName": "Babs"}
    assert changed({"op": "add", "value": value}) == {
        "emails": [WORK, HOME, {"value": "babs@jensen.org", "type": "home"}],
        "nickName": "Babs",
    }


def test_rfc_remove_by_compound_filter() -> None:
    operation = {"op": "remove", "path": 'emails[type eq "work" and value ew "x.org"]'}
    assert changed(operation) == {"emails": [HOME]}


ADDRESSES = {
    "userName": "a",
    "addresses": [
        {"type": "work", "streetAddress": "old", "locality": "Hollywood"},
        {"type": "home", "streetAddress": "home st"},
    ],
}


def test_rfc_replace_one_address() -> None:
    value = {"type": "work", "streetAddress": "911 Universal City Plaza", "postalCode": "91608", "primary": True}
    operation = {"op": "replace", "path": 'addresses[type eq "work"]', "value": value}
    assert changed(operation, start=ADDRESSES) == {"addresses": [value, ADDRESSES["addresses"][1]]}


def test_rfc_replace_one_sub_attribute_of_one_address() -> None:
    operation = {"op": "replace", "path": 'addresses[type eq "work"].streetAddress', "value": "1010 Broadway Ave"}
    assert changed(operation, start=ADDRESSES)["addresses"][0] == {
        "type": "work",
        "streetAddress": "1010 Broadway Ave",
        "locality": "Hollywood",
    }


def test_rfc_replace_without_path() -> None:
    emails = [{"value": "b@example.com", "type": "work", "primary": True}, {"value": "babs@jensen.org", "type": "home"}]
    assert changed({"op": "replace", "value": {"emails": emails, "nickName": "Babs"}}) == {
        "emails": emails,
        "nickName": "Babs",
    }


ROLE = '{"id":"06b07648","value":"Admin","displayName":"Admin"}'
MOBILE = [{"type": "mobile", "value": "+1 555"}]


@pytest.mark.parametrize(
    ("operation", "change"),
    [
        pytest.param(op("Replace", "displayName", "Ada L"), {"displayName": "Ada L"}, id="E01"),
        pytest.param(op("Replace", "active", "False"), {"active": False}, id="E02"),
        pytest.param(
            op("Add", f"{ENT}:department", "Retail"),
            {ENT: {"department": "Retail", "manager": {"value": "77", "displayName": "Charles"}}},
            id="E03",
        ),
        pytest.param(op("Add", 'phoneNumbers[type eq "mobile"].value', "+1 555"), {"phoneNumbers": MOBILE}, id="E04"),
        pytest.param(
            op("Add", 'phoneNumbers[type eq "mobile"]', {"value": "+1 555"}), {"phoneNumbers": MOBILE}, id="E04-whole"
        ),
        pytest.param(
            op("add", 'addresses[type eq "nowhere"].locality', "X"),
            {"addresses": [{"type": "nowhere", "locality": "X"}]},
            id="E04-any-type",
        ),
        pytest.param(
            op("Replace", 'phoneNumbers[type eq "mobile"].value', "+1 555"), {"phoneNumbers": MOBILE}, id="E04-replace"
        ),
        pytest.param(
            op("Replace", 'roles[primary eq "True"].value', "Admin"),
            {"roles": [{"primary": True, "value": "Admin"}]},
            id="E04-primary",
        ),
        pytest.param(
            op("Replace", 'emails[type eq "work"].value', "l@x"),
            {"emails": [{**WORK, "value": "l@x"}, HOME]},
            id="bug-15",
        ),
        pytest.param(
            op("replace", None, {"name.givenName": "A", "name.familyName": "L", "title": "T"}),
            {"name": {"givenName": "A", "familyName": "L"}, "title": "T"},
            id="E06",
        ),
        pytest.param(
            op("add", None, {"name.givenName": "A"}), {"name": {"givenName": "A", "familyName": "Byron"}}, id="E06-add"
        ),
        pytest.param(
            op("replace", None, {f"{ENT}:employeeNumber": "7", f"{ENT}:department": "X"}),
            {ENT: {"employeeNumber": "7", "department": "X", "manager": {"value": "77", "displayName": "Charles"}}},
            id="E07",
        ),
        pytest.param(
            op("replace", None, {'emails[type eq "work"].value': "l@x"}),
            {"emails": [{**WORK, "value": "l@x"}, HOME]},
            id="E06-filter",
        ),
        pytest.param(
            op("replace", None, {ENT: {"department": "X"}}),
            {ENT: {"department": "X", "manager": {"value": "77", "displayName": "Charles"}}},
            id="E07-object",
        ),
        pytest.param(
            op("Add", f"{ENT}:manager", "2c2f"), {ENT: {"department": "R&D", "manager": {"value": "2c2f"}}}, id="E08"
        ),
        pytest.param(
            op("Add", "manager", [{"$ref": "http://h/Users/x", "value": "x"}]),
            {ENT: {"department": "R&D", "manager": {"$ref": "http://h/Users/x", "value": "x"}}},
            id="E09",
        ),
        pytest.param(
            op("replace", "manager.value", "x"), {ENT: {"department": "R&D", "manager": {"value": "x"}}}, id="E09-sub"
        ),
        pytest.param(
            op("Add", "roles", [{"value": ROLE}]), {"roles": [{"value": "Admin", "display": "Admin"}]}, id="E10"
        ),
        pytest.param(
            op("Add", "roles", [{"value": "A", "displayName": "B"}]),
            {"roles": [{"value": "A", "display": "B"}]},
            id="E11",
        ),
        pytest.param(op("replace", None, {"active": False}), {"active": False}, id="O01"),
        pytest.param(op("replace", None, '{"active":"false"}'), {"active": False}, id="O01-serialized"),
        pytest.param(op("replace", None, {"id": "me", "displayName": "N"}), {"displayName": "N"}, id="O02"),
        pytest.param(op("replace", "id", "me"), {}, id="O02-path"),
        pytest.param(op("replace", "displayName", "Ada"), {}, id="O03"),
        pytest.param(op("replace", "title", ""), {}, id="O14-absent"),
        pytest.param(op("replace", "displayName", ""), {"displayName": None}, id="O14"),
        pytest.param(
            op("replace", f"{ENT}:employeeNumber", 701984), {ENT: {**ADA[ENT], "employeeNumber": "701984"}}, id="O17"
        ),
        pytest.param(
            op("replace", None, {"schemas": ["x"], "id": "me", "meta": {}, "groups": [], "displayName": "N"}),
            {"displayName": "N"},
            id="K04",
        ),
        pytest.param(op("replace", "name", '{"givenName":"A"}'), {"name": {"givenName": "A"}}, id="X01"),
        pytest.param(
            op("add", "emails", [{"type": "other", "value": "o", "primary": True}]),
            {"emails": [{**WORK, "primary": False}, HOME, {"type": "other", "value": "o", "primary": True}]},
            id="X04",
        ),
        pytest.param(
            op("replace", 'emails[type eq "home"].primary', "True"),
            {"emails": [{**WORK, "primary": False}, {**HOME, "primary": True}]},
            id="X04-filter",
        ),
        pytest.param(
            op("replace", "emails", [{"value": "a", "primary": True}, {"value": "b", "primary": True}]),
            {"emails": [{"value": "a", "primary": False}, {"value": "b", "primary": True}]},
            id="X04-replace",
        ),
        pytest.param(op("replace", "shoeSize", 9), {"shoeSize": 9}, id="X05"),
        pytest.param(op("replace", "name.nick", "A"), {"name": {**ADA["name"], "nick": "A"}}, id="X05-sub"),
        pytest.param(op("add", "urn:x:y:z", 1), {"urn:x:y": {"z": 1}}, id="X05-urn"),
        pytest.param(
            op("add", None, {"urn:okta:custom:group:1.0": {"d": 1}}), {"urn:okta:custom:group:1.0": {"d": 1}}, id="O15"
        ),
        pytest.param(op("remove", "nickName"), {}, id="X06"),
        pytest.param(op("remove", 'emails[type eq "other"]'), {}, id="X06-filter"),
        pytest.param(op("remove", f"{ENT}:costCenter"), {}, id="X06-extension"),
        pytest.param(op("remove", "name.middleName"), {}, id="X06-sub"),
        pytest.param(op("remove", "shoeSize"), {}, id="X06-unknown"),
        pytest.param(
            op("replace", "Name.GivenName", "A"), {"name": {"givenName": "A", "familyName": "Byron"}}, id="X08"
        ),
        pytest.param(
            op("replace", 'EMAILS[Type eq "Work"].Value', "l"),
            {"emails": [{**WORK, "value": "l"}, HOME]},
            id="X08-filter",
        ),
        pytest.param(op("replace", "displayName", None), {"displayName": None}, id="rule-5"),
        pytest.param(op("replace", "emails", []), {"emails": None}, id="rule-5-empty"),
        pytest.param(op("add", "emails", []), {}, id="adding-nothing"),
        pytest.param(op("add", "name", {"givenName": None}), {"name": {"familyName": "Byron"}}, id="rule-5-sub"),
        pytest.param(op("remove", "name.givenName"), {"name": {"familyName": "Byron"}}, id="remove-sub"),
        pytest.param(op("remove", ENT), {ENT: None}, id="remove-extension"),
        pytest.param(
            op("remove", 'emails[type eq "work"].primary'),
            {"emails": [{"type": "work", "value": "ada@x.org"}, HOME]},
            id="remove-sub-of-selected",
        ),
        pytest.param(op("remove", 'emails[type eq "work"].value'), {"emails": [HOME]}, id="nothing-but-a-type-is-left"),
        pytest.param(op("remove", "emails", [{"value": "ada@y.org"}]), {"emails": [WORK]}, id="E05-any-attribute"),
        pytest.param(op("add", "emails", [{"value": "ada@x.org"}]), {}, id="present-value-is-not-added-again"),
        pytest.param(
            op("add", "emails", {"value": "ada@y.org", "display": "A"}),
            {"emails": [WORK, {**HOME, "display": "A"}]},
            id="present-value-takes-what-is-new",
        ),
        pytest.param(
            op("replace", None, {"emails.value": "only"}),
            {"emails": [{**WORK, "value": "only"}, {**HOME, "value": "only"}]},
            id="sub-of-every-value",
        ),
        pytest.param(op("add", "phoneNumbers.value", "1"), {"phoneNumbers": [{"value": "1"}]}, id="sub-of-no-value"),
        pytest.param(op("replace", "emails", "only"), {"emails": [{"value": "only"}]}, id="text-for-a-list"),
        pytest.param(
            op("replace", 'emails[type eq "work"]', "l"),
            {"emails": [{**WORK, "value": "l"}, HOME]},
            id="text-for-a-value",
        ),
        pytest.param(
            op("replace", 'emails[type eq "work"]', {"value": "l"}),
            {"emails": [{"type": "work", "value": "l"}, HOME]},
            id="bug-69",
        ),
        pytest.param(op("replace", 'emails[type eq "work"]', None), {"emails": [HOME]}, id="null-for-a-value"),
        pytest.param(op("replace", "active", {"active": False}), {"active": False}, id="wrapped-value"),
        pytest.param(op("replace", "password", "s3cret"), {}, id="O06"),
        pytest.param(op("replace", "schemas", ["x"]), {}, id="K04-path"),
        pytest.param(op("replace", "title", "T "), {"title": "T "}, id="rule-10"),
        pytest.param(op("replace", "active", None), {}, id="active-is-never-unassigned"),
        pytest.param(op("replace", None, {"active": ""}), {}, id="active-is-never-blank"),
        pytest.param(op("replace", "/title", "T"), {"title": "T"}, id="json-patch-path"),
        pytest.param(
            op("replace", "/name/givenName", "A"),
            {"name": {"givenName": "A", "familyName": "Byron"}},
            id="json-patch-path-of-a-sub-attribute",
        ),
        pytest.param(
            op("replace", "emails[type eq 'home'].value", "h"), {"emails": [WORK, {**HOME, "value": "h"}]}, id="quotes"
        ),
        pytest.param(op("replace", USER.schema.id, {"title": "T"}), {"title": "T"}, id="core-urn-as-path"),
        pytest.param(op("replace", None, {USER.schema.id: {"title": "T"}}), {"title": "T"}, id="core-urn-as-key"),
        pytest.param(
            op("replace", None, [{"title": "T"}, {"active": "False"}]), {"title": "T", "active": False}, id="list"
        ),
        pytest.param(op("replace", "name", "Ada B"), {"name": {"formatted": "Ada B"}}, id="a-name-as-text"),
        pytest.param(
            op("replace", "costCenter", 7), {ENT: {**ADA[ENT], "costCenter": "7"}}, id="enterprise-without-urn"
        ),
    ],
)
def test_dialects(operation: dict[str, Any], change: dict[str, Any]) -> None:
    assert changed(operation) == change


def test_o04_operations_apply_in_order() -> None:
    operations = [
        op("remove", "emails"),
        op("add", "emails", [HOME]),
        op("add", 'emails[type eq "home"].display', "H"),
        op("replace", 'emails[display eq "H"].value', "z"),
    ]
    assert changed(*operations) == {"emails": [{"type": "home", "value": "z", "display": "H"}]}


def test_e10_post_and_patch_forms_are_the_same_role() -> None:
    start = {
        "userName": "a",
        "roles": [{"primary": True, "type": "WindowsAzureActiveDirectoryRole", "value": "Admin", "display": "Admin"}],
    }
    assert changed(op("Add", "roles", [{"value": ROLE}]), start=start) == {}


def test_bug_53_attributes_and_reactivation_in_one_request() -> None:
    start = {**ADA, "active": False}
    assert changed(op("replace", "displayName", "N"), op("replace", "active", "True"), start=start) == {
        "displayName": "N",
        "active": True,
    }


def test_a_name_that_the_document_has_as_it_is_written_stands_for_itself() -> None:
    start = {"userName": "a", "shoe.size": 9, "urn:x:y": 1, "emails.shape": 1, "emails": [HOME]}
    change = {"shoe.size": 10, "urn:x:y": 2, "emails.shape": 2}
    assert changed(op("replace", None, change), start=start) == change


def test_a_leaver_is_not_brought_back_by_silence() -> None:
    result = patched(op("replace", "active", None), start={**ADA, "active": False})
    assert result.document["active"] is False
    assert [note.path for note in result.diagnostics] == ["active"]


def test_active_is_removed_when_it_is_named() -> None:
    """RFC 7644 section 3.5.2.2; scim2-tester asks for it."""
    result = patched(op("remove", "active"))
    assert "active" not in result.document
    assert result.diagnostics == ()
