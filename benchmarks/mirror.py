"""A mirror's start, from the service and from its file, and its look-ups; against the aims of its design.

It runs in a process of its own, so that its memory can be told. What it answers is compared with what was stored.
"""

import asyncio
import os
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import load, preload
from benchmarks.bench import Bench
from benchmarks.results import Row
from directorysync import Client, EventFilter, WatchStart
from directorysync.mirror import Mirror

NAME = "mirror"
_AIM_SECONDS_PER_USER = 10.0 / 100_000
_AIM_MICROSECONDS = 5.0
_MEMBERSHIPS_PER_USER = 5
_USERS_PER_GROUP = 100
_BLOCK = 200
_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Job:
    """What the other process does."""

    address: str
    key: str
    people: preload.Population
    groups: int
    seconds: float
    directory: str


@dataclass(slots=True)
class _Report:
    """Times in seconds, memory in MiB, look-ups in microseconds."""

    bare: float = 0.0
    start: float = 0.0
    start_with_file: float = 0.0
    restart: float = 0.0
    memory: float = 0.0
    file: float = 0.0
    lookups: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def run(bench: Bench) -> list[Row]:
    """A start in memory, one with a new file and one from that file, a round."""
    people = bench.population(bench.size.mirrored)
    groups = max(100, people.size // _USERS_PER_GROUP)
    preload.populate_groups(bench.deployment, people, groups)
    key = dict(bench.deployment.metadata)["authorization"].removeprefix("Bearer ")
    reports = []
    for _ in range(bench.size.rounds):
        with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as directory, load.generator() as process:
            job = _Job(bench.deployment.grpc_address, key, people, groups, bench.size.seconds, directory)
            reports.append(process.submit(_run, job).result())
    return _rows(people.size, reports)


def _rows(size: int, reports: list[_Report]) -> list[Row]:
    last = reports[-1]
    aim = _AIM_SECONDS_PER_USER * size
    what = f"{size:,} users, {size * _MEMBERSHIPS_PER_USER:,} memberships"
    start = Row(NAME, f"start, {size:,} users", "s", limit_name="aim", wrong=last.wrong)
    start.ours, start.limit = [report.start for report in reports], [aim] * len(reports)
    start.note = f"{what}; {last.memory:.0f} MiB; reading alone {last.bare:.2f} s"
    file = Row(NAME, f"start with a new file, {size:,} users", "s", limit_name="aim")
    file.ours, file.limit = [report.start_with_file for report in reports], [aim] * len(reports)
    again = Row(NAME, f"start from its file, {size:,} users", "s", limit_name="aim")
    again.ours, again.limit = [report.restart for report in reports], [aim] * len(reports)
    again.note = f"{last.file:.0f} MiB on disk"
    rows = [start, file, again]
    for case in last.lookups:
        row = Row(NAME, case, "µs", limit_name="aim")
        row.ours = [report.lookups[case] for report in reports]
        row.limit = [_AIM_MICROSECONDS] * len(reports)
        rows.append(row)
    return rows


def _run(job: _Job) -> _Report:
    return asyncio.run(_measure(job))


async def _measure(job: _Job) -> _Report:
    report = _Report()
    ids = [job.people.directory.id]
    path = Path(job.directory) / "some.mirror"
    async with Client.connect(job.address, job.key) as client:
        report.bare = await _read(client, ids)
        before = _resident()
        began = time.perf_counter()
        async with Mirror(client, directory_ids=ids) as mirror:
            report.start = time.perf_counter() - began
            report.memory = _resident() - before
            _ask(mirror, job, report)
        began = time.perf_counter()
        async with Mirror(client, directory_ids=ids, path=path):
            report.start_with_file = time.perf_counter() - began
        report.file = path.stat().st_size / _MEBIBYTE
        began = time.perf_counter()
        async with Mirror(client, directory_ids=ids, path=path) as mirror:
            report.restart = time.perf_counter() - began
            if mirror.status().snapshots or mirror.status().users != job.people.size:
                report.wrong.append("the file did not hold the copy")
    return report


async def _read(client: Client, ids: list[str]) -> float:
    """Seconds for the snapshot's messages alone."""
    began = time.perf_counter()
    start = WatchStart(snapshot=WatchStart.Snapshot())
    watch = client.watch(filter=EventFilter(directory_ids=ids), start=start)
    async for batch in watch:
        if batch.snapshot is not None and batch.snapshot.complete:
            break
    await watch.aclose()
    return time.perf_counter() - began


def _ask(mirror: Mirror, job: _Job, report: _Report) -> None:
    chance = random.Random(1)
    numbers = [chance.randint(1, job.people.size) for _ in range(_BLOCK)]
    ids = [job.people.user_id(number) for number in numbers]
    mails = [job.people.user_name(number).upper() for number in numbers]
    groups = [f"directory_group_0{job.people.letter}{1 + number % job.groups:024d}" for number in numbers]
    cases: dict[str, Callable[[int], object]] = {
        "user by id": lambda place: mirror.user(ids[place]),
        "users by e-mail": lambda place: mirror.find_users(email=mails[place]),
        "ids of a user's groups": lambda place: mirror.group_ids(ids[place]),
        "ids of a user's effective groups": lambda place: mirror.group_ids(ids[place], effective=True),
        "whether a user is in a group": lambda place: mirror.is_member(ids[place], groups[place]),
    }
    for name, ask in cases.items():
        report.lookups[name] = _microseconds(ask, job.seconds)
    status = mirror.status()
    if (status.users, status.groups) != (job.people.size, job.groups):
        report.wrong.append(f"the mirror holds {status.users} users and {status.groups} groups")
    for place, user_id in enumerate(ids):
        found = mirror.find_users(email=mails[place])
        member = mirror.is_member(user_id, groups[place])
        if (
            [user.id for user in found] != [user_id]
            or len(mirror.group_ids(user_id)) != _MEMBERSHIPS_PER_USER
            or not member
        ):
            report.wrong.append(f"{user_id} is not as it was stored")


def _microseconds(ask: Callable[[int], object], seconds: float) -> float:
    """Median over blocks, so that a neighbour's burst does not count."""
    clock, blocks = time.perf_counter, []
    end = clock() + seconds / 4
    while (began := clock()) < end:
        for place in range(_BLOCK):
            ask(place)
        blocks.append((clock() - began) / _BLOCK)
    return 1e6 * median(blocks)


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MEBIBYTE
