"""What every benchmark is given, and how rounds are paired."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace

from benchmarks import load, pgbench, preload
from benchmarks.deployment import BenchDirectory, Deployment
from benchmarks.results import Row
from benchmarks.scim_work import ReadBack, ReadUser, Work
from directorysync.v1 import directory_sync_pb2 as sync

SMALL = 10_000


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: rounds, seconds of one measurement, connections, users of the large directory, watchers of
    live changes, readers that catch up together, events of the long log, users in a mirror.
    """

    rounds: int
    seconds: float
    connections: Sequence[int]
    large: int
    watchers: Sequence[int]
    audience: Sequence[int]
    log: int
    mirrored: int


FULL = Size(
    rounds=3,
    seconds=1.2,
    connections=(1, 8, 32),
    large=105_000,
    watchers=(10, 100, 1000),
    audience=(1, 100, 1000),
    log=1_000_000,
    mirrored=100_000,
)
QUICK = Size(
    rounds=1,
    seconds=1.0,
    connections=(1, 32),
    large=25_000,
    watchers=(10, 100),
    audience=(1, 100),
    log=100_000,
    mirrored=10_000,
)


@dataclass(slots=True)
class Bench:
    """One run: the product, the load generator's process, and directories that several benchmarks share."""

    deployment: Deployment
    generator: ProcessPoolExecutor
    size: Size
    _populations: dict[int, preload.Population] = field(default_factory=dict)
    _limit_ready: bool = False

    def population(self, size: int) -> preload.Population:
        """A directory with `size` users, the same for all who ask."""
        if size not in self._populations:
            self._populations[size] = preload.populate(self.deployment, size)
        return self._populations[size]

    def measure(self, job: load.Job, row: Row) -> load.Report:
        """Do a job and enter its rate, times and CPU into `row`."""
        before = self.deployment.cpu()
        report = self.generator.submit(load.run, job).result()
        row.cpu += self.deployment.cpu() - before
        row.operations += len(report.latencies)
        row.ours.append(report.rate)
        row.latencies += report.latencies
        row.wrong += report.wrong
        return report

    def job(self, work: Work, connections: int, first: int = 0) -> load.Job:
        """A job of the usual length against the product."""
        return load.Job(work, self.deployment.host, self.deployment.port, connections, self.size.seconds, first)

    def limit(self, rows: Sequence[Row], script: str, connections: int, scale: float = 1.0, **variables: int) -> float:
        """Transactions a second of pgbench doing sql/`script`.sql; times `scale` they are the limit of `rows`."""
        if not self._limit_ready:
            pgbench.prepare(self.deployment.postgres, self.size.large)
            self._limit_ready = True
        before = self.deployment.cpu()
        report = pgbench.run(self.deployment.postgres, script, connections, self.size.seconds, **variables)
        used = self.deployment.cpu() - before
        for row in rows:
            row.limit.append(report.rate * scale)
            row.limit_cpu += used
            row.limit_operations += report.transactions
        return report.rate

    def read_back(self, directory: BenchDirectory) -> dict[str, ReadUser]:
        """Every user of a directory by id, through SCIM in pages of 1,000. Raises RuntimeError when that fails."""
        request = sync.GetDirectoryRequest(id=directory.id)
        users = self.deployment.sync.GetDirectory(request, metadata=self.deployment.metadata).directory.user_count
        work = ReadBack(directory.base)
        job = replace(self.job(work, 1), seconds=120.0, operations=-(-users // work.size))
        report = self.generator.submit(load.run, job).result()
        found = work.users(report.written)
        if report.wrong or len(found) != users:
            raise RuntimeError(f"{users} users cannot be read back: {report.wrong[:1]}")
        return found


def interleaved(rounds: int, measures: Sequence[Callable[[], object]]) -> None:
    """Each measure once a round; the next round begins with the next one, so that none always comes first."""
    for number in range(rounds):
        shift = number % len(measures)
        for measure in [*measures[shift:], *measures[:shift]]:
            measure()
