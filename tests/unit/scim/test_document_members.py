"""Members are read apart from the document of their group, in every spelling."""

from typing import Any

import pytest

from service.scim.documents import Decoded, MemberRef, decode
from service.scim.errors import InvalidValue
from service.scim.schema import GROUP


def members(value: object) -> Decoded:
    return decode({"displayName": "g", "members": value}, GROUP)


@pytest.mark.parametrize(
    ("value", "refs"),
    [
        pytest.param([{"value": "u1"}], [MemberRef("u1")], id="O08"),
        pytest.param(
            [{"value": "u1", "display": "Ada", "type": "group"}], [MemberRef("u1", "Group", "Ada")], id="typed"
        ),
        pytest.param([{"$ref": None, "value": "f648"}], [MemberRef("f648")], id="E05"),
        pytest.param([{"$ref": "Users/x1"}], [MemberRef("x1", "User")], id="Y01"),
        pytest.param([{"$ref": "https://h/scim/v2/Groups/x1/"}], [MemberRef("x1", "Group")], id="Y01-absolute"),
        pytest.param([{"value": "a", "$ref": "Users/b"}], [MemberRef("a", "User")], id="value-wins"),
        pytest.param(["u1", 7], [MemberRef("u1"), MemberRef("7")], id="bare-ids"),
        pytest.param([{"VALUE": "u1"}], [MemberRef("u1")], id="case"),
        pytest.param([{"value": "u1"}, {"value": "u1", "display": "x"}], [MemberRef("u1")], id="bug-50"),
        pytest.param({"value": "u1"}, [MemberRef("u1")], id="single"),
        pytest.param({"members": [{"value": "u1"}]}, [MemberRef("u1")], id="W02"),
        pytest.param('[{"value":"u1"}]', [MemberRef("u1")], id="X01"),
        pytest.param([], [], id="empty"),
    ],
)
def test_members_are_read_apart_from_the_document(value: object, refs: list[MemberRef]) -> None:
    decoded = members(value)
    assert decoded.members == tuple(refs)
    assert decoded.document == {"displayName": "g"}
    assert decoded.diagnostics == ()


def test_silence_about_members_is_not_an_empty_list() -> None:
    assert decode({"displayName": "g"}, GROUP).members is None
    assert decode({"displayName": "g", "members": None}, GROUP).members is None
    assert decode({"displayName": "g", "MEMBERS": ["a"]}, GROUP).members == (MemberRef("a"),)
    assert decode({"displayName": "g", "urn:ietf:params:scim:schemas:core:2.0:Group:members": ["a"]}, GROUP).members


def test_a_member_without_usable_id_is_reported() -> None:
    decoded = members([{"display": "x"}, {"value": ""}, {"value": "ok"}, {"value": {"a": 1}}])
    assert decoded.members == (MemberRef("ok"),)
    assert [note.path for note in decoded.diagnostics] == ["members[0]", "members[1]", "members[3]"]


def test_a_member_id_with_nul_is_refused() -> None:
    with pytest.raises(InvalidValue):
        members([{"value": "a\0"}])


def test_members_have_a_ceiling_of_their_own() -> None:
    with pytest.raises(InvalidValue, match="100000"):
        members(["a"] * 100_001)


def test_a_member_list_that_is_no_json_is_taken_as_an_id() -> None:
    assert members("[not json").members == (MemberRef("[not json"),)


def test_a_member_may_be_shown_under_any_name() -> None:
    assert members([{"value": "a", "display": "Zoë"}]).members == (MemberRef("a", None, "Zoë"),)


@pytest.mark.parametrize("value", ["x" * 3000, "\U0001f600" * 1000, "\ufdfa" * 100])
def test_an_id_that_nobody_can_have_names_no_member(value: str) -> None:
    assert members([{"value": value}, {"value": "a"}]).members == (MemberRef("a"),)


def test_many_members_do_not_count_as_attributes() -> None:
    assert len(members([{"value": str(number)} for number in range(20_000)]).members or ()) == 20_000


@pytest.mark.parametrize(
    ("body", "members"),
    [
        ({"members.value": "a"}, (MemberRef("a"),)),
        ({"members.value": ["a", "b"]}, (MemberRef("a"), MemberRef("b"))),
        ({"members.display": "Ada"}, None),
    ],
)
def test_members_under_a_dotted_name_are_never_part_of_the_document(
    body: dict[str, Any], members: tuple[MemberRef, ...] | None
) -> None:
    decoded = decode({"displayName": "g", **body}, GROUP)
    assert (decoded.document, decoded.members) == ({"displayName": "g"}, members)
