"""The client and the mirror without an event loop of one's own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from directorysync import WatchStart, errors
from directorysync.sync import SyncClient
from directorysync.v1 import directory_sync_pb2 as pb
from directorysync.v1.resources_pb2 import DirectoryGroup, DirectoryUser
from tests.unit.client.fake_service import STAYS_OPEN, UNAVAILABLE, FakeDirectorySync, batch, serving, started
from tests.unit.client.mirror.judge import faults
from tests.unit.client.mirror.world import World


async def session(port: int, program: Callable[[SyncClient], Any]) -> Any:
    """Runs a program in a thread, as one without a loop does."""

    def run() -> Any:
        with SyncClient.connect(f"127.0.0.1:{port}", "sk_test") as client:
            return program(client)

    return await asyncio.wait_for(asyncio.to_thread(run), 30)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    return World("directory_a")


async def test_calls_return_their_answers(service: FakeDirectorySync, port: int) -> None:
    service.answers = {
        "GetUser": [pb.GetUserResponse(user=DirectoryUser(id="u1"))],
        "LookupUsers": [pb.LookupUsersResponse(users=[DirectoryUser(id="u2")])],
        "ListGroups": [
            pb.ListGroupsResponse(groups=[DirectoryGroup(id="g1")], next_page_token="2"),
            pb.ListGroupsResponse(groups=[DirectoryGroup(id="g2")]),
        ],
    }

    def program(client: SyncClient) -> object:
        return (
            client.get_user("u1", directory_id="d1", as_of=3).id,
            [user.id for user in client.find_users(email="ada@example.com")],
            [group.id for group in client.list_groups("d1")],
            client.call(lambda it: it.sync.GetServerInfo(pb.GetServerInfoRequest())).version,
        )

    assert await session(port, program) == ("u1", ["u2"], ["g1", "g2"], "fake")
    assert service.credentials == ["Bearer sk_test"]


async def test_errors_are_those_of_the_client(service: FakeDirectorySync, unused_port: int) -> None:
    def program(client: SyncClient) -> None:
        client.call(lambda it: it.sync.GetServerInfo(pb.GetServerInfoRequest()))

    with pytest.raises(errors.Unavailable):
        await session(unused_port, program)


async def test_watch_heals_itself(service: FakeDirectorySync, port: int) -> None:
    service.script = [([started("c0"), batch("c1", 1)], UNAVAILABLE), ([started("c1"), batch("c2", 2)], STAYS_OPEN)]

    def program(client: SyncClient) -> list[int]:
        seen: list[int] = []
        for one in client.watch(start=WatchStart(beginning=WatchStart.Beginning())):
            seen += [event.directory_sequence for event in one.events]
            if len(seen) == 2:
                break
        return seen

    assert await session(port, program) == [1, 2]


async def test_mirror_for_any_thread(world: World) -> None:
    user = world.create_user("directory_a", "ada@example.com")
    world.create_group("directory_a", "Staff", user.id)
    changed, written = threading.Event(), threading.Event()

    def program(client: SyncClient) -> list[str]:
        with client.mirror(directory_ids=["directory_a"], timeout=20) as mirror:
            assert [group.name for group in mirror.groups(user.id)] == ["Staff"]
            changed.set()
            assert written.wait(20)
            mirror.wait_for(world.log[-1], timeout=20)
            assert mirror.status().ready
            return faults(mirror, world)

    async with serving(world) as port:
        running = asyncio.create_task(session(port, program))
        await asyncio.to_thread(changed.wait, 20)
        for number in range(20):
            world.create_user("directory_a", f"{number}@example.com")
        written.set()
        assert await running == []


async def test_program_that_ends_early_leaves_no_thread(port: int, service: FakeDirectorySync) -> None:
    service.script = [([started("c0")], STAYS_OPEN)]

    def program(client: SyncClient) -> None:
        batches = client.watch()
        next(iter(batches))
        raise KeyError("of the program")

    with pytest.raises(KeyError):
        await session(port, program)
    assert [thread for thread in threading.enumerate() if thread.name == "directorysync"] == []
