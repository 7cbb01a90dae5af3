"""For every number of a directory, what is told of it is what a reader of the whole log knew there."""

import json
from typing import Any

import pytest

from tests.integration.commit.conftest import Directories
from tests.integration.time_travel.model import World, replay, scribble
from tests.support.stack import Refused, Stack

Told = tuple[dict[str, Any], int] | None


async def told(stack: Stack, method: str, directory: str, entity_id: str, number: int) -> Told:
    try:
        answer = await stack.call(
            f"DirectorySync/Get{method}", id=entity_id, directory_id=directory, as_of={"directory_sequence": number}
        )
    except Refused as refused:
        if refused.reason != "RESOURCE_NOT_FOUND":
            raise
        return None
    found = getattr(answer, method.lower())
    assert found.id == entity_id
    return json.loads(found.raw_attributes_json), found.version


async def memberships(stack: Stack, directory: str, number: int, size: int = 3) -> list[Any]:
    seen: list[Any] = []
    token = ""
    while True:
        page = await stack.call(
            "DirectorySync/ListMemberships",
            directory_id=directory,
            as_of={"directory_sequence": number},
            page_size=size,
            page_token=token,
        )
        seen += page.memberships
        token = page.next_page_token
        if not token:
            return seen


def name(world: World, entity_id: str) -> str:
    document, _ = world.users.get(entity_id) or world.groups[entity_id]
    return str(document.get("userName") or document["displayName"])


async def compare(stack: Stack, directory: str, worlds: list[World], ends: list[bool], *, from_number: int) -> None:
    everyone = {user for world in worlds for user in world.users}
    groups = {group for world in worlds for group in world.groups}
    for number in range(from_number, len(worlds)):
        world = worlds[number]
        for user in everyone:
            found = await told(stack, "User", directory, user, number)
            assert found == world.users.get(user), (number, user)
        for group in groups:
            found = await told(stack, "Group", directory, group, number)
            expected = world.groups.get(group)
            assert (found and found[0]) == (expected and expected[0]), (number, group)
            if found and expected and expected[1]:
                assert found[1] in {0, expected[1]}, (number, group)
        # Within a command its events come one by one, its memberships at once.
        if ends[number]:
            rows = await memberships(stack, directory, number)
            places = [(row.group_id, row.member_id) for row in rows]
            assert places == sorted(world.memberships), number
            for row in rows:
                assert (row.group_name, row.member_name) == (name(world, row.group_id), name(world, row.member_id))


@pytest.mark.parametrize(("policy", "seed"), [("{}", 1), ("{}", 2), ('{"deactivation": "delete"}', 3)])
async def test_every_number_is_told_as_the_log_tells_it(
    directories: Directories, stack: Stack, policy: str, seed: int
) -> None:
    await directories.make("d")
    await stack.pool.execute("UPDATE directory SET policy = $1", policy)
    await scribble(directories, "d", seed, 45)
    events = await directories.events("d")
    assert len(events) > 40
    worlds = replay(events)
    if policy != "{}":
        # A group's version also grows by what happens to those that the application does not know.
        for world in worlds:
            world.groups = {key: (document, 0) for key, (document, _) in world.groups.items()}
    ends = [True, *(event.transaction_end for event in events)]
    await compare(stack, "d", worlds, ends, from_number=0)
    # Retention took the older half: what is left still tells everything behind it.
    half = len(events) // 2
    await stack.pool.execute("DELETE FROM event WHERE seq <= $1", half)
    await compare(stack, "d", worlds, ends, from_number=half)
    for number in (0, half - 1):
        with pytest.raises(Refused) as refused:
            await memberships(stack, "d", number)
        assert refused.value.reason == "CURSOR_EXPIRED"
