from typing import Any

import pytest

from directorysync.v1 import resources_pb2
from tests.support.stack import Refused, Stack

ACTIVE, INACTIVE = resources_pb2.DIRECTORY_USER_STATE_ACTIVE, resources_pb2.DIRECTORY_USER_STATE_INACTIVE
USER, GROUP = resources_pb2.MEMBER_TYPE_USER, resources_pb2.MEMBER_TYPE_GROUP


def mail(*addresses: str) -> list[dict[str, str]]:
    return [{"value": address} for address in addresses]


async def ask(stack: Stack, name: str, secret: str | None = None, /, **fields: Any) -> Any:
    return await stack.call(f"DirectorySync/{name}", secret, **fields)


async def refused(stack: Stack, name: str, secret: str | None = None, /, **fields: Any) -> tuple[str, dict[str, str]]:
    with pytest.raises(Refused) as caught:
        await ask(stack, name, secret, **fields)
    return caught.value.reason, caught.value.metadata


async def test_a_user_is_told_as_it_is_stored(stack: Stack) -> None:
    directory = (await stack.directory()).directory
    user = await stack.put_user(
        directory,
        userName="Ada@X.org",
        externalId="00u1",
        name={"givenName": "Ada", "familyName": "Byron"},
        emails=[{"value": "ada@home.org", "type": "home"}, {"value": "Ada@X.org", "type": "work", "primary": True}],
        active=False,
    )
    for fields in ({"id": user.id}, {"id": user.id, "directory_id": directory.id}):
        found = (await ask(stack, "GetUser", **fields)).user
        assert (found.user_name, found.idp_id, found.email) == ("Ada@X.org", "00u1", "Ada@X.org")
        assert (found.first_name, found.display_name, found.state) == ("Ada", "Ada Byron", INACTIVE)
        assert (found.directory_id, found.organization_id) == (directory.id, directory.organization_id)
        assert '"familyName":"Byron"' in found.raw_attributes_json
    assert await refused(stack, "GetUser", id=user.id, directory_id="directory_other") == (
        "RESOURCE_NOT_FOUND",
        {"resource_type": "User", "id": user.id},
    )


async def test_a_batch_keeps_the_order_of_the_request(stack: Stack) -> None:
    directory = (await stack.directory()).directory
    users = [await stack.put_user(directory, userName=f"u{n}") for n in range(4)]
    ids = [users[2].id, "directory_user_none", users[0].id, users[2].id, users[3].id]
    found = (await ask(stack, "BatchGetUsers", ids=ids)).users
    assert [user.id for user in found] == [users[2].id, users[0].id, users[2].id, users[3].id]
    assert not (await ask(stack, "BatchGetUsers")).users
    assert await refused(stack, "BatchGetUsers", ids=["x"] * 1001) == ("ARGUMENT_INVALID", {"field": "ids"})
    assert await refused(stack, "BatchGetUsers", ids=[""]) == ("ARGUMENT_INVALID", {"field": "ids"})


async def test_users_are_looked_up_by_any_address_name_and_provider_id(stack: Stack) -> None:
    directory = (await stack.directory()).directory
    ada = await stack.put_user(
        directory, userName="Ada", externalId="X1", emails=mail("Ada@Example.org", "a.byron@straße.de")
    )
    await stack.put_user(directory, userName="Bob", externalId="x1", emails=mail("bob@example.org"))
    for key in (
        {"email": "ada@example.ORG"},
        {"email": "A.BYRON@STRASSE.DE"},
        {"user_name": "aDA"},
        {"idp_id": "X1"},
    ):
        for where in ({}, {"directory_id": directory.id}, {"organization_id": directory.organization_id}):
            found = (await ask(stack, "LookupUsers", **key, **where)).users
            assert [user.id for user in found] == [ada.id], (key, where)
    for key in ({"email": "ada"}, {"user_name": "ad"}, {"idp_id": "X"}, {"email": "%"}):
        assert not (await ask(stack, "LookupUsers", **key)).users


async def test_a_user_name_that_is_an_address_is_found_as_one(stack: Stack) -> None:
    directory = (await stack.directory()).directory
    ada = await stack.put_user(directory, userName="ada@example.org")
    assert [user.id for user in (await ask(stack, "LookupUsers", email="ADA@example.org")).users] == [ada.id]


async def test_look_ups_stay_where_they_are_told(stack: Stack) -> None:
    mine, other = await stack.organization("Mine"), await stack.organization("Other")
    places = [(await stack.directory(org.id)).directory for org in (mine, mine, other)]
    users = [await stack.put_user(place, userName="ada", externalId="1", emails=mail("ada@x.org")) for place in places]
    keys: list[dict[str, str]] = [{"email": "ada@x.org"}, {"user_name": "ada"}, {"idp_id": "1"}]
    everywhere, in_mine, in_first, nowhere = {0, 1, 2}, {0, 1}, {0}, set[int]()
    by_organization = await stack.key("read", organizations=[mine.id])
    by_directory = await stack.key("read", directories=[places[0].id])
    by_both = await stack.key("read", organizations=[mine.id], directories=[places[1].id, places[2].id])
    cases: list[tuple[str | None, dict[str, str], set[int]]] = [
        (None, {}, everywhere),
        (None, {"organization_id": mine.id}, in_mine),
        (None, {"directory_id": places[0].id}, in_first),
        (None, {"directory_id": places[0].id, "organization_id": other.id}, nowhere),
        (by_organization, {}, in_mine),
        (by_organization, {"organization_id": other.id}, nowhere),
        (by_organization, {"directory_id": places[2].id}, nowhere),
        (by_directory, {}, in_first),
        (by_directory, {"organization_id": mine.id}, in_first),
        (by_directory, {"directory_id": places[1].id}, nowhere),
        (by_both, {}, {1}),
    ]
    for secret, where, expected in cases:
        for key in keys:
            found = (await ask(stack, "LookupUsers", secret, **key, **where)).users
            assert [user.id for user in found] == [users[n].id for n in sorted(expected)], (key, where)


async def test_a_look_up_needs_a_key(stack: Stack) -> None:
    for fields, field in (
        ({}, "key"),
        ({"email": ""}, "email"),
        ({"user_name": "a\0"}, "user_name"),
        ({"user_name": "a" + "\u0301\u0323" * 100}, "user_name"),
        ({"email": "a" + "\u0301" * 101}, "email"),
        ({"idp_id": "x" * 5000}, "idp_id"),
        ({"email": "a@b", "directory_id": "x" * 300}, "directory_id"),
    ):
        assert await refused(stack, "LookupUsers", **fields) == ("ARGUMENT_INVALID", {"field": field})


async def test_at_most_a_hundred_are_looked_up_oldest_first(stack: Stack) -> None:
    directory = (await stack.directory()).directory
    users = [await stack.put_user(directory, userName=f"u{n}", emails=mail("team@x.org")) for n in range(103)]
    found = (await ask(stack, "LookupUsers", email="team@x.org")).users
    assert [user.id for user in found] == [user.id for user in users[:100]]


async def pages(stack: Stack, name: str, items: str, **fields: Any) -> list[Any]:
    """All items of a list in pages of two, which are full but for the last."""
    seen: list[Any] = []
    token = ""
    while True:
        page = await ask(stack, name, page_size=2, page_token=token, **fields)
        found = getattr(page, items)
        seen += found
        token = page.next_page_token
        if not token:
            return seen
        assert len(found) == 2


async def test_users_and_groups_are_listed_in_the_order_of_arrival(stack: Stack) -> None:
    directory, other = (await stack.directory()).directory, (await stack.directory()).directory
    users = [await stack.put_user(directory, userName=f"u{9 - n}", active=n % 2 == 0) for n in range(5)]
    groups = [await stack.put_group(directory, displayName=f"g{9 - n}") for n in range(4)]
    await stack.put_user(other, userName="apart")
    await stack.put_group(other, displayName="apart")
    found = await pages(stack, "ListUsers", "users", directory_id=directory.id)
    assert [user.id for user in found] == [user.id for user in users]
    found = await pages(stack, "ListUsers", "users", directory_id=directory.id, state=INACTIVE)
    assert [user.user_name for user in found] == ["u8", "u6"]
    found = await pages(stack, "ListUsers", "users", directory_id=directory.id, state=ACTIVE)
    assert len(found) == 3
    found = await pages(stack, "ListGroups", "groups", directory_id=directory.id)
    assert [group.id for group in found] == [group.id for group in groups]
    assert await refused(stack, "ListUsers", directory_id=directory.id, state=7) == (
        "ARGUMENT_INVALID",
        {"field": "state"},
    )


async def test_members_are_listed_with_their_names(stack: Stack) -> None:
    directory = (await stack.directory()).directory
    users = [await stack.put_user(directory, userName=f"u{n}") for n in range(3)]
    inner = await stack.put_group(directory, users[0], displayName="Inner")
    outer = await stack.put_group(directory, *users, inner, displayName="Outer", externalId="x9")
    members = await pages(stack, "ListGroupMembers", "members", group_id=outer.id)
    assert {(m.member_id, m.member_type, m.member_name) for m in members} == {
        *((user.id, USER, user.user_name) for user in users),
        (inner.id, GROUP, "Inner"),
    }
    assert [m.member_id for m in members] == sorted(m.member_id for m in members)
    assert {(m.group_id, m.group_name) for m in members} == {(outer.id, "Outer")}
    groups = await pages(stack, "ListUserGroups", "groups", user_id=users[0].id)
    assert [(group.id, group.name) for group in groups] == [(inner.id, "Inner"), (outer.id, "Outer")]
    # Direct members only: nesting is kept as it is.
    assert [g.id for g in (await ask(stack, "ListUserGroups", user_id=users[1].id)).groups] == [outer.id]
    found = (await ask(stack, "GetGroup", id=outer.id, directory_id=directory.id)).group
    assert (found.name, found.idp_id, found.organization_id) == ("Outer", "x9", directory.organization_id)


async def test_a_page_token_is_good_for_its_own_group_only(stack: Stack) -> None:
    directory = (await stack.directory()).directory
    users = [await stack.put_user(directory, userName=f"u{n}") for n in range(3)]
    groups = [await stack.put_group(directory, *users, displayName=name) for name in "ab"]
    token = (await ask(stack, "ListGroupMembers", group_id=groups[0].id, page_size=1)).next_page_token
    assert token
    # The size may change on the way.
    rest = await ask(stack, "ListGroupMembers", group_id=groups[0].id, page_size=5, page_token=token)
    assert len(rest.members) == 2
    assert await refused(stack, "ListGroupMembers", group_id=groups[1].id, page_token=token) == (
        "ARGUMENT_INVALID",
        {"field": "page_token"},
    )


async def test_what_is_out_of_reach_does_not_exist(stack: Stack) -> None:
    mine, other = (await stack.directory()).directory, (await stack.directory()).directory
    user = await stack.put_user(other, userName="ada", emails=mail("ada@x.org"))
    group = await stack.put_group(other, user, displayName="g")
    for secret in (
        await stack.key("read", directories=[mine.id]),
        await stack.key("admin", organizations=[mine.organization_id]),
    ):
        for name, fields in (
            ("GetUser", {"id": user.id}),
            ("GetUser", {"id": user.id, "directory_id": other.id}),
            ("GetGroup", {"id": group.id}),
            ("GetDirectory", {"id": other.id}),
            ("ListUsers", {"directory_id": other.id}),
            ("ListGroups", {"directory_id": other.id}),
            ("ListGroupMembers", {"group_id": group.id}),
            ("ListUserGroups", {"user_id": user.id}),
        ):
            answer = await refused(stack, name, secret, **fields)
            missing = await refused(stack, name, secret, **{key: f"{value}x" for key, value in fields.items()})
            assert answer[0] == missing[0] == "RESOURCE_NOT_FOUND", name
        assert not (await ask(stack, "BatchGetUsers", secret, ids=[user.id])).users


@pytest.mark.parametrize(
    ("name", "fields", "field"),
    [
        ("GetUser", {}, "id"),
        ("GetUser", {"id": "a\0"}, "id"),
        ("GetUser", {"id": "a", "directory_id": "b\0"}, "directory_id"),
        ("GetGroup", {"id": ""}, "id"),
        ("GetDirectory", {"id": "x" * 257}, "id"),
        ("ListUsers", {}, "directory_id"),
        ("ListGroups", {}, "directory_id"),
        ("ListGroupMembers", {}, "group_id"),
        ("ListUserGroups", {}, "user_id"),
        ("ListDirectories", {"organization_id": "\0"}, "organization_id"),
    ],
)
async def test_ids_are_checked(stack: Stack, name: str, fields: dict[str, str], field: str) -> None:
    assert await refused(stack, name, **fields) == ("ARGUMENT_INVALID", {"field": field})


async def test_the_server_tells_about_itself_to_any_credential(stack: Stack) -> None:
    made = await stack.directory()
    info = await ask(stack, "GetServerInfo", made.secret)
    assert (info.version, info.retention.seconds, info.max_page_size) == ("1.2.3", 30 * 86_400, 1000)
