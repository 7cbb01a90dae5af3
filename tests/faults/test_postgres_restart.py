"""PostgreSQL dies under a running service and comes back."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from directorysync.cli.embedded import EmbeddedPostgres
from directorysync.cli.postmaster import LockFile
from tests.faults.logs import faults_in
from tests.faults.watchers import Poller, Watcher, watching
from tests.support.processes import kill
from tests.support.server import running_serve
from tests.support.writers import heads_of, make_targets, writing


@pytest.fixture
def postgres(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    """A durable server that nobody looks after."""
    server = EmbeddedPostgres(data_dir / "postgres")
    server.start()
    yield server
    server.stop()


async def kill_postmaster(postgres: EmbeddedPostgres) -> None:
    pid = LockFile(postgres.data).pid()
    assert pid is not None
    kill(pid)
    while postgres.poll() is None:
        await asyncio.sleep(0.01)


async def ready(http_url: str) -> int:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        return (await http.get(f"{http_url}/readyz")).status_code


async def test_writes_are_turned_away_and_streams_resume(data_dir: Path, postgres: EmbeddedPostgres) -> None:
    with running_serve(data_dir / "serve", workers=2, database_url=postgres.url()) as server:
        workers = server.worker_pids
        async with server.client() as client:
            targets = await make_targets(client, server.http_url, 2)
            of_one = Watcher(server, "a watcher of one", [targets[0].directory_id])
            async with watching(Watcher(server, "a watcher of all"), of_one, Poller(server, "a poller")) as watchers:
                async with writing(targets, 4) as writers:
                    for _ in range(2):
                        await asyncio.gather(writers.progress(5), watchers.progress())
                        await kill_postmaster(postgres)
                        await writers.until_turned_away()
                        assert await ready(server.http_url) == 503
                        await asyncio.to_thread(postgres.start)
                        await asyncio.gather(writers.progress(5), watchers.progress())
                        assert await ready(server.http_url) == 200
                heads = await heads_of(client, targets)
                await watchers.until(heads)
                assert not watchers.broken_promises(heads, writers)
                assert not await writers.faults(client)
        assert not writers.broken, "a request to a living service was cut off"
        assert server.worker_pids == workers
        assert not faults_in(server.logs)
