from typing import Any

import pytest

from service.scim.errors import InvalidValue, TooMany
from service.scim.filters import AttrPath, Present, to_text
from service.scim.members import (
    AddMembers,
    MemberOp,
    MemberPlan,
    MemberRef,
    RemoveAllMembers,
    RemoveMembers,
    RemoveMembersWhere,
    ReplaceMembers,
    apply_members,
    split_members,
)
from service.scim.messages import Operation, parse_patch
from service.scim.schema import GROUP

A, B, C = MemberRef("a"), MemberRef("b"), MemberRef("c")
URN = "urn:ietf:params:scim:schemas:core:2.0:Group"


def plan(*operations: dict[str, Any]) -> MemberPlan:
    return split_members(parse_patch({"Operations": list(operations)}), GROUP)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        pytest.param(
            {"op": "Add", "path": "members", "value": [{"$ref": None, "value": "a"}]},
            [AddMembers((A,))],
            id="Entra-add",
        ),
        pytest.param(
            {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": "a"}]},
            [RemoveMembers(("a",))],
            id="E05",
        ),
        pytest.param(
            {"op": "remove", "path": "members", "value": [{"value": "a", "display": "x"}, {"value": "b"}]},
            [RemoveMembers(("a", "b"))],
            id="J03",
        ),
        pytest.param(
            {"op": "remove", "path": "members", "value": []}, [RemoveMembers(())], id="E05-empty-list-removes-nobody"
        ),
        pytest.param(
            {"op": "remove", "path": "members", "value": {"members": [{"value": "a"}]}},
            [RemoveMembers(("a",))],
            id="W02",
        ),
        pytest.param({"op": "remove", "path": "members"}, [RemoveAllMembers()], id="Y02"),
        pytest.param({"op": "remove", "path": "members", "value": None}, [RemoveAllMembers()], id="Y02-null"),
        pytest.param({"op": "remove", "path": 'members[value eq "a"]'}, [RemoveMembers(("a",))], id="Okta-remove"),
        pytest.param(
            {"op": "remove", "path": 'members[value eq "a" or value eq "b"]'},
            [RemoveMembers(("a", "b"))],
            id="or-chain",
        ),
        pytest.param({"op": "remove", "path": 'MEMBERS[Value eq "a"]'}, [RemoveMembers(("a",))], id="X08"),
        pytest.param({"op": "remove", "path": f'{URN}:members[value eq "a"]'}, [RemoveMembers(("a",))], id="E03"),
        pytest.param(
            {"op": "replace", "path": "members", "value": [{"value": "a", "display": "A"}]},
            [ReplaceMembers((MemberRef("a", None, "A"),))],
            id="Okta-push",
        ),
        pytest.param({"op": "replace", "path": "members", "value": []}, [ReplaceMembers(())], id="replace-by-nobody"),
        pytest.param({"op": "replace", "path": "members", "value": None}, [ReplaceMembers(())], id="replace-by-null"),
        pytest.param({"op": "add", "value": {"members": [{"value": "a"}]}}, [AddMembers((A,))], id="X02"),
        pytest.param(
            {"op": "replace", "value": {"Members": [{"value": "a"}]}}, [ReplaceMembers((A,))], id="X02-replace"
        ),
        pytest.param({"op": "add", "path": "members", "value": {"value": "a"}}, [AddMembers((A,))], id="single"),
        pytest.param({"op": "add", "path": "members", "value": "a"}, [AddMembers((A,))], id="bare-id"),
        pytest.param({"op": "add", "path": "members.value", "value": "a"}, [AddMembers((A,))], id="sub-path"),
        pytest.param({"op": "add", "path": "members", "value": '[{"value":"a"}]'}, [AddMembers((A,))], id="X01"),
        pytest.param(
            {"op": "add", "path": "members", "value": [{"$ref": "Users/a"}]},
            [AddMembers((MemberRef("a", "User"),))],
            id="Y01",
        ),
        pytest.param(
            {"op": "add", "path": 'members[value eq "a"]', "value": {"value": "a", "type": "User"}},
            [AddMembers((MemberRef("a", "User"),))],
            id="E04",
        ),
        pytest.param(
            {"op": "replace", "path": 'members[value eq "a"]', "value": {"value": "b"}},
            [RemoveMembers(("a",)), AddMembers((B,))],
            id="replace-one-by-another",
        ),
        pytest.param(
            {"op": "replace", "path": 'members[value eq "a"].display', "value": "x"}, [], id="display-is-derived"
        ),
        pytest.param({"op": "add", "path": "members", "value": []}, [], id="add-nobody"),
        pytest.param({"op": "replace", "path": "members.display", "value": "x"}, [], id="display-of-all-is-derived"),
        pytest.param({"op": "remove", "path": 'members[value eq "a"].display'}, [], id="display-cannot-be-removed"),
    ],
)
def test_member_operations_are_recognised(operation: dict[str, Any], expected: list[MemberOp]) -> None:
    result = plan(operation)
    assert list(result.member_operations) == expected
    assert result.document_operations == ()
    assert result.diagnostics == ()


def test_other_filters_stay_filters() -> None:
    (operation,) = plan({"op": "remove", "path": 'members[type eq "Group" and value ne "x"]'}).member_operations
    assert isinstance(operation, RemoveMembersWhere)
    assert to_text(operation.filter) == 'type eq "Group" and value ne "x"'


def test_o02_o04_rename_removal_and_addition_in_one_request() -> None:
    result = plan(
        {"op": "replace", "value": {"id": "g", "displayName": "N"}},
        {"op": "remove", "path": 'members[value eq "a"]'},
        {"op": "add", "path": "members", "value": [{"value": "b"}]},
        {"op": "replace", "value": {"displayName": "M", "members": [{"value": "c"}]}},
        {"op": "replace", "path": "externalId", "value": "7"},
    )
    assert result.member_operations == (RemoveMembers(("a",)), AddMembers((B,)), ReplaceMembers((C,)))
    assert result.document_operations == (
        Operation("replace", None, {"id": "g", "displayName": "N"}, has_value=True),
        Operation("replace", None, {"displayName": "M"}, has_value=True),
        Operation("replace", "externalId", "7", has_value=True),
    )
    assert set(result.named) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("operation", "needs_all"),
    [
        (AddMembers((A,)), False),
        (RemoveMembers(("a",)), False),
        (ReplaceMembers((A,)), True),
        (RemoveAllMembers(), True),
        (RemoveMembersWhere(Present(AttrPath(None, "type"))), True),
    ],
)
def test_naming_members_needs_only_those(operation: MemberOp, needs_all: bool) -> None:
    assert MemberPlan((), (operation,)).needs_all is needs_all


def test_removal_without_path_is_left_to_be_refused() -> None:
    result = plan({"op": "remove", "value": {"members": [{"value": "a"}]}})
    assert result.member_operations == ()
    assert len(result.document_operations) == 1


@pytest.mark.parametrize(
    "operation",
    [{"op": "add", "path": "members"}, {"op": "replace", "path": 'members[type eq "User"]', "value": {"value": "a"}}],
)
def test_refusals(operation: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        plan(operation)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("members", [{"value": "a"}], AddMembers((A,))),
        (f"{URN}:Members", {"value": "a"}, AddMembers((A,))),
        ("members.value", "a", AddMembers((A,))),
        ('members[value eq "a"]', {"value": "a"}, AddMembers((A,))),
        ("members.display", "Ada", None),
    ],
)
def test_a_key_of_an_operation_without_path_means_what_the_path_means(
    key: str, value: Any, expected: MemberOp | None
) -> None:
    result = plan({"op": "add", "value": {key: value, "displayName": "g"}})
    assert result.member_operations == (() if expected is None else (expected,))
    assert [operation.value for operation in result.document_operations] == [{"displayName": "g"}]


def test_members_without_usable_id_are_reported() -> None:
    result = plan({"op": "add", "path": "members", "value": [{"value": "a"}, {"display": "?"}]})
    assert result.member_operations == (AddMembers((A,)),)
    assert [note.path for note in result.diagnostics] == ["members[1]"]


@pytest.mark.parametrize(
    ("operations", "added", "removed"),
    [
        ([AddMembers((B, C))], (C,), ()),
        ([RemoveMembers(("a", "x"))], (), ("a",)),
        ([RemoveMembers(("a",)), AddMembers((A,))], (), ()),
        ([AddMembers((C,)), RemoveMembers(("c",))], (), ()),
        ([RemoveAllMembers(), AddMembers((B, C))], (C,), ("a",)),
        ([ReplaceMembers((B, C))], (C,), ("a",)),
        ([ReplaceMembers(())], (), ("a", "b")),
    ],
)
def test_the_net_effect(operations: list[MemberOp], added: tuple[MemberRef, ...], removed: tuple[str, ...]) -> None:
    assert apply_members({"a": A, "b": B}, operations) == (added, removed)


@pytest.mark.parametrize(
    ("condition", "removed"),
    [
        ('type eq "Group"', ("g",)),
        ('type eq "user"', ("a",)),
        ('display sw "ops"', ("g",)),
        ('value eq "G"', ()),
        ('not (value eq "g")', ("a",)),
    ],
)
def test_removal_by_filter(condition: str, removed: tuple[str, ...]) -> None:
    operations = plan({"op": "remove", "path": f"members[{condition}]"}).member_operations
    assert apply_members({"a": A, "g": MemberRef("g", "Group", "Ops")}, operations) == ((), removed)


@pytest.mark.parametrize(
    ("display", "condition"), [("é" * 10_000, 'display co "z"'), ("x", f'display co "{"é" * 7000}"')]
)
def test_long_texts_count_as_more_work(display: str, condition: str) -> None:
    current = {str(number): MemberRef(str(number), "User", display) for number in range(100)}
    operations = plan(*[{"op": "remove", "path": f"members[{condition}]"}] * 100).member_operations
    with pytest.raises(TooMany):
        apply_members(current, operations)


def test_many_members_in_one_request_are_no_hostile_work() -> None:
    ids = [f"m{number}" for number in range(2000)]
    everyone = {member_id: MemberRef(member_id, "User", "Ada Lovelace") for member_id in ids}
    one_by_one = [{"op": "add", "path": "members", "value": [{"value": member_id}]} for member_id in ids]
    assert len(apply_members({}, plan(*one_by_one).member_operations)[0]) == 2000
    removals = [{"op": "remove", "path": f'members[value eq "{member_id}"]'} for member_id in ids]
    assert apply_members(everyone, plan(*removals).member_operations) == ((), tuple(ids))
    by_filter = {"op": "remove", "path": 'members[type eq "User" and display sw "Ada"]'}
    assert apply_members(everyone, plan(by_filter).member_operations) == ((), tuple(ids))


@pytest.mark.parametrize(
    "value",
    [
        [{"id": "a"}],
        [{"ref": "https://h/scim/v2/k/Users/a"}],
        [{"value": "https://h/scim/v2/k/Users/a"}],
        ["https://h/scim/v2/k/users/a/"],
        [[{"value": "a"}]],
        [{"value": " a "}],
        [{"value": {"value": "a"}}],
    ],
)
def test_other_ways_to_name_a_member(value: Any) -> None:
    result = plan({"op": "add", "path": "members", "value": value})
    assert [ref.value for op in result.member_operations if isinstance(op, AddMembers) for ref in op.refs] == ["a"]
    assert result.diagnostics == ()


def test_a_path_in_a_directory_is_not_a_url() -> None:
    result = plan({"op": "add", "path": "members", "value": ["corp.example/Users/Ada", "x/Users/b"]})
    assert result.named == ("corp.example/Users/Ada", "x/Users/b")


def test_members_under_the_urn_of_the_core_schema() -> None:
    nested = {URN: {"displayName": "g", "members": [{"value": "a"}]}}
    for operation in ({"op": "add", "value": nested}, {"op": "add", "path": URN, "value": nested[URN]}):
        result = plan(operation)
        assert result.member_operations == (AddMembers((A,)),)
        assert [rest.value for rest in result.document_operations] == [{"displayName": "g"}]
