"""What Pages keeps: bounded by what it takes, whatever its readers ask for."""

import weakref
from typing import Any, cast

import pytest

from service.app import tail_pages
from service.app.tail_channel import ChannelKey
from service.app.tail_pages import Pages
from service.app.tail_scope import Scope
from service.storage.feed import Packed

MEBIBYTE = 1024 * 1024


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


@pytest.mark.parametrize(("event_bytes", "limits"), [(300, [500, 500]), (2_400, [500, 100])], ids=["small", "large"])
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
        count = min(limit, 300)
        ends, sizes = [number == 300 for number in range(1, count + 1)], [2_400] * count
        places = range(place + 1, place + count + 1)
        end = place + count if ends[-1] else place
        return Packed("e", places, ends, sizes, bytes(sum(sizes)), end, complete=False, lost=False)

    monkeypatch.setattr(tail_pages.table, "packed_by_position", one_command)
    pages, key = Pages(cast("Any", None)), ChannelKey(Scope(), 1000, by_number=False)
    for place in (0, 300):
        run = await pages.read(key, place, None)
        assert [(batch.start, batch.end, batch.count) for batch in run.batches] == [(place, place + 300, 300)]
