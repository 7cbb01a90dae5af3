import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from directorysync import Client
from directorysync.mirror import Mirror
from tests.unit.client.fake_service import serving
from tests.unit.client.mirror.judge import faults
from tests.unit.client.mirror.world import World


@pytest.fixture
async def world() -> World:
    return World("directory_a", "directory_b")


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    async with serving(world) as port, Client.connect(f"127.0.0.1:{port}", "sk_test") as client:
        yield client


async def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def same(mirror: Mirror, world: World, directory_ids: list[str] | None = None) -> list[str]:
    """Faults once the mirror has everything that the world has committed."""
    for directory_id, sequence in world.sequences.items():
        if directory_ids is None or directory_id in directory_ids:
            await mirror.wait_for_sequence(directory_id, sequence, timeout=20)
    await asyncio.sleep(0.01)  # keys of deleted directories are forgotten a little later
    return faults(mirror, world, directory_ids)
