"""Two replicas over one PostgreSQL, restarted one after the other while writers write and readers read through both."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from directorysync.cli.embedded import EmbeddedPostgres
from tests.faults.logs import faults_in
from tests.faults.watchers import Poller, Watcher, watching
from tests.support.server import running_serve
from tests.support.validators import Bookmarked
from tests.support.writers import Target, heads_of, make_targets, writing


@pytest.fixture
def postgres(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    """A durable server that outlives the replicas."""
    server = EmbeddedPostgres(data_dir / "postgres")
    server.start()
    yield server
    server.stop()


def through(target: Target, old: str, new: str) -> Target:
    """The same directory as its provider would reach it at another replica."""
    return Target(target.directory_id, target.base_url.replace(old, new), target.token, target.everyone)


async def test_a_rolling_restart_loses_doubles_and_reorders_nothing(data_dir: Path, postgres: EmbeddedPostgres) -> None:
    url = postgres.url()
    with (
        running_serve(data_dir / "a", database_url=url) as one,
        running_serve(data_dir / "b", database_url=url) as other,
    ):
        async with one.client() as client:
            targets = await make_targets(client, one.http_url, 2)
        # Both replicas write to both directories: the lock on a directory's head is all that orders them.
        everywhere = targets + [through(target, one.http_url, other.http_url) for target in targets]
        wanders = Watcher(one, "a watcher that changes replicas", forgets=10, others=[other])
        stays = Watcher(other, "a watcher of the other replica", [targets[0].directory_id])
        logs: list[str] = []
        async with watching(wanders, stays, Poller(one, "a poller")) as watchers:
            async with writing(everywhere, 2) as writers:
                for replica in (one, other, one):
                    await asyncio.gather(writers.progress(5), watchers.progress())
                    logs += replica.logs
                    assert await asyncio.to_thread(replica.stop) == 0
                    await asyncio.to_thread(replica.start)
                await asyncio.gather(writers.progress(5), watchers.progress())
            async with one.client() as client:
                heads = await heads_of(client, targets)
                await watchers.until(heads)
                await asyncio.sleep(4.5)  # two intervals of the watchers' bookmarks
                assert not watchers.broken_promises(heads, writers)
                assert not Bookmarked(1).faults(stays.recording)
                assert not await writers.faults(client)
        assert not faults_in(logs + one.logs + other.logs)
