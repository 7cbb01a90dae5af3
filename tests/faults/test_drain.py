"""SIGTERM while writers write and watchers watch."""

import asyncio
from pathlib import Path

import grpc

from directorysync import WatchStart, errors
from directorysync.v1 import directory_sync_pb2 as sync_pb2
from tests.faults.logs import faults_in
from tests.faults.watchers import Watcher, watching
from tests.support.server import RunningServe, running_serve
from tests.support.writers import heads_of, make_targets, writing


class OneCall:
    """A watch without the client's resuming: one call, its last cursor, and how it ended."""

    def __init__(self, server: RunningServe) -> None:
        self._server = server
        self.cursor = ""
        self.ended: errors.DirectorySyncError | None = None

    async def run(self) -> None:
        """Until the stream ends."""
        request = sync_pb2.WatchEventsRequest(start=WatchStart(beginning=WatchStart.Beginning()))
        async with self._server.client() as client:
            try:
                async for message in client.sync.WatchEvents(request):
                    self.cursor = message.cursor
            except grpc.aio.AioRpcError as error:
                self.ended = errors.from_rpc_error(error)


async def test_sigterm_ends_all_in_order_and_loses_nothing(data_dir: Path) -> None:
    with running_serve(data_dir / "data", workers=2) as server:
        async with server.client() as client:
            targets = await make_targets(client, server.http_url, 2)
        resuming = Watcher(server, "a watcher")
        calls = [OneCall(server) for _ in range(4)]
        async with watching(resuming) as watchers:
            running = [asyncio.create_task(call.run()) for call in calls]
            async with writing(targets, 4) as writers:
                await asyncio.gather(writers.progress(10), watchers.progress())
                status = await asyncio.to_thread(server.stop)
                logs = server.logs
                async with asyncio.timeout(60):
                    await asyncio.gather(*running)
                await asyncio.to_thread(server.start)
                await asyncio.gather(writers.progress(5), watchers.progress())
            async with server.client() as client:
                heads = await heads_of(client, targets)
                await watchers.until(heads)
                assert not watchers.broken_promises(heads, writers)
                assert not await writers.faults(client)
    assert status == 0
    assert not [line for line in logs if "workers_killed" in line], "a worker did not end in its 5 s"
    assert not faults_in(logs)
    for call in calls:
        assert isinstance(call.ended, errors.Unavailable)
        assert (call.ended.reason, call.ended.retry_after) == ("SERVER_DRAINING", 1)
        assert call.cursor
