import socket
from collections.abc import AsyncIterator

import pytest

from directorysync import Client
from tests.unit.client.fake_service import FakeDirectorySync, serving


@pytest.fixture
def service() -> FakeDirectorySync:
    return FakeDirectorySync()


@pytest.fixture
async def port(service: FakeDirectorySync) -> AsyncIterator[int]:
    async with serving(service) as port:
        yield port


@pytest.fixture
async def client(port: int) -> AsyncIterator[Client]:
    async with Client.connect(f"127.0.0.1:{port}", "sk_test") as client:
        yield client


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
