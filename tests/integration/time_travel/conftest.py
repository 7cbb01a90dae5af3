"""A directory that is written to through the write path and read through the edge."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.commit.conftest import Directories, committing
from tests.support.stack import Stack, open_stack


@pytest.fixture
async def directories(database_url: str) -> AsyncIterator[Directories]:
    async with committing(database_url) as made:
        yield made


@pytest.fixture
async def stack(database_url: str) -> AsyncIterator[Stack]:
    async with open_stack(database_url) as made:
        yield made
