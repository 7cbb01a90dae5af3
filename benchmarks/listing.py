"""W6: the whole directory in pages of 100, small and large; against the same pages in SQL."""

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
    """The small directory each round, the large one once, and how much slower a user of the large one is."""
    small = Row(NAME, f"{SMALL:,} users", "users/s", limit_name="pgbench")
    large = Row(NAME, f"{bench.size.large:,} users", "users/s", limit_name="pgbench")
    measures = [
        partial(_ours, bench, bench.population(SMALL), small),
        partial(_limit, bench, SMALL, small),
    ]
    interleaved(bench.size.rounds, measures)
    _ours(bench, bench.population(bench.size.large), large)
    _limit(bench, bench.size.large, large)
    growth = Row(NAME, "large over small", "users/s", large.ours, small.ours[-1:], limit_name="small")
    return [small, large, growth]


def _ours(bench: Bench, people: Population, row: Row) -> None:
    pages = -(-people.size // _PAGE)
    job = bench.job(ListPage(people.directory.base, people.size, _PAGE), 1)
    report = bench.measure(replace(job, seconds=_MOST_SECONDS, operations=pages), row)
    row.ours[-1] *= people.size / pages
    seen = [user_id for _, page in report.written for user_id in page.split()]
    if not report.wrong and (len(seen) != people.size or set(seen) != set(people.ids)):
        row.wrong.append(f"the pages hold {len(set(seen))} different users of {people.size}")


def _limit(bench: Bench, size: int, row: Row) -> None:
    bench.limit([row], "page", 1, _PAGE, size=size)
