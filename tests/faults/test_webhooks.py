"""Workers are killed while they deliver webhooks: every event arrives at least once, each directory's in order."""

import asyncio
import contextlib
import itertools
from pathlib import Path

from directorysync.v1 import directory_sync_pb2 as sync_pb2
from directorysync.v1 import events_pb2
from directorysync.v1 import webhooks_pb2 as pb
from tests.faults.logs import faults_in
from tests.support.processes import kill
from tests.support.receiver import OK, Answer, Received, Receiver, receiving
from tests.support.server import RunningServe, running_serve
from tests.support.writers import make_targets, writing

SETTINGS = {"DIRSYNC_WEBHOOK_ALLOW_HTTP": "true", "DIRSYNC_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}
DIRECTORIES, KILLS, PAUSE = 2, 3, 0.1


def arrived(receiver: Receiver, path: str) -> dict[str, list[str]]:
    """Ids of events by directory, in the order of their first arrival."""
    found: dict[str, dict[str, None]] = {}
    for request in receiver.at(path):
        data = request.event["data"]
        found.setdefault(data.get("directory_id") or data["id"], {})[request.id] = None
    return {directory: [*ids] for directory, ids in found.items()}


async def logged(server: RunningServe, directories: list[str]) -> dict[str, list[str]]:
    """The same, of the log."""
    found: dict[str, list[str]] = {directory: [] for directory in directories}
    async with server.client() as client:
        for directory, ids in found.items():
            request = sync_pb2.ListEventsRequest(filter=events_pb2.EventFilter(directory_ids=[directory]))
            more = True
            while more:
                page = await client.sync.ListEvents(request)
                ids += [event.id for event in page.events]
                request.cursor, more = page.cursor, page.more
    return found


async def kill_a_worker(server: RunningServe) -> None:
    """Returns when it is replaced."""
    first = server.worker_pids[0]
    kill(first)
    while len(server.worker_pids) < 2 or first in server.worker_pids:
        await asyncio.sleep(0.05)


async def test_every_event_outlives_kills_of_its_dispatcher(data_dir: Path) -> None:
    turns, failed = itertools.count(1), set[str]()

    def moody(request: Received) -> Answer:
        """One of a hundred fails: kills meet lanes too. Never the same twice: its third attempt is minutes away."""
        if next(turns) % 100 or request.id in failed:
            return OK
        failed.add(request.id)
        return Answer(503, headers=(("retry-after", "1"),))

    with running_serve(data_dir / "data", workers=2, environ=SETTINGS) as server:
        async with receiving() as receiver, server.client() as client:
            receiver.answers["/moody"] = moody
            everything = events_pb2.EventFilter(types=["dsync.*"])
            for path in ("/good", "/moody"):
                request = pb.CreateWebhookEndpointRequest(endpoint_url=receiver.url(path), filter=everything)
                await client.admin.CreateWebhookEndpoint(request)
            targets = await make_targets(client, server.http_url, DIRECTORIES)
            directories = [target.directory_id for target in targets]
            async with writing(targets, 1, pause=PAUSE) as writers:
                for _ in range(KILLS):
                    before = len(receiver.received)
                    await writers.progress(3)
                    await receiver.until(lambda before=before: len(receiver.received) > before + 10, 60)
                    await kill_a_worker(server)
                await writers.progress(3)
            log = await logged(server, directories)
            for path in ("/good", "/moody"):
                with contextlib.suppress(TimeoutError):
                    await receiver.until(lambda path=path: arrived(receiver, path) == log, 120)
                assert arrived(receiver, path) == log, path
            count = sum(map(len, log.values()))
            assert len(receiver.at("/good")) >= count
        assert not faults_in(server.logs)
