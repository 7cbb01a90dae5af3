"""The load generator: closed-loop connections (or a paced schedule) in a process of its own."""

import asyncio
import itertools
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

import uvloop

from benchmarks.http_connection import Connection
from benchmarks.scim_work import Work, WrongAnswerError

_MOST_FAULTS = 20  # of one job; then it stops


@dataclass(frozen=True, slots=True)
class Job:
    """`connections` each do one operation after the other, until `seconds` have passed or `operations` are done.

    `first` numbers the first operation. With `rate` operations a second are begun on a schedule instead.
    """

    work: Work
    host: str
    port: int
    connections: int
    seconds: float
    first: int = 0
    operations: int | None = None
    rate: float | None = None


@dataclass(slots=True)
class Report:
    """What came of a job. `numbers`, `latencies` (milliseconds) and `written` have one entry for each right answer."""

    seconds: float = 0.0
    numbers: list[int] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    written: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    next: int = 0

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0


def run(job: Job) -> Report:
    """Do a job in this process."""
    return uvloop.run(_run(job))


def generator() -> ProcessPoolExecutor:
    """One process that does jobs: `generator().submit(run, job).result()`."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


async def _run(job: Job) -> Report:
    connections = [await Connection.open(job.host, job.port) for _ in range(job.connections)]
    report, numbers = Report(), itertools.count(job.first)
    began = time.perf_counter()
    try:
        await asyncio.gather(*[_connection(job, connection, numbers, report, began) for connection in connections])
    finally:
        for connection in connections:
            connection.close()
    report.seconds = time.perf_counter() - began
    report.next = next(numbers)
    return report


async def _connection(
    job: Job, connection: Connection, numbers: "itertools.count[int]", report: Report, began: float
) -> None:
    clock = time.perf_counter
    end = began + job.seconds
    last = None if job.operations is None else job.first + job.operations
    while clock() < end and len(report.wrong) < _MOST_FAULTS:
        number = next(numbers)
        if last is not None and number >= last:
            return
        if job.rate is not None:
            due = began + (number - job.first) / job.rate
            if due >= end:
                return
            await asyncio.sleep(max(0.0, due - clock()))
        started = clock()
        try:
            written = await job.work.once(connection, number)
        except (WrongAnswerError, ConnectionError, KeyError, ValueError) as error:
            report.wrong.append(f"operation {number}: {error!r}")
            if isinstance(error, ConnectionError):
                return
            continue
        report.latencies.append(1000 * (clock() - started))
        report.numbers.append(number)
        if written is not None:
            report.written.append(written)
