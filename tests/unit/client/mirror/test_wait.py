"""Read your writes, and reacting to what arrives."""

import asyncio

import pytest

from directorysync import Client, errors
from directorysync.mirror import Mirror, MirrorChange
from tests.unit.client.mirror.world import World


@pytest.fixture
def one(world: World) -> str:
    return world.create_user("directory_a", "ada@example.com").id


@pytest.mark.parametrize("options", [{"directory_ids": ["directory_a"]}, {"organization_ids": ["org_1"]}, {}])
@pytest.mark.parametrize("followed_by_more", [False, True])
async def test_cursor_of_a_write(
    world: World, client: Client, one: str, options: dict[str, list[str]], followed_by_more: bool
) -> None:
    async with Mirror(client, **options) as mirror:
        for number in range(20):
            world.update_user(one, display_name=f"Ada {number}")
            if followed_by_more:
                world.create_user("directory_a", f"{number}@example.com")
            written = world.sequences["directory_a"] - followed_by_more
            await mirror.wait_for(f"d:directory_a:{written}", timeout=20)
            found = mirror.user(one)
            assert found is not None
            assert found.display_name == f"Ada {number}"


async def test_cursor_of_the_feed(world: World, client: Client, one: str) -> None:
    async with Mirror(client) as mirror:
        world.update_user(one, display_name="Countess")
        cursor = f"g{len(world.log)}"
        await mirror.wait_for(cursor, timeout=20)
        found = mirror.user(one)
        assert found is not None
        assert found.display_name == "Countess"
        world.asked.clear()
        await mirror.wait_for(cursor, timeout=20)
        assert world.asked == []  # what the mirror itself has reached needs no call


async def test_event_is_waited_for_without_a_call(world: World, client: Client, one: str) -> None:
    async with Mirror(client) as mirror:
        world.update_user(one, display_name="Countess")
        await mirror.wait_for(world.log[-1], timeout=20)
        assert mirror.sequence("directory_a") == world.sequences["directory_a"]
        assert world.asked == []


async def test_what_does_not_come_ends_in_time(client: Client, one: str) -> None:
    async with Mirror(client) as mirror:
        with pytest.raises(TimeoutError):
            await mirror.wait_for_sequence("directory_a", 2, timeout=0.05)


async def test_other_directories_are_not_waited_for(world: World, client: Client, one: str) -> None:
    async with Mirror(client, directory_ids=["directory_b"]) as mirror:
        with pytest.raises(LookupError, match="directory_a"):
            await mirror.wait_for_sequence("directory_a", 1)
        with pytest.raises(LookupError, match="directory_a"):
            await mirror.wait_for("d:directory_a:0")


async def test_strange_cursor_is_an_error(client: Client, one: str) -> None:
    async with Mirror(client) as mirror:
        with pytest.raises(errors.CursorInvalid):
            await mirror.wait_for("rubbish")


async def test_expired_cursor_is_behind_whatever_is_caught_up(world: World, client: Client, one: str) -> None:
    async with Mirror(client) as mirror:
        world.update_user(one, display_name="Countess")
        world.oldest = 1
        await mirror.wait_for("g0", timeout=20)
        assert mirror.caught_up


async def test_changes_are_told_after_the_copy_has_them(world: World, client: Client, one: str) -> None:
    async with Mirror(client) as mirror:
        changes = mirror.changes()
        world.update_user(one, display_name="Countess")
        group = world.create_group("directory_a", "Staff", one)
        told: list[MirrorChange] = []
        async with asyncio.timeout(20):
            async for change in changes:
                told.append(change)
                for event in change.events:
                    assert mirror.sequence("directory_a") >= event.directory_sequence
                if any(event.membership.group_id == group.id for event in change.events):
                    break
        assert [event.type for change in told for event in change.events] == [
            "dsync.user.updated",
            "dsync.group.created",
            "dsync.group.user_added",
        ]
        assert not any(change.reset for change in told)


async def test_renewal_is_told_as_reset(world: World, client: Client, one: str) -> None:
    async with Mirror(client) as mirror:
        changes = mirror.changes()
        world.lost.add(len(world.log))
        world.update_user(one, display_name="Countess")
        world.update_user(one, display_name="Duchess")
        async with asyncio.timeout(20):
            assert (await anext(changes)).reset
        found = mirror.user(one)
        assert found is not None
        assert found.display_name == "Duchess"


async def test_reader_of_changes_that_sleeps_is_told_to_look_anew(world: World, client: Client, one: str) -> None:
    async with Mirror(client) as mirror:
        changes = mirror.changes()
        for number in range(1_500):
            world.update_user(one, display_name=str(number))
        await mirror.wait_for(world.log[-1], timeout=20)
        assert await anext(changes) == MirrorChange((), reset=True)
