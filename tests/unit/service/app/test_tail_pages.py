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
