"""W6: pages of 100 of the whole directory, small and large; against the same pages in SQL."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from benchmarks.bench import SMALL, Bench, interleaved
from benchmarks.preload import Population
from benchmarks.results import Row
from benchmarks.scim_work import ListPage

NAME = "listing"
_PAGE = 100
_MOST_SECONDS = 60.0


def run(bench: Bench) -> list[Row]:
    """All pages of the small directory and as many from all over the large one; then how much dearer the latter are."""
    small = Row(NAME, f"{SMALL:,} users", "users/s", limit_name="pgbench")
    large = Row(NAME, f"{bench.size.large:,} users", "users/s", limit_name="pgbench")
    measures: list[Callable[[], object]] = [
        partial(_ours, bench, bench.population(SMALL), small),
        partial(_ours, bench, bench.population(bench.size.large), large),
        partial(bench.limit, [small], "page", 1, _PAGE, size=SMALL),
        partial(bench.limit, [large], "page", 1, _PAGE, size=bench.size.large),
    ]
    interleaved(bench.size.rounds, measures)
    growth = Row(NAME, "large over small", "users/s", large.ours, small.ours, limit_name="small")
    return [small, large, growth]


def _ours(bench: Bench, people: Population, row: Row) -> None:
    work = ListPage(people.directory.base, people.size, _PAGE, max(1, people.size // SMALL))
    pages = people.size // (_PAGE * work.stride)
    report = bench.measure(replace(bench.job(work, 1), seconds=_MOST_SECONDS, operations=pages), row)
    row.ours[-1] *= _PAGE
    for start, ids in report.written:
        first = int(start)
        if ids.split() != [people.user_id(number) for number in range(first, first + _PAGE)]:
            row.wrong.append(f"the page from {start} on holds other users")
