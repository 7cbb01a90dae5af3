from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.domain.change import ChangeType
from service.domain.equality import same
from service.domain.group import Group, group_fields
from service.domain.time_travel import Recorded, ahead_of, name_ahead_of, unchanged, undone
from service.domain.user import User, previous_attributes

T0 = datetime(2031, 1, 1, tzinfo=UTC)
LATER = T0 + timedelta(hours=1)

SCALARS = st.one_of(st.booleans(), st.integers(-2, 2), st.sampled_from([0.0, 1.0, 0.5]), st.text(max_size=2))
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
)
ROOTS = st.sampled_from(["title", "active", "externalId", "emails", "name", "odd", "b", "c"])
DOCUMENTS = st.dictionaries(ROOTS, VALUES, max_size=5)
NAMES = st.sampled_from(["ada", "Ada", "bob"])


def user(document: dict[str, Any], version: int = 1, updated_at: datetime = T0) -> User:
    return User("d", "o", "directory_user_1", document, version, T0, updated_at)


def group(document: dict[str, Any], version: int = 1, updated_at: datetime = T0, idp_id: str = "x") -> Group:
    return Group("d", "o", "directory_group_1", document, idp_id, version, T0, updated_at)


def updated(before: User | Group, after: User | Group) -> Recorded:
    if isinstance(before, User) and isinstance(after, User):
        previous = previous_attributes(before.document, after.document, (before.profile, after.profile))
        return Recorded(ChangeType.USER_UPDATED, after, previous)
    assert isinstance(before, Group)
    assert isinstance(after, Group)
    previous = previous_attributes(before.document, after.document, (group_fields(before), group_fields(after)))
    return Recorded(ChangeType.GROUP_UPDATED, after, previous)


@given(DOCUMENTS, DOCUMENTS, NAMES, NAMES)
def test_a_change_of_a_user_that_is_undone_leaves_what_it_was(
    before: dict[str, Any], after: dict[str, Any], old: str, new: str
) -> None:
    one, two = user({**before, "userName": old}), user({**after, "userName": new}, 2, LATER)
    event = updated(one, two)
    found = undone(event)
    assert isinstance(found, User)
    assert same(dict(found.document), dict(one.document))
    assert (found.version, found.created_at, found.profile) == (1, T0, one.profile)
    assert name_ahead_of(event) == old


@given(DOCUMENTS, DOCUMENTS, NAMES, NAMES, st.sampled_from(["x", "y"]))
def test_a_change_of_a_group_that_is_undone_leaves_what_it_was(
    before: dict[str, Any], after: dict[str, Any], old: str, new: str, idp_id: str
) -> None:
    one, two = group({**before, "displayName": old}), group({**after, "displayName": new}, 2, LATER, idp_id)
    event = updated(one, two)
    found = undone(event)
    assert isinstance(found, Group)
    assert same(dict(found.document), dict(one.document))
    assert (found.idp_id, found.name) == ("x", old)
    assert name_ahead_of(event) == old


def test_an_update_tells_the_version_of_a_user_but_not_its_time() -> None:
    one, two = user({"userName": "a"}, 6), user({"userName": "a", "title": "T"}, 7, LATER)
    past = ahead_of(updated(one, two), None, T0)
    assert past is not None
    assert (past.entity.document, past.version, past.updated_at) == ({"userName": "a"}, 6, None)
    # An event up to the moment tells all of it.
    past = ahead_of(updated(one, two), Recorded(ChangeType.USER_CREATED, one, {}), T0)
    assert past is not None
    assert (past.entity, past.version, past.updated_at) == (one, 6, T0)


def test_what_was_created_later_did_not_exist() -> None:
    for kind, entity in (
        (ChangeType.USER_CREATED, user({"userName": "a"})),
        (ChangeType.GROUP_CREATED, group({"displayName": "a"})),
    ):
        assert ahead_of(Recorded(kind, entity, {}), None, T0) is None
        assert name_ahead_of(Recorded(kind, entity, {})) is None


def test_a_deletion_tells_what_was_deleted() -> None:
    gone = user({"userName": "a"}, 3)
    past = ahead_of(Recorded(ChangeType.USER_DELETED, gone, {}), None, T0)
    assert past is not None
    assert (past.entity, past.version, past.updated_at) == (gone, 3, T0)
    assert name_ahead_of(Recorded(ChangeType.USER_DELETED, gone, {})) == "a"


def test_a_group_has_a_version_only_where_no_membership_can_have_moved_it() -> None:
    one = group({"displayName": "a"}, 3, T0)
    moved = replace(one, version=5, updated_at=LATER)
    for past, expected in (
        (unchanged(one, T0, newest=False), 3),
        (unchanged(moved, T0, newest=False), 0),
        (unchanged(moved, None, newest=False), 0),
        (unchanged(moved, None, newest=True), 5),
        (ahead_of(Recorded(ChangeType.GROUP_DELETED, one, {}), None, T0), 3),
        (ahead_of(Recorded(ChangeType.GROUP_DELETED, moved, {}), None, T0), 0),
        (ahead_of(updated(one, replace(one, version=4)), Recorded(ChangeType.GROUP_CREATED, one, {}), T0), 3),
        (ahead_of(updated(one, replace(one, version=5)), Recorded(ChangeType.GROUP_CREATED, one, {}), T0), 0),
        (ahead_of(updated(one, replace(one, version=4)), None, T0), 0),
    ):
        assert past is not None
        assert past.version == expected
        assert (past.updated_at is None) == (expected == 0)


def test_one_that_was_made_anew_is_told_from_the_event_ahead_of_it() -> None:
    again = user({"userName": "a", "title": "T"}, 9, LATER)
    before = user({"userName": "a"}, 8)
    gone = Recorded(ChangeType.USER_DELETED, user({"userName": "old"}, 2), {})
    past = ahead_of(updated(before, again), gone, T0)
    assert past is not None
    assert past.entity.document == {"userName": "a"}
