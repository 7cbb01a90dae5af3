from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support import postgres
from tests.support.server import RunningServe, running_serve

Serving = Callable[..., Awaitable[RunningServe]]


@pytest.fixture(scope="session")
async def serving(postgres_server: postgres.Server, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    """A running server with the given arguments and settings, the same one for all tests of the session that ask for
    these. Each has a database of its own.
    """
    running: dict[object, RunningServe] = {}
    async with AsyncExitStack() as stack:

        async def serve(*arguments: str, **settings: str) -> RunningServe:
            key = (arguments, frozenset(settings.items()))
            if key not in running:
                url = await stack.enter_async_context(postgres_server.database())
                data_dir: Path = tmp_path_factory.mktemp("serve")
                server = running_serve(data_dir, database_url=url, arguments=arguments, environ=settings)
                running[key] = stack.enter_context(server)
            return running[key]

        yield serve
