"""Heavy work of one directory leaves room for that of others."""

import asyncio

import pytest

from service.app.slots import Slots
from service.domain.errors import OverloadedError


async def test_one_directory_takes_one_place_and_leaves_the_others() -> None:
    slots = Slots(2, 10)
    release = asyncio.Event()
    running: list[str] = []

    async def work(directory_id: str) -> None:
        async with slots.one(directory_id):
            running.append(directory_id)
            await release.wait()

    greedy = [asyncio.create_task(work("greedy")) for _ in range(5)]
    await asyncio.sleep(0)
    modest = asyncio.create_task(work("modest"))
    await asyncio.sleep(0.01)
    assert sorted(running) == ["greedy", "modest"]
    release.set()
    await asyncio.gather(modest, *greedy)
    assert running.count("greedy") == 5


async def test_a_full_line_refuses_at_once_and_is_forgotten_when_it_is_empty() -> None:
    slots = Slots(1, 2)
    release = asyncio.Event()

    async def work() -> None:
        async with slots.one("d"):
            await release.wait()

    waiting = [asyncio.create_task(work()) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        async with slots.one("d"):
            pass
    release.set()
    await asyncio.gather(*waiting)
    async with slots.one("d"):
        pass
    assert not slots._lines


async def test_a_cancelled_wait_gives_its_place_back() -> None:
    slots = Slots(1, 2)
    async with slots.one("d"):
        waiting = asyncio.create_task(slots.one("d").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with slots.one("d"):
        pass
    assert not slots._counts
