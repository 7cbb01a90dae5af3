"""W2 and W3: PATCH of two attributes, and of `active`; against the same update and its event in SQL."""

import secrets
from collections.abc import Callable
from functools import partial

from benchmarks.bench import SMALL, Bench, interleaved
from benchmarks.preload import Population
from benchmarks.results import Row
from benchmarks.scim_work import Deactivate, Update, Work

NAME = "updates"


class _Series:
    """One workload over all its measurements: operations are numbered on, and what was written last is known."""

    def __init__(self, bench: Bench, work: Work) -> None:
        self._bench = bench
        self._work = work
        self._next = 0
        self.last: dict[str, str] = {}
        self.writes = 0

    def measure(self, connections: int, row: Row) -> None:
        """One measurement."""
        report = self._bench.measure(self._bench.job(self._work, connections, self._next), row)
        self._next = report.next
        self.last.update(report.written)
        self.writes += len(report.written)


def run(bench: Bench) -> list[Row]:
    """Both workloads at each number of connections."""
    people = bench.population(SMALL)
    titles = _Series(bench, Update(people.directory.base, people.ids, secrets.token_hex(5)))
    states = _Series(bench, Deactivate(people.directory.base, people.ids))
    warm_up = Row(NAME, "warm-up", "")
    titles.measure(4, warm_up)
    states.measure(4, warm_up)
    if warm_up.wrong:
        raise RuntimeError(f"updates do not work: {warm_up.wrong[0]}")
    events = bench.deployment.sequence(people.directory) - titles.writes - states.writes
    rows: list[Row] = []
    for connections in bench.size.connections:
        pair = [
            Row(NAME, f"W2 title and department, c={connections}", "updates/s", limit_name="pgbench"),
            Row(NAME, f"W3 active, c={connections}", "updates/s", limit_name="pgbench"),
        ]
        measures: list[Callable[[], object]] = [
            partial(titles.measure, connections, pair[0]),
            partial(states.measure, connections, pair[1]),
            partial(bench.limit, pair, "update", connections),
        ]
        interleaved(bench.size.rounds, measures)
        rows += pair
    rows[-1].wrong += _faults(bench, people, titles, states)
    made = bench.deployment.sequence(people.directory) - events
    if made != titles.writes + states.writes:
        rows[-1].wrong.append(f"{made} events for {titles.writes + states.writes} updates")
    return rows


def _faults(bench: Bench, people: Population, titles: _Series, states: _Series) -> list[str]:
    there = bench.read_back(people.directory)
    differing = [
        user_id
        for user_id, title in titles.last.items()
        if (there[user_id].title, there[user_id].department) != (title, title)
    ]
    differing += [user_id for user_id, active in states.last.items() if str(there[user_id].active) != active]
    return [f"{len(differing)} users differ when read back"] if differing else []
