"""W4: one member more in groups of very different size. It must cost the same in all, and none may be lost."""

from dataclasses import replace
from functools import partial
from statistics import median

from benchmarks.bench import Bench, interleaved
from benchmarks.preload import Population, populate_group
from benchmarks.results import Row
from benchmarks.scim_work import AddMember
from directorysync.v1 import directory_sync_pb2 as sync

NAME = "membership"
OUTSIDERS = 5_000  # users of the large directory that are in no group yet
_MOST_TURNS = 1_200  # members added to each group in one measurement
_WRITERS = 8


class _Groups:
    """The groups, who is in them, and who is next to join all of them."""

    def __init__(self, bench: Bench, people: Population) -> None:
        self.bench = bench
        self.people = people
        self.sizes = (10, 1_000, people.size - OUTSIDERS)
        self.ids = [populate_group(bench.deployment, people, size) for size in self.sizes]
        self.joined: dict[str, set[str]] = {group_id: set() for group_id in self.ids}
        self._next = self.sizes[-1] + 1

    def add(self, groups: list[str], connections: int, turns: int, row: Row) -> list[tuple[int, float]]:
        """Let as many join as time allows, at most `turns` each; (group's place, milliseconds) of each operation."""
        turns = min(turns, self.people.size + 1 - self._next)
        members = [self.people.user_id(number) for number in range(self._next, self._next + turns)]
        job = self.bench.job(AddMember(self.people.directory.base, groups, members), connections)
        job = replace(job, seconds=self.bench.size.seconds * 1.5, operations=turns * len(groups))
        report = self.bench.measure(job, row)
        self._next += -(-report.next // len(groups))
        for group_id, member_id in report.written:
            self.joined[group_id].add(member_id)
        return [(number % len(groups), took) for number, took in zip(report.numbers, report.latencies, strict=True)]

    def faults(self) -> list[str]:
        """Members that are missing or too many, group by group."""
        found = []
        for group_id, size in zip(self.ids, self.sizes, strict=True):
            expected = {self.people.user_id(number) for number in range(1, size + 1)} | self.joined[group_id]
            there = self._members(group_id)
            if there != expected:
                found.append(f"{len(there ^ expected)} members differ in the group of {size:,}")
        return found

    def _members(self, group_id: str) -> set[str]:
        deployment, found, token = self.bench.deployment, set(), ""
        while True:
            request = sync.ListGroupMembersRequest(group_id=group_id, page_size=1000, page_token=token)
            page = deployment.sync.ListGroupMembers(request, metadata=deployment.metadata)
            found |= {member.member_id for member in page.members}
            token = page.next_page_token
            if not token:
                return found


def run(bench: Bench) -> list[Row]:
    """p50 of each group, the growth from the smallest to the largest, and eight writers on one group."""
    groups = _Groups(bench, bench.population(bench.size.large))
    rows = [Row(NAME, f"group of {size:,}, c=1", "ms p50", limit_name="pgbench") for size in groups.sizes]
    total = Row(NAME, "all groups in turn, c=1", "adds/s", limit_name="pgbench")
    growth = Row(NAME, "largest over smallest group", "ms p50", limit_name="smallest")
    many = Row(NAME, f"one group, c={_WRITERS}", "adds/s", limit_name="pgbench")
    groups.add(groups.ids, 1, 20, Row(NAME, "warm-up", ""))
    interleaved(bench.size.rounds, [partial(_one, groups, rows, total, growth), partial(_limit, bench, rows, total)])
    groups.add(groups.ids[:1], _WRITERS, _MOST_TURNS, many)
    bench.limit([many], "membership", _WRITERS)
    many.wrong += groups.faults()
    return [*rows, growth, total, many]


def _one(groups: _Groups, rows: list[Row], total: Row, growth: Row) -> None:
    took = groups.add(groups.ids, 1, _MOST_TURNS, total)
    for place, row in enumerate(rows):
        mine = [milliseconds for group, milliseconds in took if group == place]
        row.latencies += mine
        row.ours.append(median(mine))
    growth.ours.append(rows[-1].ours[-1])
    growth.limit.append(rows[0].ours[-1])


def _limit(bench: Bench, rows: list[Row], total: Row) -> None:
    rate = bench.limit([total], "membership", 1)
    for row in rows:
        row.limit.append(1000 / rate)
