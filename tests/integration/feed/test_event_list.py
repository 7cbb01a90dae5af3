"""ListEvents in every direction: the same events, each once, whatever the size of pages and wherever one goes on."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from directorysync import errors
from service.domain.caller import Caller, Scope
from service.domain.ids import EVENT, ulid
from service.storage.database import open_pool
from tests.integration.feed.lab import GROUP, MEMBER, USER, Log, Process, eventually, process
from tests.support.postgres import Server

WATCH = frozenset({Scope.WATCH})
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
FILTERS: list[dict[str, Any]] = [
    {},
    {"directory_ids": ["d0"]},
    {"directory_ids": ["d0", "d3", "d39"]},
    {"organization_ids": ["org_1"]},
    {"organization_ids": ["org_0", "org_1"]},
    {"types": [GROUP]},
    {"types": ["dsync.group.*"], "organization_ids": ["org_1"]},
    {"types": ["dsync.deleted"], "directory_ids": ["d1"]},
]


class Written:
    """A log of 40 directories of two organizations, and what is in it in the order of the feed."""

    def __init__(self, replica: Process, log: Log) -> None:
        self.replica = replica
        self.log = log
        self.events: list[Any] = []

    def of(self, filters: dict[str, Any]) -> list[str]:
        """Ids of the events that a filter lets through."""
        return [event.id for event in self.events if _passes(event, filters)]

    async def pages(self, filters: dict[str, Any], *, by_id: bool = False, **how: Any) -> list[list[Any]]:
        """Every page, by cursor or by the id of the last event."""
        found, more, on = [], True, {}
        while more:
            page = await self.replica.list("all", filters, **how, **on)
            found.append(list(page.events))
            on = {"cursor": page.cursor}
            if by_id and page.events:
                on = {"after_event_id": page.events[-1].id}
            more = page.more
        return found


def _passes(event: Any, filters: dict[str, Any]) -> bool:
    types = filters.get("types", [event.type])
    return (
        event.directory_id in filters.get("directory_ids", [event.directory_id])
        and event.organization_id in filters.get("organization_ids", [event.organization_id])
        and any(event.type == one or (one.endswith("*") and event.type.startswith(one[:-1])) for one in types)
    )


def ids(pages: list[list[Any]]) -> list[str]:
    return [event.id for page in pages for event in page]


@pytest.fixture(scope="module")
async def written(postgres_server: Server, database_template: str) -> AsyncIterator[Written]:
    async with (
        postgres_server.database(template=database_template) as url,
        open_pool(url, 4) as pool,
        process(url) as replica,
    ):
        log, chance = Log(pool), random.Random(7)
        names = [await log.directory(f"d{number}", f"org_{number % 2}") for number in range(40)]
        for second in range(90):
            name = names[0] if second % 3 else chance.choice(names)
            types = [chance.choice([USER, USER, MEMBER, GROUP]) for _ in range(chance.choice([1, 1, 2, 5]))]
            await log.append(name, types, at=START + timedelta(seconds=second))
        await eventually(log.all_sequenced)
        made = Written(replica, log)
        count = await pool.fetchval("SELECT count(*) FROM event")
        made.events = (await replica.collect(count, beginning=True)).events
        yield made


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("filters", FILTERS, ids=str)
async def test_every_way_through_the_log_meets_the_same_events(
    written: Written, filters: dict[str, Any], size: int
) -> None:
    wanted = written.of(filters)
    for how in ({"exact": True}, {}, {"exact": True, "by_id": True}):
        assert ids(await written.pages(filters, page_size=size, **how)) == wanted
        backwards = await written.pages(filters, page_size=size, descending=True, **how)
        assert ids(backwards) == wanted[::-1]
        if "exact" in how:
            assert all(len(page) <= size for page in backwards)


@pytest.mark.parametrize("descending", [False, True])
async def test_commands_are_parted_only_when_pages_are_to_be_exact(written: Written, descending: bool) -> None:
    for size in (1, 4, 50):
        for page in await written.pages({}, page_size=size, descending=descending):
            first, last = (page[0], page[-1]) if not descending else (page[-1], page[0])
            assert last.transaction_end
            assert sum(one.transaction_id == first.transaction_id for one in page) == sum(
                one.transaction_id == first.transaction_id for one in written.events
            )
            assert len(page) <= size or len({one.transaction_id for one in page}) == 1
    assert {len(page) for page in (await written.pages({}, page_size=4, exact=True))[:-1]} == {4}


@pytest.mark.parametrize("filters", FILTERS[:4], ids=str)
async def test_times_bound_pages_in_both_directions(written: Written, filters: dict[str, Any]) -> None:
    since, until = START + timedelta(seconds=15), START + timedelta(seconds=61)
    passed = set(written.of(filters))
    wanted = [one.id for one in written.events if one.id in passed and since <= one.create_time.ToDatetime(UTC) < until]
    for how in ({"page_size": 9}, {"page_size": 9, "exact": True}, {"page_size": 9, "exact": True, "by_id": True}):
        times = {"start_time": since, "end_time": until}
        assert ids(await written.pages(filters, **times, **how)) == wanted
        assert ids(await written.pages(filters, **times, **how, descending=True)) == wanted[::-1]
    later = await written.pages(filters, start_time=until, page_size=1000)
    assert ids(later) == [one for one in written.of(filters) if one not in wanted][-len(ids(later)) :]
    assert ids(await written.pages(filters, end_time=START)) == []
    assert ids(await written.pages(filters, start_time=datetime.now(UTC))) == []


async def test_a_cursor_leads_back_through_what_it_covers(written: Written) -> None:
    for filters in ({}, {"directory_ids": ["d0"]}):
        whole = written.of(filters)
        page = await written.replica.list("all", filters, page_size=30, exact=True)
        back = await written.replica.list("all", filters, cursor=page.cursor, descending=True, exact=True, page_size=40)
        assert ids([list(back.events)]) == whole[:30][::-1]
        assert not back.more
    cursor = written.replica.feed.cursor_of("d0", 5)
    back = await written.replica.list("all", {"directory_ids": ["d0"]}, cursor=cursor, descending=True)
    assert [one.directory_sequence for one in back.events] == [5, 4, 3, 2, 1][: len(back.events)]
    on = await written.replica.list("all", {"directory_ids": ["d0"]}, cursor=cursor, exact=True, page_size=3)
    assert [one.directory_sequence for one in on.events] == [6, 7, 8]


async def test_a_watch_starts_behind_an_event(written: Written) -> None:
    for filters in ({}, {"directory_ids": ["d0"]}, {"types": [GROUP]}):
        wanted = written.of(filters)
        for number in (0, 17, len(wanted) - 2):
            seen = await written.replica.collect(len(wanted) - number - 1, event=wanted[number], **filters)
            assert [one.id for one in seen.events] == wanted[number + 1 :]
    other = next(one for one in written.events if one.directory_id != "d0")
    behind = [one.id for one in written.events[written.events.index(other) :] if one.directory_id == "d0"]
    seen = await written.replica.collect(len(behind), event=other.id, directory_ids=["d0"])
    assert [one.id for one in seen.events] == behind


async def test_an_event_out_of_reach_is_one_that_never_was(written: Written) -> None:
    foreign = next(one for one in written.events if one.organization_id == "org_1")
    written.replica.callers["bound"] = Caller("bound", WATCH, organization_ids=frozenset(["org_0"]))
    never = EVENT + ulid(int(datetime.now(UTC).timestamp() * 1000), 1 << 70)
    answers = []
    for event in (foreign.id, never, "event_1", "nonsense", EVENT + "Z" * 26):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await written.replica.list("bound", after_event_id=event)
        answers.append(errors.from_rpc_error(raised.value))
        seen = await written.replica.collect(1, caller="bound", event=event)
        answers.append(seen.failure)
    assert {(one.reason, str(one)) for one in answers} == {("CURSOR_INVALID", str(answers[0]))}


async def test_bounds_hold_for_pages(written: Written) -> None:
    written.replica.callers["one"] = Caller("one", WATCH, directory_ids=frozenset(["d3"]))
    page = await written.replica.list("one", descending=True, page_size=1000)
    assert [one.id for one in page.events] == written.of({"directory_ids": ["d3"]})[::-1]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"start_time": START, "end_time": START - timedelta(seconds=1)}, "end_time"),
        ({"cursor": "x", "after_event_id": "event_x"}, "after_event_id"),
        ({"after_event_id": "x" * 300}, "after_event_id"),
    ],
)
async def test_arguments_are_checked(written: Written, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await written.replica.list(**fields)
    error = errors.from_rpc_error(raised.value)
    assert (error.reason, error.metadata["field"]) == ("ARGUMENT_INVALID", field)


async def test_times_at_the_ends_of_the_calendar_are_no_trouble(written: Written) -> None:
    everything = written.of({})
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC, microsecond=0)
    assert ids(await written.pages({}, start_time=first, end_time=last, page_size=1000)) == everything
