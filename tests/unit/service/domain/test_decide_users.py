"""Commands on users: what they change, announce and refuse."""

from typing import Any

import pytest

from service.domain.change import ChangeType
from service.domain.commands import CreateUser, DeleteUser, PatchGroup, PatchUser, ReplaceUser
from service.domain.decision import Decision
from service.domain.directory import DirectoryState
from service.domain.errors import DirectoryDisabledError, NotFoundError, VersionMismatchError
from service.domain.policy import Deactivation, Policy
from service.domain.user import User
from service.scim.documents import decode
from service.scim.errors import Mutability, Uniqueness
from service.scim.members import split_members
from service.scim.messages import parse_patch
from service.scim.schema import GROUP, USER
from tests.support.state import World, group, user


def create(user_id: str, **body: Any) -> CreateUser:
    return CreateUser(user_id, decode(body, USER))


def patch(user_id: str, *operations: dict[str, Any], if_match: tuple[str, ...] = ()) -> PatchUser:
    return PatchUser(user_id, parse_patch({"Operations": list(operations)}), if_match)


def add_member(group_id: str, member_id: str) -> PatchGroup:
    operation = {"op": "add", "path": "members", "value": [{"value": member_id}]}
    return PatchGroup(group_id, split_members(parse_patch({"Operations": [operation]}), GROUP))


def test_create_announces_the_user_as_it_is_stored() -> None:
    decision = World().decide(create("u1", userName="Ada@X.org", active="True"))
    (change,) = decision.changes
    assert change.type is ChangeType.USER_CREATED
    assert change.entity.document == {"userName": "Ada@X.org", "active": True}
    assert decision.outcome.entity.version == 1


def test_a_user_name_is_taken_whatever_its_case() -> None:
    world = World([user("u1", "ada@x.org")])
    with pytest.raises(Uniqueness):
        world.decide(create("u2", userName="ADA@X.ORG"))


def test_an_inactive_user_still_holds_its_name() -> None:
    world = World([user("u1", "ada@x.org", active=False)])
    with pytest.raises(Uniqueness):
        world.decide(create("u2", userName="ada@x.org"))


def test_two_creates_of_one_batch_do_not_both_get_the_name() -> None:
    world = World()
    world.decide(create("u1", userName="ada"))
    with pytest.raises(Uniqueness):
        world.decide(create("u2", userName="Ada"))


def test_a_name_set_free_in_the_batch_can_be_taken_in_it() -> None:
    world = World([user("u1", "ada"), user("u2", "bob")])
    world.decide(patch("u1", {"op": "replace", "path": "userName", "value": "eve"}))
    world.decide(create("u3", userName="ada"))
    world.decide(DeleteUser("u2"))
    assert world.decide(create("u4", userName="bob")).outcome.changed


def test_nothing_for_nothing() -> None:
    world = World([user("u1", "ada", displayName="Ada")])
    decision = world.decide(patch("u1", {"op": "Replace", "path": "displayName", "value": "Ada"}))
    assert decision.changes == ()
    assert not decision.writes
    assert decision.outcome.changed is False
    assert decision.outcome.entity.version == 1


def test_true_is_not_one() -> None:
    world = World([user("u1", "ada", flag=1)])
    assert world.decide(patch("u1", {"op": "replace", "path": "flag", "value": True})).outcome.changed


def test_update_tells_the_old_values_of_what_changed_and_nothing_else() -> None:
    world = World([user("u1", "ada", title="Eng", name={"givenName": "Ada"})])
    decision = world.decide(
        patch(
            "u1",
            {"op": "replace", "path": "title", "value": "Boss"},
            {"op": "replace", "path": "active", "value": "False"},
        )
    )
    (change,) = decision.changes
    assert change.type is ChangeType.USER_UPDATED
    assert change.previous == {
        "job_title": "Eng",
        "state": "active",
        "custom_attributes": {"job_title": "Eng"},
        "raw_attributes": {"title": "Eng", "active": True},
    }
    assert decision.outcome.entity.version == 2


def test_a_new_attribute_was_null_before() -> None:
    decision = World([user("u1", "ada")]).decide(patch("u1", {"op": "add", "path": "title", "value": "Eng"}))
    assert decision.changes[0].previous == {
        "job_title": None,
        "custom_attributes": {"job_title": None},
        "raw_attributes": {"title": None},
    }


def test_put_keeps_active_when_the_body_is_silent() -> None:
    world = World([user("u1", "ada", active=False, title="x")])
    decision = world.decide(ReplaceUser("u1", decode({"userName": "ada"}, USER)))
    assert decision.outcome.entity.document == {"userName": "ada", "active": False}


def test_rename_to_a_taken_name_is_refused() -> None:
    world = World([user("u1", "ada"), user("u2", "bob")])
    with pytest.raises(Uniqueness):
        world.decide(patch("u1", {"op": "replace", "path": "userName", "value": "Bob"}))


def test_changing_only_the_case_of_its_own_name_is_no_conflict() -> None:
    world = World([user("u1", "ada")])
    assert world.decide(patch("u1", {"op": "replace", "path": "userName", "value": "ADA"})).outcome.changed


def test_delete_announces_the_user_as_it_was() -> None:
    decision = World([user("u1", "ada")]).decide(DeleteUser("u1"))
    assert [change.type for change in decision.changes] == [ChangeType.USER_DELETED]
    assert decision.changes[0].entity.user_name == "ada"


@pytest.mark.parametrize("command", [DeleteUser("nobody"), patch("nobody", {"op": "remove", "path": "title"})])
def test_only_post_creates(command: Any) -> None:
    with pytest.raises(NotFoundError):
        World().decide(command)


@pytest.mark.parametrize("tag", ['W/"1"', '"1"', "*"])
def test_if_match_with_the_current_version(tag: str) -> None:
    world = World([user("u1", "ada")])
    assert world.decide(patch("u1", {"op": "add", "path": "title", "value": "x"}, if_match=(tag,))).outcome.changed


def test_if_match_with_another_version_changes_nothing() -> None:
    world = World([user("u1", "ada")])
    with pytest.raises(VersionMismatchError) as caught:
        world.decide(patch("u1", {"op": "add", "path": "title", "value": "x"}, if_match=('W/"7"',)))
    assert caught.value.metadata == {"current": 'W/"1"'}


@pytest.mark.parametrize("state", [DirectoryState.DISABLED, DirectoryState.DELETED])
def test_a_directory_that_is_off_takes_no_writes(state: DirectoryState) -> None:
    with pytest.raises(DirectoryDisabledError):
        World(state=state).decide(create("u1", userName="ada"))


def test_the_user_name_cannot_be_removed() -> None:
    with pytest.raises(Mutability):
        World([user("u1", "ada")]).decide(patch("u1", {"op": "remove", "path": "userName"}))


def test_the_users_own_id_in_a_patch_is_no_change_and_another_one_is_refused() -> None:
    world = World([user("u1", "ada"), user("u2", "bob")])
    with_path = {"op": "replace", "path": "id", "value": "u1"}
    without_path = {"op": "replace", "value": {"id": "u1"}}
    assert not world.decide(patch("u1", with_path, without_path)).outcome.changed
    for operation in (with_path, without_path):
        with pytest.raises(Mutability):
            world.decide(patch("u2", operation))


def test_an_address_too_long_to_be_looked_up_fails_nobody() -> None:
    addresses = [{"value": "Ada@example.com"}, {"value": "a" * 5000 + "@example.com"}]
    stored = World().decide(create("u1", userName="ada", emails=addresses)).outcome.entity
    assert isinstance(stored, User)
    assert stored.email_keys == ["ada@example.com"]
    assert [address["value"] for address in stored.profile["emails"]] == [one["value"] for one in addresses]


DELETES = Policy(deactivation=Deactivation.DELETE)
OFF = {"op": "Replace", "path": "active", "value": "False"}
ON = {"op": "Replace", "path": "active", "value": "True"}


def types(decision: Decision) -> list[str]:
    return [change.type.value for change in decision.changes]


def test_deactivation_as_deletion_shows_the_user_to_its_provider_only() -> None:
    world = World([user("u1", "ada")], [group("g1", "Eng")], {"g1": ["u1"]}, policy=DELETES)
    gone = world.decide(patch("u1", OFF))
    assert types(gone) == ["dsync.user.deleted"]
    assert gone.outcome.entity.hidden
    quiet = world.decide(patch("u1", {"op": "add", "path": "title", "value": "x"}))
    assert (types(quiet), quiet.outcome.changed) == ([], True)
    back = world.decide(patch("u1", ON))
    assert types(back) == ["dsync.user.created", "dsync.group.user_added"]
    assert back.outcome.entity.id == "u1"
    assert back.changes[1].entity.member.name == "ada"


def test_a_user_created_inactive_is_announced_when_it_becomes_active() -> None:
    world = World(groups=[group("g1", "Eng")], policy=DELETES)
    assert types(world.decide(create("u1", userName="ada", active=False))) == []
    assert types(world.decide(patch("u1", ON))) == ["dsync.user.created"]


def test_memberships_of_a_hidden_user_are_not_announced() -> None:
    world = World([user("u1", "ada")], [group("g1", "Eng")], policy=DELETES)
    world.decide(patch("u1", OFF))
    added = world.decide(add_member("g1", "u1"))
    assert (types(added), added.outcome.changed) == ([], True)
    assert types(world.decide(patch("u1", ON))) == ["dsync.user.created", "dsync.group.user_added"]


def test_deleting_a_hidden_user_announces_nothing_more() -> None:
    world = World([user("u1", "ada")], policy=DELETES)
    world.decide(patch("u1", OFF))
    assert types(world.decide(DeleteUser("u1"))) == []


def test_reactivation_announces_memberships_again_only_when_asked_to() -> None:
    for policy, expected in (
        (Policy(), ["dsync.user.updated"]),
        (Policy(announce_on_reactivation=True), ["dsync.user.updated", "dsync.group.user_added"]),
    ):
        world = World([user("u1", "ada", active=False)], [group("g1", "Eng")], {"g1": ["u1"]}, policy=policy)
        assert types(world.decide(patch("u1", ON))) == expected


def test_two_active_users_may_share_an_address_unless_the_policy_says_no() -> None:
    shared = {"emails": [{"value": "Team@x.org"}]}
    assert World([user("u1", "ada", **shared)]).decide(create("u2", userName="bob", **shared)).outcome.changed
    world = World([user("u1", "ada", **shared)], policy=Policy(unique_emails=True))
    with pytest.raises(Uniqueness):
        world.decide(create("u2", userName="bob", emails=[{"value": "team@X.org"}]))
    inactive = world.decide(create("u3", userName="eve", active=False, **shared))
    assert inactive.outcome.changed
    with pytest.raises(Uniqueness):
        world.decide(patch("u3", ON))
    world.decide(patch("u1", OFF))
    assert world.decide(patch("u3", ON)).outcome.changed
