"""Lists read to and fro by the ids at the ends of their pages."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.stack import Refused, Stack

COUNT = 7


@dataclass
class Listed:
    """A list: what it is asked by, and the ids in it, oldest first."""

    stack: Stack
    name: str
    field: str
    arguments: dict[str, Any]
    ids: list[str]

    async def read(self, *, size: int = 3, token: str = "", **window: Any) -> tuple[list[str], str]:
        answer = await self.stack.call(
            f"DirectorySync/{self.name}", page_size=size, page_token=token, window=window, **self.arguments
        )
        return [self.id_of(item) for item in getattr(answer, self.field)], answer.next_page_token

    @staticmethod
    def id_of(item: Any) -> str:
        return str(getattr(item, "member_id", "") or item.id)


async def directories(stack: Stack) -> Listed:
    owner = (await stack.organization()).id
    made = [(await stack.directory(owner)).directory.id for _ in range(COUNT)]
    return Listed(stack, "ListDirectories", "directories", {"organization_id": owner}, made)


async def users(stack: Stack) -> Listed:
    directory = (await stack.directory()).directory
    made = [(await stack.put_user(directory, userName=f"u{9 - n}")).id for n in range(COUNT)]
    return Listed(stack, "ListUsers", "users", {"directory_id": directory.id}, made)


async def active_users(stack: Stack) -> Listed:
    directory = (await stack.directory()).directory
    made = []
    for n in range(COUNT):
        made.append((await stack.put_user(directory, userName=f"u{n}")).id)
        await stack.put_user(directory, userName=f"gone{n}", active=False)
    return Listed(stack, "ListUsers", "users", {"directory_id": directory.id, "state": 1}, made)


async def groups(stack: Stack) -> Listed:
    directory = (await stack.directory()).directory
    made = [(await stack.put_group(directory, displayName=f"g{9 - n}")).id for n in range(COUNT)]
    return Listed(stack, "ListGroups", "groups", {"directory_id": directory.id}, made)


async def members(stack: Stack) -> Listed:
    directory = (await stack.directory()).directory
    made = [await stack.put_user(directory, userName=f"u{9 - n}") for n in range(COUNT)]
    inner = await stack.put_group(directory, displayName="inner")
    group = await stack.put_group(directory, *made, inner, displayName="outer")
    arguments = {"group_id": group.id, "users_only": True}
    return Listed(stack, "ListGroupMembers", "members", arguments, [user.id for user in made])


async def user_groups(stack: Stack) -> Listed:
    directory = (await stack.directory()).directory
    user = await stack.put_user(directory, userName="u")
    made = [(await stack.put_group(directory, user, displayName=f"g{9 - n}")).id for n in range(COUNT)]
    return Listed(stack, "ListUserGroups", "groups", {"user_id": user.id}, made)


LISTS = (directories, users, active_users, groups, members, user_groups)


@pytest.fixture(params=LISTS, ids=lambda make: make.__name__)
async def listed(stack: Stack, request: pytest.FixtureRequest) -> Listed:
    make: Callable[[Stack], Awaitable[Listed]] = request.param
    return await make(stack)


@pytest.mark.parametrize("descending", [False, True])
async def test_pages_follow_each_other_to_and_fro(listed: Listed, descending: bool) -> None:
    order = listed.ids[::-1] if descending else listed.ids
    first, more = await listed.read(descending=descending)
    assert (first, bool(more)) == (order[:3], True)
    second, more = await listed.read(after_id=first[-1], descending=descending)
    assert (second, bool(more)) == (order[3:6], True)
    last, more = await listed.read(after_id=second[-1], descending=descending)
    assert (last, more) == (order[6:], "")
    # And back, each page in the order of the list.
    page, more = await listed.read(before_id=last[0], descending=descending)
    assert (page, bool(more)) == (second, True)
    assert await listed.read(before_id=second[0], descending=descending) == (first, "")
    assert await listed.read(before_id=first[0], descending=descending) == ([], "")
    near, more = await listed.read(before_id=order[5], size=2, descending=descending)
    assert (near, bool(more)) == (order[3:5], True)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("ahead", [False, True])
async def test_a_token_goes_on_in_the_direction_of_reading(listed: Listed, descending: bool, ahead: bool) -> None:
    order = listed.ids[::-1] if descending else listed.ids
    window: dict[str, Any] = {"before_id": order[5]} if ahead else {"after_id": order[1]}
    wanted = order[:5] if ahead else order[2:]
    seen: list[str] = []
    position = ""
    while True:
        page, position = await listed.read(size=2, token=position, descending=descending, **window)
        seen = page + seen if ahead else seen + page
        if not position:
            break
    assert seen == wanted


async def test_both_ends_bound_a_stretch(listed: Listed) -> None:
    assert await listed.read(after_id=listed.ids[0], before_id=listed.ids[4]) == (listed.ids[1:4], "")
    page, more = await listed.read(after_id=listed.ids[0], before_id=listed.ids[4], size=2)
    assert (page, bool(more)) == (listed.ids[2:4], True)
    page, more = await listed.read(after_id=listed.ids[4], before_id=listed.ids[0], size=2, descending=True)
    assert (page, bool(more)) == (listed.ids[1:3][::-1], True)
    assert await listed.read(after_id=listed.ids[4], before_id=listed.ids[1]) == ([], "")


async def test_an_id_of_something_that_is_gone_still_marks_a_place(stack: Stack) -> None:
    listed = await users(stack)
    await stack.pool.execute("DELETE FROM directory_user WHERE id = $1", listed.ids[3])
    assert (await listed.read(after_id=listed.ids[3]))[0] == listed.ids[4:]
    assert (await listed.read(before_id=listed.ids[3]))[0] == listed.ids[:3]
    assert (await listed.read(before_id="nobody", size=9))[0] == listed.ids[:3] + listed.ids[4:]


async def test_a_window_has_its_bounds(stack: Stack) -> None:
    listed = await users(stack)
    windows: list[dict[str, Any]] = [{"after_id": "x" * 257}, {"before_id": "a\0"}]
    for window in windows:
        with pytest.raises(Refused) as refused:
            await listed.read(**window)
        assert (refused.value.reason, refused.value.metadata) == ("ARGUMENT_INVALID", {"field": "window"})
    _, position = await listed.read()
    with pytest.raises(Refused) as refused:
        await listed.read(token=position, descending=True)
    assert refused.value.metadata == {"field": "page_token"}
    nested = await members(stack)
    for make, name in ((nested, "ListGroupMembers"), (await user_groups(stack), "ListUserGroups")):
        with pytest.raises(Refused) as refused:
            await stack.call(f"DirectorySync/{name}", effective=True, window={"after_id": "x"}, **make.arguments)
        assert refused.value.metadata == {"field": "window"}


async def test_only_users_of_a_group_that_holds_groups(stack: Stack) -> None:
    listed = await members(stack)
    group = listed.arguments["group_id"]
    everyone = (await stack.call("DirectorySync/ListGroupMembers", group_id=group)).members
    assert len(everyone) == COUNT + 1
    only = (await stack.call("DirectorySync/ListGroupMembers", group_id=group, users_only=True)).members
    assert [member.member_id for member in only] == listed.ids


async def test_directories_are_searched_by_a_part_of_their_name(stack: Stack) -> None:
    owner = (await stack.organization()).id
    names = ["Straße 50%", "strasse_x", "ÉCLAIR", "plain", "50 pct"]
    made = {name: (await stack.directory(owner, name)).directory.id for name in names}

    async def found(search: str, secret: str | None = None, organization_id: str = owner) -> list[str]:
        answer = await stack.call(
            "DirectorySync/ListDirectories", secret, organization_id=organization_id, search=search
        )
        return [directory.name for directory in answer.directories]

    assert await found("STRASSE") == ["Straße 50%", "strasse_x"]
    assert await found("éclair") == ["ÉCLAIR"]
    assert await found("50%") == ["Straße 50%"]
    assert await found("_") == ["strasse_x"]
    assert await found("p") == ["plain", "50 pct"]
    assert await found("\\") == []
    secret = await stack.key("read", directories=[made["strasse_x"]])
    assert await found("strasse", secret) == ["strasse_x"]
    assert await found("strasse", secret, "") == ["strasse_x"]
    with pytest.raises(Refused) as refused:
        await found("x" * 257)
    assert refused.value.metadata == {"field": "search"}


async def test_a_directory_counts_its_inactive_users(stack: Stack) -> None:
    directory = (await stack.directory()).directory
    for number in range(5):
        await stack.put_user(directory, userName=f"u{number}", active=number > 1)
    hidden = await stack.put_user(directory, userName="hidden", active=False)
    await stack.pool.execute("UPDATE directory_user SET hidden = true WHERE id = $1", hidden.id)
    found = (await stack.call("DirectorySync/GetDirectory", id=directory.id)).directory
    assert (found.user_count, found.inactive_user_count) == (5, 2)
