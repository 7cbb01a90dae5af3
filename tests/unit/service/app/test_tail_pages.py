"""What Pages keeps: bounded by what it takes, whatever its readers ask for."""

import asyncio
import weakref
from typing import Any, cast

import pytest

from service.app import tail_pages
from service.app.tail_channel import Channel, ChannelKey
from service.app.tail_pages import Pages
from service.app.tail_reader import Reader
from service.app.tail_ring import Ring
from service.app.tail_scope import Scope
from service.app.tail_start import Place
from service.storage.feed import Packed

MEBIBYTE = 1024 * 1024
READ_AHEAD = 2


async def test_pages_of_nothing_do_not_keep_every_scope_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_: Any, place: int, *__: Any, **___: Any) -> Packed:
        return Packed("e", (), (), (), b"", place + 500, complete=False, lost=False)

    monkeypatch.setattr(tail_pages.table, "packed_by_position", nothing)
    pages = Pages(cast("Any", None))
    scopes: weakref.WeakSet[Scope] = weakref.WeakSet()
    for number in range(300):
        scope = Scope(types=frozenset(f"{number}.{index}." + "x" * 200 for index in range(1000)))
        scopes.add(scope)
        for place in range(0, 2000, 500):
            await pages.read(ChannelKey(scope, 100, by_number=False), place, None)
    del scope
    assert sum(scope.size for scope in scopes) < 40 * MEBIBYTE
    kept = Scope(types=frozenset({"dsync.user.created"}))
    assert await pages.read(ChannelKey(kept, 100, by_number=False), 0, None) is await pages.read(
        ChannelKey(kept, 100, by_number=False), 0, None
    )


@pytest.mark.parametrize(("event_bytes", "limits"), [(300, [500, 500]), (2_400, [500, 300])], ids=["small", "large"])
async def test_pages_hold_fewer_of_large_events(
    monkeypatch: pytest.MonkeyPatch, event_bytes: int, limits: list[int]
) -> None:
    asked: list[int] = []

    async def commands(_: Any, place: int, *__: Any, limit: int, **___: Any) -> Packed:
        asked.append(limit)
        places, sizes = range(place + 1, place + limit + 1), [event_bytes] * limit
        return Packed("e", places, [True] * limit, sizes, bytes(sum(sizes)), place + limit, complete=False, lost=False)

    monkeypatch.setattr(tail_pages.table, "packed_by_position", commands)
    pages, key = Pages(cast("Any", None)), ChannelKey(Scope(), 1000, by_number=False)
    first = await pages.read(key, 0, None)
    await pages.read(key, first.end, None)
    assert asked == limits


async def test_a_command_longer_than_a_page_of_large_events_comes_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    async def one_command(_: Any, place: int, *__: Any, limit: int, **___: Any) -> Packed:
        count = min(limit, 400)
        ends, sizes = [number == 400 for number in range(1, count + 1)], [2_400] * count
        places = range(place + 1, place + count + 1)
        end = place + count if ends[-1] else place
        return Packed("e", places, ends, sizes, bytes(sum(sizes)), end, complete=False, lost=False)

    monkeypatch.setattr(tail_pages.table, "packed_by_position", one_command)
    pages, key = Pages(cast("Any", None)), ChannelKey(Scope(), 1000, by_number=False)
    for place in (0, 400):
        run = await pages.read(key, place, None)
        assert [(batch.start, batch.end, batch.count) for batch in run.batches] == [(place, place + 400, 400)]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Behind which places pages of a log without end were read."""
    places: list[int] = []

    async def endless(_: Any, place: int, *__: Any, **___: Any) -> Packed:
        places.append(place)
        return Packed("e", (place + 1,), (True,), (4,), b"\x0a\x02ab", place + 1, complete=False, lost=False)

    monkeypatch.setattr(tail_pages.table, "packed_by_position", endless)
    return places


async def _idle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_few_pages_are_read_ahead_of_who_reads_and_no_more(read: list[int]) -> None:
    pages, key = Pages(cast("Any", None)), ChannelKey(Scope(), 1000, by_number=False)
    for place in range(5):
        run = await pages.read(key, place, None)
        pages.read_ahead(key, run)
        await _idle()
        assert read == list(range(place + 1 + READ_AHEAD))


@pytest.mark.parametrize("behind_another", [False, True])
async def test_readers_who_left_take_no_room_for_reading_ahead(read: list[int], behind_another: bool) -> None:
    pages = Pages(cast("Any", None))
    for number in range(20):
        key = ChannelKey(Scope(types=frozenset({f"type.{number}"})), 1000, by_number=False)
        if behind_another:
            await pages.read(key, (await pages.read(key, 0, None)).end, None)
        run = await pages.read(key, 0, None)
        pages.read_ahead(key, run)
        await _idle()
        assert read == [0, 1, 2]
        read.clear()
        pages.leave(key, run.end)


async def test_many_readers_do_not_push_each_others_pages_out(read: list[int]) -> None:
    pages = Pages(cast("Any", None))
    for number in range(100):
        key = ChannelKey(Scope(types=frozenset({f"type.{number}"})), 1000, by_number=False)
        pages.read_ahead(key, await pages.read(key, 0, None))
    await _idle()
    assert len(read) < 120


async def test_readers_who_go_on_from_the_ring_take_no_room_for_reading_ahead(read: list[int]) -> None:
    pages, ring = Pages(cast("Any", None)), Ring(10, MEBIBYTE)
    for place in range(0, 200, 10):
        ring.reset(place + 2)
        key = ChannelKey(Scope(), 1000, by_number=False)
        channel = Channel(key, place + 2)
        reader = Reader(cast("Any", None), ring, pages, channel, Place("e", place, by_number=False, newest=place + 2))
        first = await reader.next()
        await _idle()
        second = await reader.next()
        await _idle()
        assert first is not None
        assert second is not None
        assert (first.end, second.end) == (place + 1, place + 2)
        assert await reader.next() is None
        assert read[:3] == [place, place + 1, place + 2]
        read.clear()


async def test_a_page_of_the_database_before_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    epoch, answered = "before", asyncio.Event()

    async def endless(_: Any, place: int, *__: Any, **___: Any) -> Packed:
        page = Packed(epoch, (place + 1,), (True,), (4,), b"\x0a\x02ab", place + 1, complete=False, lost=False)
        await answered.wait()
        return page

    monkeypatch.setattr(tail_pages.table, "packed_by_position", endless)
    pages, key = Pages(cast("Any", None)), ChannelKey(Scope(), 1000, by_number=False)
    slow = asyncio.create_task(pages.read(key, 0, None))
    await _idle()
    pages.forget()
    epoch = "now"
    fresh = asyncio.create_task(pages.read(key, 0, None))
    await _idle()
    answered.set()
    assert ((await slow).epoch, (await fresh).epoch) == ("before", "now")
    assert await pages.read(key, 0, None) is await fresh
