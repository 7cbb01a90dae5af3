from collections.abc import AsyncIterator

import pytest

from tests.support.stack import Stack, open_stack


@pytest.fixture
async def stack(database_url: str) -> AsyncIterator[Stack]:
    async with open_stack(database_url) as made:
        yield made
