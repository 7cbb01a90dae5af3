"""A mirror is what the service holds, whatever the stream does."""

import asyncio
import random

import grpc
import pytest

from directorysync import Client, errors
from directorysync.mirror import Mirror, MirrorClosed, MirrorNotReady
from tests.unit.client.fake_service import End
from tests.unit.client.mirror.conftest import same, until
from tests.unit.client.mirror.judge import faults
from tests.unit.client.mirror.world import World


def populate(world: World, changes: int = 60, seed: int = 1) -> random.Random:
    chance = random.Random(seed)
    for _ in range(changes):
        world.anything(chance)
    return chance


async def test_snapshot_is_the_state(world: World, client: Client) -> None:
    populate(world)
    async with Mirror(client) as mirror:
        assert faults(mirror, world) == []


async def test_empty_service_is_an_empty_copy(client: Client) -> None:
    async with Mirror(client, directory_ids=["directory_c"]) as mirror:
        assert mirror.directories() == ()
        assert mirror.find_users(email="ada@example.com") == ()


async def test_every_change_arrives(world: World, client: Client) -> None:
    async with Mirror(client) as mirror:
        chance = populate(world, 40)
        assert await same(mirror, world) == []
        for _ in range(200):
            world.anything(chance)
            if chance.random() < 0.2:
                await asyncio.sleep(0)
        assert await same(mirror, world) == []
        assert mirror.status().snapshots == 1


@pytest.mark.parametrize("seed", range(8))
async def test_faults_of_every_kind(world: World, client: Client, seed: int) -> None:
    chance = populate(world, 30, seed)
    world.cuts = [chance.randrange(40) for _ in range(6)]
    async with Mirror(client, bookmark_interval=60) as mirror:
        for round_ in range(8):
            world.overlap = chance.randrange(5)
            world.cuts.append(chance.randrange(12))
            if chance.random() < 0.3:
                world.lost.add(len(world.log) + chance.randrange(5))
            if chance.random() < 0.3:
                world.oldest = len(world.log)
            if round_ == 4:
                world.create_directory("directory_c")
                world.delete_directory("directory_b")
            for _ in range(chance.randrange(25)):
                world.anything(chance)
                if chance.random() < 0.3:
                    await asyncio.sleep(0.002)
        world.cuts.clear()
        assert await same(mirror, world) == []


async def test_only_what_was_asked_for(world: World, client: Client) -> None:
    chance = populate(world)
    async with Mirror(client, directory_ids=["directory_a"]) as mirror:
        for _ in range(60):
            world.anything(chance)
        assert await same(mirror, world, ["directory_a"]) == []


async def test_organization_with_a_new_directory(world: World, client: Client) -> None:
    async with Mirror(client, organization_ids=["org_1"]) as mirror:
        world.create_directory("directory_c", "org_1")
        world.create_directory("directory_d", "org_2")
        world.create_user("directory_c", "ada@example.com")
        world.create_user("directory_d", "ada@example.com")
        assert await same(mirror, world, ["directory_a", "directory_b", "directory_c"]) == []
        assert [one.directory_id for one in mirror.find_users(email="ADA@example.com")] == ["directory_c"]


async def test_deleted_directory_takes_everything_with_it(world: World, client: Client) -> None:
    populate(world)
    world.create_user("directory_b", "ada@example.com")
    async with Mirror(client) as mirror:
        world.delete_directory("directory_b")
        assert await same(mirror, world) == []
        assert mirror.directory("directory_b") is None
        assert list(mirror.users("directory_b")) == []


async def test_gap_is_noticed_and_healed(world: World, client: Client) -> None:
    async with Mirror(client) as mirror:
        world.lost.add(len(world.log))
        world.create_user("directory_a", "lost@example.com")
        world.create_user("directory_a", "next@example.com")
        assert await same(mirror, world) == []
        assert mirror.find_users(email="lost@example.com")
        assert (mirror.status().gaps, mirror.status().snapshots) == (1, 2)


async def test_first_event_of_a_new_directory_that_is_lost_is_noticed(world: World, client: Client) -> None:
    async with Mirror(client) as mirror:
        world.lost.add(len(world.log))
        world.create_directory("directory_c")
        assert await same(mirror, world) == []
        assert mirror.status().gaps == 1


async def test_repeated_events_do_not_turn_back_time(world: World, client: Client) -> None:
    user = world.create_user("directory_a", "ada@example.com")
    group = world.create_group("directory_a", "Staff", user.id)
    async with Mirror(client) as mirror:
        world.update_user(user.id, display_name="Ada")
        world.remove(group.id, user.id)
        world.delete_group(group.id)
        await same(mirror, world)
        world.overlap = 100
        for server_calls in range(2, 4):
            world.cuts.append(50)
            world.create_user("directory_a", f"{server_calls}@example.com")
        assert await same(mirror, world) == []


async def test_expired_cursor_is_renewed_while_the_old_copy_answers(world: World, client: Client) -> None:
    user = world.create_user("directory_a", "ada@example.com")
    world.cuts = [11]  # behind the first change
    async with Mirror(client) as mirror:
        world.held.clear()
        world.oldest = 10**6
        for number in range(30):
            world.create_user("directory_a", f"{number}@example.com")
        await until(lambda: world.snapshots == 2)
        assert mirror.user(user.id) == world.users[user.id]
        assert mirror.status().snapshots == 1
        world.oldest = 0
        world.held.set()
        assert await same(mirror, world) == []
        assert (mirror.status().snapshots, mirror.status().gaps) == (2, 0)


async def test_snapshot_cut_again_and_again(world: World, client: Client) -> None:
    populate(world)
    world.cuts = [0, 1, 5, 9, 2]
    async with Mirror(client) as mirror:
        assert faults(mirror, world) == []
    assert world.snapshots == 6


async def test_command_is_seen_whole_or_not_at_all(world: World, client: Client) -> None:
    users = [world.create_user("directory_a", f"{number}@example.com").id for number in range(400)]
    async with Mirror(client) as mirror:
        group = world.create_group("directory_a", "All", *users)
        seen = set()
        async with asyncio.timeout(20):
            while seen.isdisjoint({401}):
                seen.add((mirror.group(group.id) is not None) + len(mirror.member_ids(group.id)))
                await asyncio.sleep(0)
        assert seen <= {0, 401}


async def test_answers_belong_to_the_caller(world: World, client: Client) -> None:
    user = world.create_user("directory_a", "ada@example.com")
    async with Mirror(client) as mirror:
        mine = mirror.user(user.id)
        assert mine is not None
        mine.display_name = "changed"
        assert mirror.user(user.id) == world.users[user.id]


async def test_it_says_how_stale_it_is(world: World, client: Client) -> None:
    mirror = Mirror(client)
    assert (mirror.staleness, mirror.caught_up, mirror.status().ready) == (float("inf"), False, False)
    with pytest.raises(MirrorNotReady):
        mirror.user("directory_user_1")
    async with mirror:
        world.create_user("directory_a", "ada@example.com")
        await mirror.wait_caught_up(timeout=20)
        status = mirror.status()
        assert status.ready
        assert status.caught_up
        assert status.staleness < 20
        assert (status.directories, status.users, status.groups, status.error) == (2, 1, 0, None)
        before = mirror.staleness
        await asyncio.sleep(0.02)
        assert mirror.staleness > before


async def test_refused_key_ends_the_start(client: Client, world: World) -> None:
    world.refused = End(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID")
    with pytest.raises(errors.CredentialsInvalid):
        await Mirror(client).start()


async def test_key_refused_later_is_told_and_the_copy_answers_on(world: World, client: Client) -> None:
    user = world.create_user("directory_a", "ada@example.com")
    async with Mirror(client) as mirror:
        changes = mirror.changes()
        waiting = asyncio.ensure_future(mirror.wait_for_sequence("directory_a", 99))
        await asyncio.sleep(0)
        world.refused = End(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID")
        world.commit(world._event("dsync.weather.changed", "directory_a"))
        with pytest.raises(errors.CredentialsInvalid):
            await asyncio.wait_for(waiting, 20)
        assert isinstance(mirror.status().error, errors.CredentialsInvalid)
        assert mirror.user(user.id) is not None
        with pytest.raises(errors.CredentialsInvalid):
            async for _ in changes:
                pass


async def test_service_that_is_away_ends_the_start_in_time(unused_port: int) -> None:
    async with Client.connect(f"127.0.0.1:{unused_port}", "sk_test") as client:
        with pytest.raises(TimeoutError):
            await Mirror(client).start(timeout=0.1)


async def test_closing_ends_those_who_wait(world: World, client: Client) -> None:
    async with Mirror(client) as mirror:
        waiting = asyncio.ensure_future(mirror.wait_for_sequence("directory_a", 99))
        changes = mirror.changes()
        await asyncio.sleep(0)
    with pytest.raises(MirrorClosed):
        await waiting
    assert [change async for change in changes] == []
    assert mirror.directory("directory_a") is not None


@pytest.mark.parametrize("keys", [{}, {"email": "a", "idp_id": "b"}])
async def test_several_keys_or_none_are_refused(client: Client, keys: dict[str, str]) -> None:
    async with Mirror(client) as mirror:
        with pytest.raises(TypeError, match="exactly one of email, user_name, idp_id"):
            mirror.find_users(**keys)
