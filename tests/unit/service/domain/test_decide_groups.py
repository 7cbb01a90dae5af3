"""Commands on groups and their members: what they change, announce and refuse, and what they look at."""

from typing import Any

import pytest

from service.domain.change import ChangeType, GroupMember
from service.domain.commands import CreateGroup, CreateUser, DeleteGroup, DeleteUser, PatchGroup, ReplaceGroup
from service.domain.decision import Decision
from service.domain.errors import NotFoundError
from service.domain.policy import Policy
from service.scim.documents import decode
from service.scim.errors import Mutability, Uniqueness
from service.scim.members import split_members
from service.scim.messages import parse_patch
from service.scim.schema import GROUP, USER
from tests.support.state import World, group, user

ADDED, REMOVED = ChangeType.MEMBER_ADDED, ChangeType.MEMBER_REMOVED


def body(name: str, *members: str, **attributes: Any) -> Any:
    return decode({"displayName": name, "members": [{"value": value} for value in members], **attributes}, GROUP)


def patch(group_id: str, *operations: dict[str, Any]) -> PatchGroup:
    return PatchGroup(group_id, split_members(parse_patch({"Operations": list(operations)}), GROUP))


def told(decision: Decision) -> list[tuple[ChangeType, str]]:
    return [
        (change.type, change.entity.member.member_id if isinstance(change.entity, GroupMember) else change.entity.id)
        for change in decision.changes
    ]


@pytest.fixture
def world() -> World:
    people = [user(f"u{index}", f"user{index}") for index in range(1, 5)]
    return World(people, [group("g1", "Eng"), group("g2", "All")], {"g1": ["u1", "u2"]})


def test_create_announces_the_group_then_its_members(world: World) -> None:
    decision = world.decide(CreateGroup("g9", body("New", "u1", "u1", "nobody")))
    assert told(decision) == [(ChangeType.GROUP_CREATED, "g9"), (ADDED, "u1")]
    assert [member.name for member in decision.outcome.members or ()] == ["user1"]


def test_idp_id_is_the_external_id_else_the_name_it_was_created_with(world: World) -> None:
    assert world.decide(CreateGroup("g8", body("New", externalId="x1"))).outcome.entity.idp_id == "x1"
    assert world.decide(CreateGroup("g9", body("Named"))).outcome.entity.idp_id == "Named"
    renamed = world.decide(patch("g9", {"op": "replace", "path": "displayName", "value": "Other"}))
    assert renamed.outcome.entity.idp_id == "Named"


def test_adding_a_member_looks_at_that_member_only(world: World) -> None:
    decision = world.decide(patch("g1", {"op": "Add", "path": "members", "value": [{"value": "u3", "$ref": None}]}))
    assert told(decision) == [(ADDED, "u3")]
    assert not world.asked_for_all_members
    assert decision.outcome.entity.version == 2


def test_adding_a_present_member_is_nothing(world: World) -> None:
    decision = world.decide(patch("g1", {"op": "add", "path": "members", "value": [{"value": "u1"}]}))
    assert not decision.outcome.changed
    assert decision.changes == ()


def test_entra_remove_with_a_value_list_removes_only_those(world: World) -> None:
    decision = world.decide(
        patch("g1", {"op": "Remove", "path": "members", "value": [{"value": "u1"}, {"value": "u4"}]})
    )
    assert told(decision) == [(REMOVED, "u1")]
    assert decision.changes[0].entity.member.name == "user1"
    assert not world.asked_for_all_members


def test_members_are_announced_in_the_order_in_which_they_were_named() -> None:
    many = [f"m{index}" for index in range(30)]
    crowd = World([user(one, one) for one in many], [group("g1", "Eng")], {"g1": many})
    backwards = [{"value": one} for one in reversed(many)]
    decision = crowd.decide(patch("g1", {"op": "remove", "path": "members", "value": backwards}))
    assert told(decision) == [(REMOVED, one) for one in reversed(many)]


def test_when_all_members_go_they_go_in_the_order_of_their_ids() -> None:
    crowd = World([user(one, one) for one in "cab"], [group("g1", "Eng")], {"g1": list("cab")})
    decision = crowd.decide(patch("g1", {"op": "remove", "path": "members"}))
    assert told(decision) == [(REMOVED, "a"), (REMOVED, "b"), (REMOVED, "c")]


def test_okta_removes_one_and_adds_another_in_one_request(world: World) -> None:
    decision = world.decide(
        patch(
            "g1",
            {"op": "remove", "path": 'members[value eq "u1"]'},
            {"op": "add", "path": "members", "value": [{"value": "u3", "display": "x"}]},
        )
    )
    assert told(decision) == [(REMOVED, "u1"), (ADDED, "u3")]


def test_okta_rename_with_every_membership_change_announces_no_rename(world: World) -> None:
    decision = world.decide(
        patch(
            "g1",
            {"op": "replace", "value": {"id": "g1", "displayName": "Eng"}},
            {"op": "add", "path": "members", "value": [{"value": "u3"}]},
        )
    )
    assert told(decision) == [(ADDED, "u3")]


def test_okta_sends_the_groups_id_with_its_name_and_another_id_is_refused(world: World) -> None:
    rename = {"op": "replace", "value": {"id": "g1", "displayName": "Renamed"}}
    assert told(world.decide(patch("g1", rename))) == [(ChangeType.GROUP_UPDATED, "g1")]
    with pytest.raises(Mutability):
        world.decide(patch("g2", rename))


def test_replace_members_announces_the_difference(world: World) -> None:
    decision = world.decide(
        patch("g1", {"op": "replace", "path": "members", "value": [{"value": "u2"}, {"value": "u3"}]})
    )
    assert told(decision) == [(REMOVED, "u1"), (ADDED, "u3")]


def test_put_replaces_the_members(world: World) -> None:
    decision = world.decide(ReplaceGroup("g1", body("Eng", "u2", "u4")))
    assert told(decision) == [(REMOVED, "u1"), (ADDED, "u4")]
    assert {member.member_id for member in decision.outcome.members or ()} == {"u2", "u4"}


def test_put_without_members_leaves_them(world: World) -> None:
    decision = world.decide(ReplaceGroup("g1", decode({"displayName": "Engineers"}, GROUP)))
    assert told(decision) == [(ChangeType.GROUP_UPDATED, "g1")]
    assert decision.changes[0].previous == {"name": "Eng", "raw_attributes": {"displayName": "Eng"}}


def test_put_with_an_empty_list_empties_the_group(world: World) -> None:
    assert told(world.decide(ReplaceGroup("g1", body("Eng")))) == [(REMOVED, "u1"), (REMOVED, "u2")]


def test_a_group_in_a_group_is_announced_as_such(world: World) -> None:
    decision = world.decide(patch("g2", {"op": "add", "path": "members", "value": [{"value": "g1"}, {"value": "u1"}]}))
    assert told(decision) == [(ChangeType.NESTED_GROUP_ADDED, "g1"), (ADDED, "u1")]


def test_a_group_is_never_a_member_of_itself(world: World) -> None:
    decision = world.decide(patch("g1", {"op": "add", "path": "members", "value": [{"value": "g1"}, {"value": "u3"}]}))
    assert told(decision) == [(ADDED, "u3")]


def test_a_user_deleted_earlier_in_the_batch_cannot_become_a_member(world: World) -> None:
    world.decide(DeleteUser("u3"))
    decision = world.decide(patch("g1", {"op": "add", "path": "members", "value": [{"value": "u3"}]}))
    assert not decision.outcome.changed


def test_a_user_deleted_earlier_in_the_batch_is_no_member_any_more(world: World) -> None:
    world.decide(DeleteUser("u1"))
    decision = world.decide(patch("g1", {"op": "remove", "path": "members"}))
    assert told(decision) == [(REMOVED, "u2")]


def test_delete_announces_the_group_and_no_memberships(world: World) -> None:
    assert told(world.decide(DeleteGroup("g1"))) == [(ChangeType.GROUP_DELETED, "g1")]
    with pytest.raises(NotFoundError):
        world.decide(DeleteGroup("g1"))


def test_two_groups_may_bear_one_name_unless_the_provider_finds_groups_by_it() -> None:
    assert World(groups=[group("g1", "Eng")]).decide(CreateGroup("g2", body("eng"))).outcome.changed
    with pytest.raises(Uniqueness):
        World(groups=[group("g1", "Eng")], provider="entra").decide(CreateGroup("g2", body("eng")))


def test_the_directorys_policy_stands_above_its_providers() -> None:
    strict = World(groups=[group("g1", "Eng")], policy=Policy(unique_group_names=True))
    with pytest.raises(Uniqueness):
        strict.decide(CreateGroup("g2", body("ENG")))
    lenient = World(groups=[group("g1", "Eng")], provider="entra", policy=Policy(unique_group_names=False))
    assert lenient.decide(CreateGroup("g2", body("Eng"))).outcome.changed


def test_all_members_loaded_late_are_as_the_batch_left_them(world: World) -> None:
    world.decide(patch("g1", {"op": "add", "path": "members", "value": [{"value": "u3"}]}))
    world.decide(patch("g1", {"op": "remove", "path": 'members[value eq "u1"]'}))
    assert not world.asked_for_all_members
    assert told(world.decide(patch("g1", {"op": "remove", "path": "members"}))) == [(REMOVED, "u2"), (REMOVED, "u3")]


def test_a_name_given_earlier_in_the_batch_is_taken() -> None:
    world = World(groups=[group("g1", "Eng")], provider="entra")
    world.decide(patch("g1", {"op": "replace", "path": "displayName", "value": "Dev"}))
    assert world.decide(CreateGroup("g2", body("Eng"))).outcome.changed
    with pytest.raises(Uniqueness):
        world.decide(CreateGroup("g3", body("dev")))


def create_user(user_id: str, user_name: str, **attributes: Any) -> CreateUser:
    return CreateUser(user_id, decode({"userName": user_name, **attributes}, USER))


@pytest.mark.parametrize("value", ["ext-9", "Late@X.org"])
def test_a_reference_to_a_user_that_does_not_exist_yet_becomes_a_membership_when_it_arrives(value: str) -> None:
    world = World(groups=[group("g1", "Eng")])
    waiting = world.decide(patch("g1", {"op": "add", "path": "members", "value": [{"value": value}]}))
    assert not waiting.outcome.changed
    assert waiting.writes
    arrived = world.decide(create_user("u9", "late@x.org", externalId="ext-9"))
    assert told(arrived) == [(ChangeType.USER_CREATED, "u9"), (ADDED, "u9")]
    assert arrived.writes.groups[("directory_1", "g1")].version == 2
    again = world.decide(create_user("u10", "other@x.org", externalId="ext-9"))
    assert told(again) == [(ChangeType.USER_CREATED, "u10")]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "members", "value": [{"value": "late"}]},
        {"op": "remove", "path": "members"},
        {"op": "replace", "path": "members", "value": []},
    ],
)
def test_a_reference_that_was_taken_back_does_not_become_a_membership(operation: dict[str, Any]) -> None:
    world = World(groups=[group("g1", "Eng")])
    world.decide(patch("g1", {"op": "add", "path": "members", "value": [{"value": "late"}]}))
    world.decide(patch("g1", operation))
    assert told(world.decide(create_user("u9", "late"))) == [(ChangeType.USER_CREATED, "u9")]


def test_members_named_by_the_providers_own_ids_are_found(world: World) -> None:
    people = [user("u1", "ada@x.org", externalId="ext-1")]
    world = World(people, [group("g1", "Eng")])
    added = world.decide(patch("g1", {"op": "add", "path": "members", "value": [{"value": "ext-1"}]}))
    assert told(added) == [(ADDED, "u1")]
    same = world.decide(patch("g1", {"op": "replace", "path": "members", "value": [{"value": "ADA@x.org"}]}))
    assert not same.outcome.changed
    removed = world.decide(patch("g1", {"op": "remove", "path": 'members[value eq "ext-1"]'}))
    assert told(removed) == [(REMOVED, "u1")]
