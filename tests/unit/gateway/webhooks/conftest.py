"""A receiver and a lab for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.support.receiver import Receiver, receiving
from tests.unit.gateway.webhooks.lab import Lab, lab


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def bench() -> AsyncIterator[Lab]:
    async with lab() as made:
        yield made
