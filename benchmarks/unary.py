"""GetUser over gRPC, against a bare grpc.aio server that sends the same bytes; one client, one channel."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

from benchmarks import bare, grpc_work, load
from benchmarks.bench import SMALL, Bench, interleaved
from benchmarks.results import Row
from directorysync.v1 import directory_sync_pb2 as sync

NAME = "unary"
_METHOD = "/directorysync.v1.DirectorySync/GetUser"


def run(bench: Bench) -> list[Row]:
    """One caller, and 32 at once."""
    people, deployment = bench.population(SMALL), bench.deployment
    request = sync.GetUserRequest(id=people.user_id(1), directory_id=people.directory.id)
    answer = deployment.sync.GetUser(request, metadata=deployment.metadata).SerializeToString()
    job = grpc_work.UnaryJob(
        deployment.grpc_address,
        _METHOD,
        deployment.metadata,
        people.directory.id,
        tuple(people.ids[:2000]),
        concurrency=4,
        seconds=bench.size.seconds,
    )
    rows = []
    with bare.running(answer=answer) as limit, load.generator() as process:
        bare_job = replace(job, address=limit.address, method="/bare/Get", any_id=True)
        for each in (job, bare_job):
            process.submit(grpc_work.run, each).result()
        for callers in (1, 32):
            row = Row(NAME, f"{callers} at once", "calls/s", limit_name="bare")
            ours = partial(_ours, bench, process, replace(job, concurrency=callers), row)
            theirs = partial(_limit, limit, process, replace(bare_job, concurrency=callers), row)
            interleaved(bench.size.rounds, [ours, theirs])
            rows.append(row)
    return rows


def _ours(bench: Bench, process: ProcessPoolExecutor, job: grpc_work.UnaryJob, row: Row) -> None:
    before = bench.deployment.cpu()
    report = process.submit(grpc_work.run, job).result()
    row.cpu += bench.deployment.cpu() - before
    row.ours.append(report.rate)
    row.operations += len(report.latencies)
    row.latencies += report.latencies
    row.wrong += report.wrong


def _limit(server: bare.BareServer, process: ProcessPoolExecutor, job: grpc_work.UnaryJob, row: Row) -> None:
    before = server.cpu()
    report = process.submit(grpc_work.run, job).result()
    row.limit_cpu += server.cpu() - before
    row.limit.append(report.rate)
    row.limit_operations += len(report.latencies)
