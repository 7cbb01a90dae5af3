"""WatchEvents: from commit to receipt with 1 to 100 watchers, and catching up; against a bare stream of the same bytes.

The time of a live event is from `create_time`, which the service sets before it commits, to the moment at which the
watcher has it decoded: the flush of the commit is in it. The bare stream commits nothing.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

import grpc
import uvloop

from benchmarks import bare, load
from benchmarks.bench import SMALL, Bench, interleaved
from benchmarks.deployment import BenchDirectory
from benchmarks.results import Row, percentile
from benchmarks.scim_work import Provision, Update
from directorysync.v1 import directory_sync_pb2 as sync
from directorysync.v1 import events_pb2

NAME = "fan-out"
RATE = 300.0  # changes a second
_WRITERS = 8
_CHANNELS = 4
_PATIENCE_SECONDS = 15.0
_METHOD = "/directorysync.v1.DirectorySync/WatchEvents"
_OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", 64 * 1024 * 1024)]

# grpc.aio is bound to the loop that used it first, so all measurements share one.
_runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)


@dataclass(slots=True)
class Reader:
    """One stream: whether it has begun, and what came. Each event must be the successor of the one before."""

    started: asyncio.Event = field(default_factory=asyncio.Event)
    latencies: list[float] = field(default_factory=list)
    messages: int = 0
    last: int | None = None
    gaps: int = 0

    async def read(self, call: Any, *, numbered: bool = True) -> None:
        """Until it is cancelled or the stream ends."""
        async for message in call:
            now = time.time()
            self.messages += 1
            self.started.set()
            for event in message.events:
                if numbered and self.last is not None and event.directory_sequence != self.last + 1:
                    self.gaps += 1
                self.last = event.directory_sequence
                at = event.create_time
                self.latencies.append(1000 * (now - at.seconds - at.nanos / 1e9))

    def faults(self, expected: int) -> list[str]:
        """What is wrong with what came."""
        found = [f"{self.gaps} gaps in the order"] if self.gaps else []
        if len(self.latencies) != expected:
            found.append(f"{len(self.latencies)} events came of {expected}")
        return found


@dataclass(frozen=True, slots=True)
class _Source:
    """A stream that readers open."""

    address: str
    method: str
    request: bytes
    metadata: tuple[tuple[str, str], ...] = ()


class _Audience:
    """Readers of one source over a few channels. An async context."""

    def __init__(self, source: _Source, readers: int) -> None:
        self._source = source
        self.readers = [Reader() for _ in range(readers)]
        self._channels: list[grpc.aio.Channel] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        count = min(_CHANNELS, len(self.readers))
        self._channels = [grpc.aio.insecure_channel(self._source.address, _OPTIONS) for _ in range(count)]
        for place, reader in enumerate(self.readers):
            method: Any = self._channels[place % count].unary_stream(
                self._source.method, response_deserializer=sync.WatchEventsResponse.FromString
            )
            call = method(self._source.request, metadata=self._source.metadata)
            self._tasks.append(asyncio.create_task(reader.read(call)))
        waiting = asyncio.gather(*[reader.started.wait() for reader in self.readers])
        await asyncio.wait_for(waiting, _PATIENCE_SECONDS)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for channel in self._channels:
            await channel.close()

    async def complete(self, events: int) -> None:
        """Wait until every reader has `events` events, or patience ends."""
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while any(len(reader.latencies) < events for reader in self.readers) and time.monotonic() < give_up:
            await asyncio.sleep(0.01)


def run(bench: Bench) -> list[Row]:
    """Live, with few and many watchers; then the log from its beginning."""
    directory, events, sample = _log(bench)
    rows = []
    with bare.running(event=sample) as limit:
        for watchers in bench.size.watchers:
            row = Row(NAME, f"{watchers} watchers, {RATE:.0f} changes/s", "ms p50", limit_name="bare")
            measures = [partial(_live, bench, watchers, row), partial(_bare_live, bench, limit, watchers, row)]
            interleaved(max(1, bench.size.rounds - 1), measures)
            rows.append(row)
        for readers in (1, 10):
            row = Row(NAME, f"catching up, {readers} readers", "events/s", limit_name="bare")
            source = _watch(bench, directory, sync.WatchStart(beginning=sync.WatchStart.Beginning()))
            bare_source = _Source(limit.address, "/bare/Replay", json.dumps({"count": events}).encode())
            ours = partial(_catch_up, bench, source, readers, events, row)
            interleaved(bench.size.rounds, [ours, partial(_bare_catch_up, limit, bare_source, readers, events, row)])
            rows.append(row)
    return rows


def _log(bench: Bench) -> tuple[BenchDirectory, int, bytes]:
    """A directory whose log is worth catching up with, the number of its events, and one of them."""
    directory, deployment = bench.deployment.make_directory("log"), bench.deployment
    work = Provision([directory.base], secrets.token_hex(5), look_up=False)
    job = replace(bench.job(work, 16), seconds=30.0, operations=int(4000 * bench.size.seconds))
    report = bench.generator.submit(load.run, job).result()
    if report.wrong:
        raise RuntimeError(f"the log cannot be made: {report.wrong[0]}")
    request = sync.ListEventsRequest(filter=events_pb2.EventFilter(directory_ids=[directory.id]), page_size=100)
    page = deployment.sync.ListEvents(request, metadata=deployment.metadata)
    return directory, deployment.sequence(directory), page.events[-1].SerializeToString()


def _watch(bench: Bench, directory: BenchDirectory, start: sync.WatchStart) -> _Source:
    request = sync.WatchEventsRequest(filter=events_pb2.EventFilter(directory_ids=[directory.id]), start=start)
    return _Source(bench.deployment.grpc_address, _METHOD, request.SerializeToString(), bench.deployment.metadata)


def _live(bench: Bench, watchers: int, row: Row) -> None:
    people = bench.population(SMALL)
    source = _watch(bench, people.directory, sync.WatchStart(now=sync.WatchStart.Now()))
    work = Update(people.directory.base, people.ids, secrets.token_hex(5))
    job = replace(bench.job(work, _WRITERS), seconds=2 * bench.size.seconds, rate=RATE)
    before = bench.deployment.cpu()
    readers, writes = _runner.run(_live_round(bench, source, watchers, job, row))
    row.cpu += bench.deployment.cpu() - before
    _enter(row, readers, writes)
    messages = sum(reader.messages for reader in readers)
    row.note = f"{writes / job.seconds:.0f} changes/s were made, {watchers * writes / messages:.1f} events a message"


async def _live_round(
    bench: Bench, source: _Source, watchers: int, job: load.Job, row: Row
) -> tuple[Sequence[Reader], int]:
    async with _Audience(source, watchers) as audience:
        writing = asyncio.get_running_loop().run_in_executor(None, bench.generator.submit(load.run, job).result)
        report = await writing
        row.wrong += report.wrong
        await audience.complete(len(report.written))
    return audience.readers, len(report.written)


def _bare_live(bench: Bench, limit: bare.BareServer, watchers: int, row: Row) -> None:
    count = int(RATE * 2 * bench.size.seconds)
    request = {"run": secrets.token_hex(5), "readers": watchers, "rate": RATE, "count": count}
    before = limit.cpu()
    readers = _runner.run(_all(_Source(limit.address, "/bare/Follow", json.dumps(request).encode()), watchers, count))
    row.limit_cpu += limit.cpu() - before
    latencies = [latency for reader in readers for latency in reader.latencies]
    row.limit_operations += len(latencies)
    row.limit.append(percentile(latencies, 0.5))


def _catch_up(bench: Bench, source: _Source, readers: int, events: int, row: Row) -> None:
    before, began = bench.deployment.cpu(), time.perf_counter()
    found = _runner.run(_all(source, readers, events))
    row.ours.append(events * readers / (time.perf_counter() - began))
    row.cpu += bench.deployment.cpu() - before
    row.operations += events * readers
    row.wrong += [fault for reader in found for fault in reader.faults(events)][:1]


def _bare_catch_up(limit: bare.BareServer, source: _Source, readers: int, events: int, row: Row) -> None:
    before, began = limit.cpu(), time.perf_counter()
    _runner.run(_all(source, readers, events))
    row.limit_cpu += limit.cpu() - before
    row.limit_operations += events * readers
    row.limit.append(events * readers / (time.perf_counter() - began))


async def _all(source: _Source, readers: int, events: int) -> Sequence[Reader]:
    async with _Audience(source, readers) as audience:
        await audience.complete(events)
    return audience.readers


def _enter(row: Row, readers: Sequence[Reader], events: int) -> None:
    latencies = [latency for reader in readers for latency in reader.latencies]
    row.ours.append(percentile(latencies, 0.5))
    row.latencies += latencies
    row.operations += len(latencies)
    row.wrong += [fault for reader in readers for fault in reader.faults(events)][:1]
