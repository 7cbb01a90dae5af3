"""Groups of many users at once."""

from typing import Any

import pytest

from service.app import lookups
from tests.support.stack import Refused, Stack


async def batch(stack: Stack, *ids: str, secret: str | None = None) -> tuple[list[tuple[str, list[str]]], list[Any]]:
    answer = await stack.call("DirectorySync/BatchListUserGroups", secret, user_ids=ids)
    return [(found.user_id, list(found.group_ids)) for found in answer.user_groups], list(answer.groups)


async def test_users_of_several_directories_with_their_groups(stack: Stack) -> None:
    one, two = (await stack.directory()).directory, (await stack.directory()).directory
    ada, bob, eve = [await stack.put_user(one, userName=name) for name in ("ada", "bob", "eve")]
    zoe = await stack.put_user(two, userName="zoe")
    first = await stack.put_group(one, ada, bob, displayName="first", externalId="x1")
    second = await stack.put_group(one, ada, first, displayName="second")
    other = await stack.put_group(two, zoe, displayName="other")
    found, groups = await batch(stack, zoe.id, "directory_user_none", eve.id, ada.id, bob.id, ada.id)
    assert found == [
        (zoe.id, [other.id]),
        (eve.id, []),
        (ada.id, [first.id, second.id]),
        (bob.id, [first.id]),
        (ada.id, [first.id, second.id]),
    ]
    # Each group once, and nested ones are not followed.
    assert {group.id: group.name for group in groups} == {first.id: "first", second.id: "second", other.id: "other"}
    assert len(groups) == 3
    assert next(group for group in groups if group.id == first.id).idp_id == "x1"
    assert await batch(stack) == ([], [])


async def test_what_is_out_of_reach_or_hidden_is_left_out(stack: Stack) -> None:
    mine, other = (await stack.directory()).directory, (await stack.directory()).directory
    users = [await stack.put_user(place, userName="a") for place in (mine, other)]
    hidden = await stack.put_user(mine, userName="hidden")
    await stack.put_group(other, users[1], displayName="theirs")
    group = await stack.put_group(mine, users[0], hidden, displayName="mine")
    await stack.pool.execute("UPDATE directory_user SET hidden = true WHERE id = $1", hidden.id)
    for secret in (
        await stack.key("read", directories=[mine.id]),
        await stack.key("read", organizations=[mine.organization_id]),
    ):
        found, groups = await batch(stack, *(user.id for user in users), hidden.id, secret=secret)
        assert found == [(users[0].id, [group.id])]
        assert [one.id for one in groups] == [group.id]
    await stack.call("DirectoryAdmin/DeleteDirectory", id=mine.id)
    assert await batch(stack, users[0].id) == ([], [])


async def test_a_user_has_its_thousand_oldest_groups(stack: Stack) -> None:
    directory = (await stack.directory()).directory
    user = await stack.put_user(directory, userName="a")
    await many_groups(stack, directory, user, 1_001)
    found, groups = await batch(stack, user.id)
    assert [len(ids) for _, ids in found] == [1_000]
    assert found[0][1] == sorted(found[0][1]) == sorted(group.id for group in groups)
    assert "directory_group_01001" not in found[0][1]


async def test_the_answer_has_a_ceiling(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "MAX_GROUPS", 3)
    directory = (await stack.directory()).directory
    user = await stack.put_user(directory, userName="a")
    await many_groups(stack, directory, user, 3)
    assert len((await batch(stack, user.id))[1]) == 3
    await stack.put_group(directory, user, displayName="one more")
    with pytest.raises(Refused) as refused:
        await batch(stack, user.id)
    assert (refused.value.reason, refused.value.metadata) == ("LIMIT_EXCEEDED", {"limit": "3"})


async def many_groups(stack: Stack, directory: Any, user: Any, count: int) -> None:
    await stack.pool.execute(
        """INSERT INTO directory_group (directory_id, id, organization_id, display_name, name_key, idp_id, version,
                                        document, created_at, updated_at)
           SELECT $1, 'directory_group_' || lpad(i::text, 5, '0'), $2, 'G', 'g', 'y', 1, '{"displayName": "G"}', now(),
                  now() FROM generate_series(1, $3) AS i""",
        directory.id,
        directory.organization_id,
        count,
    )
    await stack.pool.execute(
        """INSERT INTO membership (directory_id, group_id, member_id, member_type, created_at)
           SELECT $1, 'directory_group_' || lpad(i::text, 5, '0'), $2, 'User', now()
             FROM generate_series(1, $3) AS i""",
        directory.id,
        user.id,
        count,
    )


@pytest.mark.parametrize("ids", [["x"] * 1_001, [""], ["a\0"]])
async def test_the_ids_are_checked(stack: Stack, ids: list[str]) -> None:
    with pytest.raises(Refused) as refused:
        await batch(stack, *ids)
    assert (refused.value.reason, refused.value.metadata) == ("ARGUMENT_INVALID", {"field": "user_ids"})
