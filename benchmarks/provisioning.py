"""W1: a provider's first sync. Look-up of a new name, then POST; against the same two steps in SQL."""

import secrets
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from benchmarks.bench import Bench, interleaved
from benchmarks.deployment import BenchDirectory
from benchmarks.results import Row
from benchmarks.scim_work import Provision

NAME = "provisioning"
_SPREAD = 4


class _Ledger:
    """What was written where, and whether it is there in the end."""

    def __init__(self, bench: Bench, directories: Sequence[BenchDirectory]) -> None:
        self._bench = bench
        self._directories = directories
        self._written: dict[str, dict[str, str]] = defaultdict(dict)
        self._sequences: dict[str, int] = {}

    def provision(self, directories: Sequence[BenchDirectory], connections: int, seconds: float, row: Row) -> None:
        """One measurement into one or several directories."""
        work = Provision([directory.base for directory in directories], secrets.token_hex(5))
        job = replace(self._bench.job(work, connections), seconds=seconds)
        report = self._bench.measure(job, row)
        for number, (user_id, user_name) in zip(report.numbers, report.written, strict=True):
            self._written[directories[number % len(directories)].id][user_id] = user_name

    def warm_up(self) -> None:
        """Connect the directories (which is an event of its own), fill caches, and note where the logs are."""
        row = Row(NAME, "warm-up", "")
        for directory in self._directories:
            self.provision([directory], 4, 0.3, row)
            made = len(self._written[directory.id])
            self._sequences[directory.id] = self._bench.deployment.sequence(directory) - made
        if row.wrong:
            raise RuntimeError(f"provisioning does not work: {row.wrong[0]}")

    def faults(self) -> list[str]:
        """Every user that is not what was written, and every event that is missing or too many."""
        found = []
        for directory in self._directories:
            expected = self._written[directory.id]
            there = {user_id: user.user_name for user_id, user in self._bench.read_back(directory).items()}
            events = self._bench.deployment.sequence(directory) - self._sequences[directory.id]
            if there != expected:
                found.append(f"{len(expected.items() ^ there.items())} users differ when read back")
            if events != len(expected):
                found.append(f"{events} events for {len(expected)} users")
        return found


def run(bench: Bench) -> list[Row]:
    """One directory and four, at each number of connections."""
    one = [bench.deployment.make_directory("one")]
    several = [bench.deployment.make_directory(f"one of {_SPREAD}") for _ in range(_SPREAD)]
    ledger = _Ledger(bench, [*one, *several])
    ledger.warm_up()
    rows = []
    for connections in bench.size.connections:
        pair = [
            Row(NAME, f"c={connections}, one directory", "pairs/s", limit_name="pgbench"),
            Row(NAME, f"c={connections}, {_SPREAD} directories", "pairs/s", limit_name="pgbench"),
        ]
        seconds = bench.size.seconds
        measures: list[Callable[[], object]] = [
            partial(ledger.provision, one, connections, seconds, pair[0]),
            partial(ledger.provision, several, connections, seconds, pair[1]),
            partial(bench.limit, pair, "pair", connections),
        ]
        interleaved(bench.size.rounds, measures)
        rows += pair
    rows[-1].wrong += ledger.faults()
    return rows
