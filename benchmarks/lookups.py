"""W5: `userName eq` of a name that is there, in a small and in a large directory; against the same SELECT."""

from functools import partial

from benchmarks.bench import SMALL, Bench, interleaved
from benchmarks.results import Row
from benchmarks.scim_work import LookUp

NAME = "look-up"


def run(bench: Bench) -> list[Row]:
    """Both directories at each number of connections, side by side."""
    works = {}
    for size in (SMALL, bench.size.large):
        people = bench.population(size)
        # Every hundredth user is enough to miss caches, and little to carry to the generator.
        numbers = range(1, size + 1, max(1, size // 5000))
        names = [people.user_name(number) for number in numbers]
        works[size] = LookUp(people.directory.base, names, [people.user_id(number) for number in numbers])
        warm_up = Row(NAME, "warm-up", "")
        bench.measure(bench.job(works[size], 4), warm_up)
        if warm_up.wrong:
            raise RuntimeError(f"look-ups do not work: {warm_up.wrong[0]}")
    rows: list[Row] = []
    for connections in bench.size.connections:
        found = {
            size: Row(NAME, f"{size:,} users, c={connections}", "look-ups/s", limit_name="pgbench") for size in works
        }
        measures = [partial(_ours, bench, works[size], connections, row) for size, row in found.items()]
        measures += [partial(_limit, bench, size, connections, row) for size, row in found.items()]
        interleaved(bench.size.rounds, measures)
        rows += found.values()
    return rows


def _ours(bench: Bench, work: LookUp, connections: int, row: Row) -> None:
    bench.measure(bench.job(work, connections), row)


def _limit(bench: Bench, size: int, connections: int, row: Row) -> None:
    bench.limit([row], "look_up", connections, size=size)
