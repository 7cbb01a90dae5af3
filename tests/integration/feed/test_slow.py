"""DESIGN section 4, promise 9: a slow or dead subscriber delays nobody else."""

import asyncio

import grpc
import pytest

from directorysync import errors
from directorysync.v1 import directory_sync_pb2_grpc
from tests.integration.feed.lab import PATIENCE, USER, Log, Process, Seen, follow, process


async def test_a_slow_subscriber_delays_nobody_and_is_ended_with_its_cursor(
    replica: Process, shared_url: str, log: Log
) -> None:
    directory = await log.directory("directory_a")
    async with process(shared_url, patience=1.0) as other:
        other.begin(replica.origin)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{other.server.port}") as channel:
            stub = directory_sync_pb2_grpc.DirectorySyncStub(channel)
            call, slow = aiter(other.watch(stub=stub, beginning=True)), Seen()
            slow.messages.append(await anext(call))
            quick = asyncio.create_task(other.collect(200, stub=stub, beginning=True))
            for _ in range(200):
                await log.append(directory, size=60_000)
                other.sequencer.hint()
            assert len((await quick).events) == 200
            # Nothing is read meanwhile; then what was sent before comes, and the end.
            await asyncio.sleep(1.2)
            async with asyncio.timeout(PATIENCE):
                await follow(call, slow, 1_000)
            assert slow.failure.reason == "CONSUMER_TOO_SLOW"
            assert isinstance(slow.failure, errors.DirectorySyncError)
            sent = [message.cursor for message in slow.messages]
            assert slow.failure.metadata["cursor"] in sent
            rest = await other.collect(200 - len(slow.events), cursor=sent[-1])
            assert slow.numbers + rest.numbers == [(directory, seq) for seq in range(1, 201)]


@pytest.mark.parametrize("narrow", [True, False])
async def test_a_reader_left_behind_by_the_ring_catches_up_from_the_log(
    replica: Process, shared_url: str, log: Log, narrow: bool
) -> None:
    directory, other_directory = await log.directory("directory_a"), await log.directory("directory_b")
    filters = {"directory_ids": [directory]} if narrow else {"directory_ids": [directory, other_directory]}
    async with process(shared_url, ring_events=50) as other:
        other.begin(replica.origin)
        call, seen = other.watch(beginning=True, batch=7, **filters), Seen()
        seen.messages.append(await anext(call))
        for index in range(300):
            await log.append(directory, [USER] * (index % 4 + 1))
            if index == 20:
                seen.messages.append(await anext(call))
        total = 750
        reading = asyncio.create_task(follow(call, seen, total + 50 - len(seen.events)))
        for _ in range(50):
            await log.append(directory)
            other.sequencer.hint()
            await asyncio.sleep(0.001)
        await reading
        assert seen.numbers == [(directory, seq) for seq in range(1, total + 51)]


async def test_many_readers_far_behind_share_what_they_read(replica: Process, shared_url: str, log: Log) -> None:
    directory = await log.directory("directory_a")
    for _ in range(15):
        await log.append(directory, [USER] * 100)
    async with process(shared_url, ring_events=50) as other:
        other.begin(replica.origin)
        readers = [other.collect(1_500, beginning=True) for _ in range(50)]
        for seen in await asyncio.gather(*readers):
            assert [seq for _, seq in seen.numbers] == list(range(1, 1_501))
