"""Writers write and watchers read while the service is killed and started again, with its PostgreSQL and without."""

import asyncio
from pathlib import Path

from tests.faults.logs import faults_in
from tests.faults.watchers import Poller, Watcher, watching
from tests.support.processes import kill
from tests.support.server import RunningServe, running_serve
from tests.support.subscriber import Replica
from tests.support.writers import heads_of, make_targets, writing

DIRECTORIES, WRITERS_EACH, WRITES_EACH = 4, 4, 5
# What outlives each kill of the supervisor.
LEFT: list[dict[str, bool]] = [
    {},
    {"leave_postgres": True},
    {"leave_postgres": True, "leave_workers": True},
    {"leave_postgres": True},
    {},
]


async def kill_one_worker(server: RunningServe) -> None:
    """Returns when it is replaced."""
    first = server.worker_pids[0]
    kill(first)
    while len(server.worker_pids) < 2 or first in server.worker_pids:
        await asyncio.sleep(0.05)


async def kill_and_restart(server: RunningServe, left: dict[str, bool]) -> list[str]:
    """Returns the log up to the kill."""
    await asyncio.to_thread(server.kill, **left)
    lines = server.logs
    await asyncio.to_thread(server.start)
    return lines


async def test_acknowledged_writes_and_all_events_outlive_kills(data_dir: Path) -> None:
    logs: list[str] = []
    with running_serve(data_dir / "data", workers=2) as server:
        async with server.client() as client:
            targets = await make_targets(client, server.http_url, DIRECTORIES)
        of_all = Watcher(server, "a watcher of all", forgets=20)
        of_one = Watcher(server, "a watcher of one", [targets[0].directory_id])
        async with watching(of_all, of_one, Poller(server, "a poller")) as watchers:
            async with writing(targets, WRITERS_EACH) as writers:
                for left in LEFT:
                    await asyncio.gather(writers.progress(WRITES_EACH), watchers.progress())
                    logs += await kill_and_restart(server, left)
                await asyncio.gather(writers.progress(WRITES_EACH), watchers.progress())
                await kill_one_worker(server)
                await asyncio.gather(writers.progress(WRITES_EACH), watchers.progress())
            async with server.client() as client:
                heads = await heads_of(client, targets)
                await watchers.until(heads)
                assert not watchers.broken_promises(heads, writers)
                assert not await writers.faults(client)
                for directory in heads:
                    events = [event for event in of_all.recording.first_sights() if event.directory_id == directory]
                    assert not await Replica(events).faults(client, directory)
        logs += server.logs
    assert writers.broken, "no request was ever cut off: the kills proved nothing"
    assert not faults_in(logs)
