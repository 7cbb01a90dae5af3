from typing import Any

import pytest

from service.scim.errors import InvalidFilter, InvalidPath, InvalidValue, Mutability, NoTarget, ScimError, TooMany
from service.scim.messages import Operation
from service.scim.patch import apply_patch
from service.scim.schema import ENTERPRISE_USER_URN as ENT
from service.scim.schema import GROUP
from tests.unit.scim.patching import changed, op, patched


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


RAW = {"userName": "a", "badges": [{"kind": "x", "n": 1}, {"kind": "y"}], "shoe": {"size": 9}, "tags": ["a"]}


@pytest.mark.parametrize(
    ("operation", "change"),
    [
        (op("replace", 'badges[kind eq "x"].n', 2), {"badges": [{"kind": "x", "n": 2}, {"kind": "y"}]}),
        (op("replace", 'badges[kind eq "x"]', {"n": 3}), {"badges": [{"kind": "x", "n": 3}, {"kind": "y"}]}),
        (op("replace", 'badges[kind eq "x"].n', None), {"badges": [{"kind": "x"}, {"kind": "y"}]}),
        (
            op("replace", 'badges[kind eq "z"].n', 2),
            {"badges": [{"kind": "x", "n": 1}, {"kind": "y"}, {"kind": "z", "n": 2}]},
        ),
        (op("remove", 'badges[kind eq "x"]'), {"badges": [{"kind": "y"}]}),
        (op("replace", "shoe.width", 3), {"shoe": {"size": 9, "width": 3}}),
        (op("remove", "shoe.size"), {"shoe": None}),
        (op("add", "tags", ["a", "b"]), {"tags": ["a", "b"]}),
        (op("replace", "tags", ["b"]), {"tags": ["b"]}),
        (op("replace", None, {"not a name": 1}), {"not a name": 1}),
        (op("replace", None, {"urn:x:y:User": {"a": 1}}), {"urn:x:y:User": {"a": 1}}),
        (op("replace", "urn:x:y:User", None), {}),
        (op("remove", "urn:x:y"), {}),
        (op("replace", ENT, None), {}),
        (op("replace", ENT, "text"), {}),
        (op("add", ENT, '{"department":"R","level":5}'), {ENT: {"department": "R", "level": 5}}),
        (op("add", 'emails[value eq "x" and value eq "y"].type', "work"), NoTarget),
        (op("add", "emails", [True]), {"emails": [True]}),
    ],
)
def test_x05_unknown_attributes_are_edited_as_they_are(operation: dict[str, Any], change: Any) -> None:
    if isinstance(change, dict):
        assert changed(operation, start=RAW) == change
    else:
        with pytest.raises(change):
            patched(operation, start=RAW)


def test_another_manager_in_object_form_has_nothing_of_the_former() -> None:
    assert changed(op("replace", "manager", {"value": "78"}))[ENT]["manager"] == {"value": "78"}
    assert changed(op("replace", "manager", {"value": "77"})) == {}
    assert changed(op("replace", "manager", {"displayName": "C"}))[ENT]["manager"] == {
        "value": "77",
        "displayName": "C",
    }


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


@pytest.mark.parametrize(
    ("element", "condition"),
    [
        ({"formatted": "é" * 100_000}, 'formatted co "z"'),
        ({"formatted": ["é" * 1000] * 100}, 'formatted co "z"'),
        ({"formatted": ["x"] * 4000}, 'formatted co "z"'),
        ({"formatted": "x"}, f'formatted co "{"é" * 7000}"'),
    ],
)
def test_long_texts_count_as_more_work(element: dict[str, Any], condition: str) -> None:
    start = {"userName": "a", "addresses": [element] * 5}
    operations = [op("remove", f"addresses[{condition}]")] * 1000
    with pytest.raises(TooMany):
        patched(*operations, start=start)


LARGE = {f"k{number}": "v" for number in range(4000)}


@pytest.mark.parametrize(
    ("start", "operation"),
    [
        ({"roles": [LARGE]}, op("add", "roles", [{"display": "x"}])),
        ({"roles": [LARGE]}, op("remove", "roles", [{"display": "x"}])),
        ({"badges": [LARGE]}, op("add", "badges", [{"kind": "x"}])),
        ({"roles": [{"value": "x", "of": [*LARGE]}]}, op("add", "roles", [{"value": "x", "of": [*LARGE]}])),
    ],
)
def test_large_values_count_as_more_work(start: dict[str, Any], operation: dict[str, Any]) -> None:
    document = {"userName": "a", **start}
    with pytest.raises(TooMany):
        patched(*[operation] * 1000, start=document)
    patched(operation, start=document)


def test_what_providers_send_is_far_below_the_ceiling() -> None:
    start = {"userName": "a", "entitlements": [{"value": f"e{number}"} for number in range(300)]}
    one_by_one = [op("remove", f'entitlements[value eq "e{number}"]') for number in range(100)]
    assert len(patched(*one_by_one, start=start).document["entitlements"]) == 200
