"""gRPC calls in a closed loop: the same client for the product and for a bare server. Runs in a process of its own."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc
import uvloop

from benchmarks.load import Report
from directorysync.v1 import directory_sync_pb2 as sync

Metadata = tuple[tuple[str, str], ...]

# grpc.aio is bound to the loop that used it first, so all jobs of a process share one.
_runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)


@dataclass(frozen=True, slots=True)
class UnaryJob:
    """`concurrency` callers of one method over one channel. `ids` are asked for in turn."""

    address: str
    method: str
    metadata: Metadata
    directory_id: str
    ids: tuple[str, ...]
    concurrency: int
    seconds: float
    any_id: bool = False  # a bare server always gives the same answer


def run(job: UnaryJob) -> Report:
    """Do a job in this process."""
    return _runner.run(_run(job))


async def _run(job: UnaryJob) -> Report:
    report = Report()
    async with grpc.aio.insecure_channel(job.address) as channel:
        method: Callable[..., Awaitable[sync.GetUserResponse]] = channel.unary_unary(
            job.method,
            request_serializer=sync.GetUserRequest.SerializeToString,
            response_deserializer=sync.GetUserResponse.FromString,
        )
        await channel.channel_ready()
        began = time.perf_counter()
        await asyncio.gather(*[_caller(job, method, place, report, began) for place in range(job.concurrency)])
        report.seconds = time.perf_counter() - began
    return report


async def _caller(
    job: UnaryJob,
    method: Callable[..., Awaitable[sync.GetUserResponse]],
    place: int,
    report: Report,
    began: float,
) -> None:
    clock, number = time.perf_counter, place
    while (started := clock()) < began + job.seconds:
        wanted = job.ids[number % len(job.ids)]
        number += job.concurrency
        request = sync.GetUserRequest(id=wanted, directory_id=job.directory_id)
        answer = await method(request, metadata=job.metadata)
        if answer.user.id != wanted and not job.any_id:
            report.wrong.append(f"asked for {wanted}, given {answer.user.id}")
            return
        report.latencies.append(1000 * (clock() - started))
