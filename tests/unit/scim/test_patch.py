from copy import deepcopy
from typing import Any

import pytest

from service.scim.errors import InvalidFilter, InvalidPath, InvalidValue, Mutability, NoTarget, ScimError, TooMany
from service.scim.messages import Operation, parse_patch
from service.scim.patch import Patched, apply_patch
from service.scim.schema import ENTERPRISE_USER_URN as ENT
from service.scim.schema import GROUP, USER

WORK = {"type": "work", "value": "ada@x.org", "primary": True}
HOME = {"type": "home", "value": "ada@y.org"}
ADA: dict[str, Any] = {
    "userName": "ada",
    "active": True,
    "displayName": "Ada",
    "name": {"givenName": "Ada", "familyName": "Byron"},
    "emails": [WORK, HOME],
    ENT: {"department": "R&D", "manager": {"value": "77", "displayName": "Charles"}},
}


def patched(*operations: dict[str, Any], start: dict[str, Any] = ADA) -> Patched:
    before = deepcopy(start)
    result = apply_patch(start, parse_patch({"Operations": list(operations)}), USER, resource_id="me")
    assert start == before
    return result


def changed(*operations: dict[str, Any], start: dict[str, Any] = ADA) -> dict[str, Any]:
    """What differs from the start; removed attributes are None."""
    document = patched(*operations, start=start).document
    names = start.keys() | document.keys()
    return {name: document.get(name) for name in names if start.get(name) != document.get(name)}


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


def op(kind: str, path: str | None, value: Any = ...) -> dict[str, Any]:
    entry: dict[str, Any] = {"op": kind}
    if path is not None:
        entry["path"] = path
    if value is not ...:
        entry["value"] = value
    return entry


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


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        pytest.param(op("replace", 'addresses[type eq "nowhere"].streetAddress', "x"), NoTarget, id="rfc-noTarget"),
        pytest.param(op("replace", 'emails[value eq "nobody"].type', "home"), NoTarget, id="noTarget-value"),
        pytest.param(op("add", 'emails[value co "nobody"].type', "home"), NoTarget, id="nothing-describes-a-value"),
        pytest.param(op("add", 'name[givenName eq "Eve"].familyName', "x"), NoTarget, id="noTarget-single"),
        pytest.param(op("remove", None), NoTarget, id="X07"),
        pytest.param(op("remove", None, {"title": 1}), NoTarget, id="X07-value"),
        pytest.param(op("replace", "id", "x"), Mutability, id="id"),
        pytest.param(op("remove", "id"), Mutability, id="remove-id"),
        pytest.param(op("replace", None, {"id": "other"}), Mutability, id="O02-different"),
        pytest.param(op("replace", "meta.version", "x"), Mutability, id="meta"),
        pytest.param(op("add", "groups", [{"value": "g"}]), Mutability, id="groups"),
        pytest.param(op("remove", "userName"), Mutability, id="required"),
        pytest.param(op("replace", "userName", ""), InvalidValue, id="blank-userName"),
        pytest.param(op("replace", "userName", None), InvalidValue, id="null-userName"),
        pytest.param(op("replace", "userName", {"a": 1, "b": 2}), InvalidValue, id="object-userName"),
        pytest.param(op("replace", "active", "perhaps"), InvalidValue, id="active"),
        pytest.param(op("replace", "displayName"), InvalidValue, id="no-value"),
        pytest.param(op("replace", None, "text"), InvalidValue, id="no-object"),
        pytest.param(op("replace", 'emails[type eq "work"]', value=True), InvalidValue, id="no-object-for-value"),
        pytest.param(op("replace", "na me", 1), InvalidPath, id="path"),
        pytest.param(op("replace", "emails[0].value", 1), InvalidFilter, id="index"),
    ],
)
def test_refusals(operation: dict[str, Any], error: type[ScimError]) -> None:
    with pytest.raises(error):
        patched(op("replace", "nickName", "Gone"), operation)


def test_what_is_not_understood_is_kept_and_reported() -> None:
    result = patched(op("replace", "displayName", {"de": 1, "en": 2}), op("add", "shoeSize", 9))
    assert [note.path for note in result.diagnostics] == ["displayName", "shoeSize"]
    assert result.document["displayName"] == {"de": 1, "en": 2}


def test_an_empty_extension_disappears() -> None:
    start = {"userName": "a", ENT: {"department": "R"}}
    assert patched(op("remove", f"{ENT}:department"), start=start).document == {"userName": "a"}


def test_unknown_names_keep_the_spelling_they_have() -> None:
    start = {"userName": "a", "shoeSize": 9, "urn:X:y": {"Level": 1}}
    result = patched(op("replace", "SHOESIZE", 10), op("replace", "urn:x:Y:level", 2), start=start)
    assert result.document == {"userName": "a", "shoeSize": 10, "urn:X:y": {"Level": 2}}


def test_a_group_keeps_its_name() -> None:
    assert apply_patch(
        {"displayName": "g"}, (Operation("add", "externalId", "7", has_value=True),), GROUP
    ).document == {
        "displayName": "g",
        "externalId": "7",
    }
    with pytest.raises(Mutability):
        apply_patch({"displayName": "g"}, (Operation("remove", "displayName"),), GROUP)


def test_a_document_cannot_grow_without_limit() -> None:
    emails = [{"value": str(number), "type": "work"} for number in range(1500)]
    more = [{"value": f"x{number}", "type": "work"} for number in range(1500)]
    with pytest.raises(InvalidValue, match="5000"):
        patched(op("add", "emails", emails), op("add", "emails", more))


def test_hostile_work_has_a_ceiling() -> None:
    start = {"userName": "a", "emails": [{"value": str(number)} for number in range(1500)]}
    condition = " or ".join(f'value eq "z{number}"' for number in range(200))
    with pytest.raises(TooMany):
        patched(*[op("remove", f"emails[{condition}]")] * 20, start=start)
