"""Nested groups, flattened: a user's effective groups and a group's effective users."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from directorysync.v1 import directory_ingest_pb2 as ingest
from service.domain.group import Group
from service.domain.user import User
from service.storage import resources
from tests.support.stack import Refused, Stack


@dataclass
class Nest:
    """Users a to d; a and b in inner, c in middle, d in outer; inner in middle, middle in outer, and outer in inner."""

    stack: Stack
    directory: Any
    users: dict[str, User]
    groups: dict[str, Group]

    async def effective_groups(self, user: str, **fields: Any) -> list[str]:
        names, token = [], ""
        while True:
            answer = await self.stack.call(
                "DirectorySync/ListUserGroups",
                user_id=self.users[user].id,
                effective=True,
                page_token=token,
                **fields,
            )
            names += [group.name for group in answer.groups]
            token = answer.next_page_token
            if not token:
                return names

    async def effective_users(self, group: str, **fields: Any) -> list[str]:
        names, token = [], ""
        while True:
            answer = await self.stack.call(
                "DirectorySync/ListGroupMembers",
                group_id=self.groups[group].id,
                effective=True,
                page_token=token,
                **fields,
            )
            assert {(m.group_id, m.group_name) for m in answer.members} <= {(self.groups[group].id, group)}
            names += [member.member_name for member in answer.members]
            token = answer.next_page_token
            if not token:
                return names

    async def scim_groups(self, user: str, how: str) -> set[tuple[str, str]]:
        context = ingest.IngestContext(directory=self.directory.id, base_url="https://x/scim")
        answer = await self.stack.call(
            "DirectoryIngest/SearchResources",
            context=context,
            resource_type=ingest.RESOURCE_TYPE_USER,
            filter={"probe": f'userName eq "{user}"', "list": f'userName sw "{user}"'}[how],
        )
        (found,) = json.loads(answer.list_json)["Resources"]
        return {(group["display"], group["type"]) for group in found["groups"]}


@pytest.fixture
async def nest(stack: Stack) -> Nest:
    directory = (await stack.directory()).directory
    users = {name: await stack.put_user(directory, userName=name) for name in "abcd"}
    inner = await stack.put_group(directory, users["a"], users["b"], displayName="inner")
    middle = await stack.put_group(directory, users["c"], users["a"], inner, displayName="middle")
    outer = await stack.put_group(directory, users["d"], middle, displayName="outer")
    return Nest(stack, directory, users, {"inner": inner, "middle": middle, "outer": outer})


async def close_the_circle(nest: Nest) -> None:
    await nest.stack.pool.execute(
        "INSERT INTO membership (directory_id, group_id, member_id, member_type, created_at)"
        " VALUES ($1, $2, $3, 'Group', now())",
        nest.directory.id,
        nest.groups["inner"].id,
        nest.groups["outer"].id,
    )


@pytest.mark.parametrize("page_size", [1, 2, 100])
async def test_groups_and_users_are_flattened(nest: Nest, page_size: int) -> None:
    assert await nest.effective_groups("a", page_size=page_size) == ["inner", "middle", "outer"]
    assert await nest.effective_groups("c", page_size=page_size) == ["middle", "outer"]
    assert await nest.effective_groups("d", page_size=page_size) == ["outer"]
    assert await nest.effective_users("outer", page_size=page_size) == ["a", "b", "c", "d"]
    assert await nest.effective_users("middle", page_size=page_size) == ["a", "b", "c"]
    assert await nest.effective_users("inner", page_size=page_size) == ["a", "b"]


@pytest.mark.parametrize("page_size", [1, 100])
async def test_cycles_do_no_harm(nest: Nest, page_size: int) -> None:
    await close_the_circle(nest)
    for user in "abcd":
        assert await nest.effective_groups(user, page_size=page_size) == ["inner", "middle", "outer"]
    for group in nest.groups:
        assert await nest.effective_users(group, page_size=page_size) == ["a", "b", "c", "d"]


async def test_without_asking_nesting_stays_as_it_is(nest: Nest) -> None:
    answer = await nest.stack.call("DirectorySync/ListUserGroups", user_id=nest.users["b"].id)
    assert [group.name for group in answer.groups] == ["inner"]
    token = (
        await nest.stack.call("DirectorySync/ListUserGroups", user_id=nest.users["a"].id, page_size=1)
    ).next_page_token
    with pytest.raises(Refused):
        await nest.stack.call(
            "DirectorySync/ListUserGroups", user_id=nest.users["a"].id, page_token=token, effective=True
        )


async def test_a_deep_chain_is_followed_to_its_end(stack: Stack) -> None:
    directory = (await stack.directory()).directory
    user = await stack.put_user(directory, userName="a")
    groups = [await stack.put_group(directory, user, displayName="g0")]
    for number in range(1, 60):
        groups.append(await stack.put_group(directory, groups[-1], displayName=f"g{number}"))
    nest = Nest(stack, directory, {"a": user}, {group.name: group for group in groups})
    assert await nest.effective_groups("a") == [f"g{number}" for number in range(60)]
    assert await nest.effective_users("g59") == ["a"]


async def test_who_is_hidden_is_in_no_group(nest: Nest) -> None:
    await nest.stack.pool.execute("UPDATE directory_user SET hidden = true WHERE id = $1", nest.users["a"].id)
    assert await nest.effective_users("outer", page_size=1) == ["b", "c", "d"]


async def test_another_directory_is_not_entered(nest: Nest) -> None:
    key = await nest.stack.key("read", directories=[(await nest.stack.directory()).directory.id])
    with pytest.raises(Refused) as refused:
        await nest.stack.call("DirectorySync/ListGroupMembers", key, group_id=nest.groups["outer"].id, effective=True)
    assert refused.value.reason == "RESOURCE_NOT_FOUND"


@pytest.mark.parametrize("how", ["probe", "list"])
async def test_scim_shows_which_groups_are_indirect(nest: Nest, how: str) -> None:
    assert await nest.scim_groups("a", how) == {("inner", "direct"), ("middle", "direct"), ("outer", "indirect")}
    assert await nest.scim_groups("b", how) == {("inner", "direct"), ("middle", "indirect"), ("outer", "indirect")}
    assert await nest.scim_groups("d", how) == {("outer", "direct")}
    await close_the_circle(nest)
    assert await nest.scim_groups("d", how) == {("outer", "direct"), ("middle", "indirect"), ("inner", "indirect")}


async def test_one_resource_shows_the_same_groups_as_a_list(nest: Nest) -> None:
    found = await resources.groups_of(nest.stack.pool, nest.directory.id, nest.users["b"].id)
    assert [(group.display, group.type) for group in found] == [
        ("inner", "direct"),
        ("middle", "indirect"),
        ("outer", "indirect"),
    ]
