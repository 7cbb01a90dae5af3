"""WatchEvents from commit to receipt with 10 to 1,000 watchers, and catching up; beside bare streams of the same bytes.

The time of a live event is from `create_time`, which the service sets before it commits, to the moment at which the
watcher has it decoded: the flush of the commit is in it. The bare stream commits nothing.
"""

import asyncio
import contextlib
import itertools
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

import grpc
import uvloop

from benchmarks import bare, load, preload
from benchmarks.bench import SMALL, Bench, interleaved
from benchmarks.deployment import BenchDirectory
from benchmarks.results import Row, percentile
from benchmarks.scim_work import BulkUpdate, Provision, Update
from directorysync.v1 import directory_sync_pb2 as sync
from directorysync.v1 import events_pb2

NAME = "fan-out"
RATE = 500.0  # changes a second
_PER_REQUEST = 10  # changes: 500 requests a second fill a small machine before a watcher has had anything
_TOGETHER_EVENTS = 2_000_000
_WRITERS = 8
_CHANNELS = 4
_KNOWN_MESSAGES = 512
_PATIENCE_SECONDS = 60.0
# Until a stream that nobody reads has all that it will take: making that is work, being stalled is none.
_FILLING_SECONDS = 0.5
_METHOD = "/directorysync.v1.DirectorySync/WatchEvents"
_OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", 64 * 1024 * 1024)]

# grpc.aio is bound to the loop that used it first, so all measurements share one.
_runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)


@dataclass(frozen=True, slots=True)
class _Message:
    """What readers look at: the numbers of its first and last event, gaps between, and when each was made."""

    first: int
    last: int
    gaps: int
    created: Sequence[float]


class _Decoder:
    """Takes messages apart. What many readers receive is taken apart once, so that they are not what is measured."""

    def __init__(self, readers: int) -> None:
        self._known: OrderedDict[bytes, _Message] | None = OrderedDict() if readers > 1 else None

    def message(self, raw: bytes) -> _Message:
        """What it holds."""
        if self._known is None:
            return _message(raw)
        found = self._known.get(raw)
        if found is None:
            found = self._known[raw] = _message(raw)
            if len(self._known) > _KNOWN_MESSAGES:
                self._known.popitem(last=False)
        return found


def _message(raw: bytes) -> _Message:
    events = sync.WatchEventsResponse.FromString(raw).events
    numbers = [event.directory_sequence for event in events]
    created = [at.seconds + at.nanos / 1e9 for event in events if (at := event.create_time)]
    gaps = sum(after != before + 1 for before, after in itertools.pairwise(numbers))
    return _Message(numbers[0] if numbers else 0, numbers[-1] if numbers else 0, gaps, created)


@dataclass(slots=True)
class Reader:
    """One stream: whether it has begun, and what came when. Each event must be the successor of the one before."""

    decoder: _Decoder
    started: asyncio.Event = field(default_factory=asyncio.Event)
    seen: list[tuple[float, _Message]] = field(default_factory=list)
    events: int = 0
    messages: int = 0
    last: int | None = None
    gaps: int = 0

    async def read(self, call: Any) -> None:
        """Until it is cancelled or the stream ends."""
        async for raw in call:
            message = self.decoder.message(raw)
            self.messages += 1
            self.started.set()
            if message.created:
                self.seen.append((time.time(), message))
                self.events += len(message.created)
                self.gaps += message.gaps + (self.last is not None and message.first != self.last + 1)
                self.last = message.last

    @property
    def latencies(self) -> list[float]:
        """Milliseconds from the making of each event."""
        return [1000 * (at - made) for at, message in self.seen for made in message.created]

    def faults(self, expected: int) -> list[str]:
        """What is wrong with what came."""
        found = [f"{self.gaps} gaps in the order"] if self.gaps else []
        if self.events != expected:
            found.append(f"{self.events} events came of {expected}")
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
        decoder = _Decoder(readers)
        self.readers = [Reader(decoder) for _ in range(readers)]
        self._channels: list[grpc.aio.Channel] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        count = min(_CHANNELS, len(self.readers))
        self._channels = [grpc.aio.insecure_channel(self._source.address, _OPTIONS) for _ in range(count)]
        for place, reader in enumerate(self.readers):
            method: Any = self._channels[place % count].unary_stream(self._source.method)
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
        while any(reader.events < events for reader in self.readers) and time.monotonic() < give_up:
            await asyncio.sleep(0.01)


def run(bench: Bench) -> list[Row]:
    """Live, with few and many watchers and beside one that does not read; then logs from their beginning."""
    people = bench.population(SMALL)
    work = Provision([people.directory.base], secrets.token_hex(5), look_up=False)
    bench.generator.submit(load.run, replace(bench.job(work, 1), seconds=30.0, operations=1)).result()
    sample = _made(bench, people.directory)
    long_log = preload.fill_log(bench.deployment, sample, bench.size.log)
    # The first commits of a connection, and those after an ANALYZE, plan their statements: tens of milliseconds.
    warm = Update(people.directory.base, people.ids, secrets.token_hex(5))
    bench.generator.submit(load.run, replace(bench.job(warm, _WRITERS), operations=200)).result()
    rows = []
    with bare.running(event=sample.SerializeToString()) as limit:
        live = {watchers: _live_row(bench, limit, watchers, _PER_REQUEST) for watchers in bench.size.watchers}
        rows += [*live.values(), _one_more(live), _live_row(bench, limit, 10, 1)]
        rows.append(_beside_a_stalled_one(bench, long_log))
        rows.append(_catching_up(bench, limit, long_log, 1, f"catching up over {bench.size.log:,} events, 1 reader"))
        for readers in bench.size.audience:
            log = preload.fill_log(bench.deployment, sample, min(100_000, _TOGETHER_EVENTS // readers))
            rows.append(_catching_up(bench, limit, log, readers, f"catching up, {readers} readers"))
    return rows


def _made(bench: Bench, directory: BenchDirectory) -> events_pb2.Event:
    """The event of a user's creation."""
    wanted = events_pb2.EventFilter(directory_ids=[directory.id], types=["dsync.user.created"])
    page = bench.deployment.sync.ListEvents(
        sync.ListEventsRequest(filter=wanted, page_size=1), metadata=bench.deployment.metadata
    )
    found: events_pb2.Event = page.events[0]
    return found


def _live_row(bench: Bench, limit: bare.BareServer, watchers: int, together: int) -> Row:
    case = f"{watchers} watchers, {RATE:.0f} changes/s" + (", one a request" if together == 1 else "")
    row = Row(NAME, case, "ms p99", limit_name="bare")
    measures = [partial(_live, bench, watchers, row, together), partial(_bare_live, bench, limit, watchers, row)]
    interleaved(max(1, bench.size.rounds - 1), measures)
    return row


def _one_more(live: Mapping[int, Row]) -> Row:
    """What the service works for one watcher and event more, once it sends batches."""
    few, many = live[min(live)], live[max(live)]
    row = Row(NAME, "CPU of one watcher and event more", "µs", note=f"{many.case} less {few.case}")
    more = 1e6 * (many.cpu.server - few.cpu.server) / (many.operations - few.operations)
    row.ours.append(max(0.0, more))
    return row


def _beside_a_stalled_one(bench: Bench, long_log: BenchDirectory) -> Row:
    """Live again, with one more reader of a long log that reads nothing; the limit is the same without it."""
    row = Row(NAME, "10 watchers beside a stalled one", "ms p99", limit_name="without it")
    alone = Row(NAME, "10 watchers", "ms p99")
    stalled = _watch(bench, long_log, sync.WatchStart(beginning=sync.WatchStart.Beginning()))
    measures = [
        partial(_live, bench, 10, row, _PER_REQUEST, stalled),
        partial(_live, bench, 10, alone, _PER_REQUEST),
    ]
    interleaved(max(2, bench.size.rounds), measures)
    row.limit, row.wrong = alone.ours, row.wrong + alone.wrong
    return row


def _catching_up(bench: Bench, limit: bare.BareServer, log: BenchDirectory, readers: int, case: str) -> Row:
    row, events = Row(NAME, case, "events/s", limit_name="bare"), bench.deployment.sequence(log)
    source = _watch(bench, log, sync.WatchStart(beginning=sync.WatchStart.Beginning()))
    bare_source = _Source(limit.address, "/bare/Replay", json.dumps({"count": events}).encode())
    ours = partial(_catch_up, bench, source, readers, events, row)
    interleaved(bench.size.rounds, [ours, partial(_bare_catch_up, limit, bare_source, readers, events, row)])
    return row


def _watch(bench: Bench, directory: BenchDirectory, start: sync.WatchStart) -> _Source:
    request = sync.WatchEventsRequest(filter=events_pb2.EventFilter(directory_ids=[directory.id]), start=start)
    return _Source(bench.deployment.grpc_address, _METHOD, request.SerializeToString(), bench.deployment.metadata)


def _live(bench: Bench, watchers: int, row: Row, together: int, stalled: _Source | None = None) -> None:
    people = bench.population(SMALL)
    source = _watch(bench, people.directory, sync.WatchStart(now=sync.WatchStart.Now()))
    whom = (people.directory.base, people.ids, secrets.token_hex(5))
    work = Update(*whom) if together == 1 else BulkUpdate(*whom, together)
    job = replace(bench.job(work, _WRITERS), seconds=2 * bench.size.seconds, rate=RATE / together)
    before = bench.deployment.cpu()
    readers, changes = _runner.run(_live_round(bench, [source, stalled], watchers, job, row, together))
    row.cpu += bench.deployment.cpu() - before
    _enter(row, readers, changes)
    messages = sum(reader.messages for reader in readers)
    row.note = f"{changes / job.seconds:.0f} changes/s were made, {watchers * changes / messages:.1f} events a message"


async def _live_round(
    bench: Bench, sources: Sequence[_Source | None], watchers: int, job: load.Job, row: Row, together: int
) -> tuple[Sequence[Reader], int]:
    source, stalled = sources
    assert source is not None
    async with _unread(stalled), _Audience(source, watchers) as audience:
        writing = asyncio.get_running_loop().run_in_executor(None, bench.generator.submit(load.run, job).result)
        report = await writing
        row.wrong += report.wrong
        changes = together * len(report.written)
        await audience.complete(changes)
    return audience.readers, changes


@contextlib.asynccontextmanager
async def _unread(source: _Source | None) -> AsyncIterator[None]:
    """A stream that is opened and never read."""
    if source is None:
        yield
        return
    async with grpc.aio.insecure_channel(source.address, _OPTIONS) as channel:
        call: Any = channel.unary_stream(source.method)
        opened = call(source.request, metadata=source.metadata)
        await opened.initial_metadata()
        await asyncio.sleep(_FILLING_SECONDS)
        yield
        opened.cancel()


def _bare_live(bench: Bench, limit: bare.BareServer, watchers: int, row: Row) -> None:
    count = int(RATE * 2 * bench.size.seconds)
    request = {"run": secrets.token_hex(5), "readers": watchers, "rate": RATE, "count": count}
    before = limit.cpu()
    readers = _runner.run(_all(_Source(limit.address, "/bare/Follow", json.dumps(request).encode()), watchers, count))
    row.limit_cpu += limit.cpu() - before
    latencies = [latency for reader in readers for latency in reader.latencies]
    row.limit_operations += len(latencies)
    row.limit.append(percentile(latencies, 0.99))


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
    row.ours.append(percentile(latencies, 0.99))
    row.latencies += latencies
    row.operations += len(latencies)
    row.wrong += [fault for reader in readers for fault in reader.faults(events)][:1]
