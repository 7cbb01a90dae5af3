"""A watch with a handler: no event is lost, whatever the handler does."""

import asyncio
from pathlib import Path

import grpc
import pytest

from directorysync import Client, EventBatch, FileCursorStore, Watch, WatchStart, errors
from tests.unit.client.fake_service import (
    STAYS_OPEN,
    UNAVAILABLE,
    End,
    FakeDirectorySync,
    batch,
    part,
    started,
)

BEGINNING = WatchStart(beginning=WatchStart.Beginning())


class Memory:
    """A CursorStore that keeps every cursor it was given."""

    def __init__(self, *cursors: str) -> None:
        self.saved = list(cursors)

    async def load(self) -> str | None:
        return self.saved[-1] if self.saved else None

    async def save(self, cursor: str) -> None:
        self.saved.append(cursor)


class Failed(Exception):
    """Of a handler."""


class Application:
    """A handler that stops the watch after the event `until`, and fails at the events `fails_at`, each once."""

    def __init__(self, until: int, *fails_at: int) -> None:
        self.handled: list[int] = []
        self.seen: list[int] = []
        self._fails_at = set(fails_at)
        self._until = until

    async def __call__(self, one: EventBatch) -> None:
        numbers = [event.directory_sequence for event in one.events]
        self.seen += numbers
        for number in numbers:
            if number in self._fails_at:
                self._fails_at.remove(number)
                raise Failed
        self.handled += numbers
        if self._until in numbers:
            raise asyncio.CancelledError


async def run(watch: Watch, *arguments: object, **options: object) -> None:
    task = asyncio.ensure_future(watch.run(*arguments, **options))
    await asyncio.wait([task], timeout=10)
    assert task.done()
    if not task.cancelled():
        task.result()


async def test_cursor_is_saved_after_the_handler(service: FakeDirectorySync, client: Client) -> None:
    service.script = [([started("c0"), batch("c1", 1), batch("c2", 2), batch("c3", 3)], STAYS_OPEN)]
    cursors, app = Memory(), Application(3)
    saved_when_called: list[list[str]] = []

    async def handler(one: EventBatch) -> None:
        saved_when_called.append(list(cursors.saved))
        await app(one)

    await run(client.watch(start=BEGINNING), handler, cursors)
    assert app.handled == [1, 2, 3]
    assert saved_when_called == [[], ["c0"], ["c0", "c1"], ["c0", "c1", "c2"]]
    assert cursors.saved == ["c0", "c1", "c2"]


async def test_saved_cursor_comes_before_the_start(service: FakeDirectorySync, client: Client) -> None:
    service.script = [([started("c5"), batch("c6", 6)], STAYS_OPEN)]
    await run(client.watch(start=BEGINNING), Application(6), Memory("c5"))
    assert service.starts == ["c5"]


async def test_failed_batch_comes_again_to_the_next_run(service: FakeDirectorySync, client: Client) -> None:
    service.script = [
        ([started("c0"), batch("c1", 1), batch("c2", 2, 3)], STAYS_OPEN),
        ([started("c1"), batch("c2", 2, 3)], STAYS_OPEN),
    ]
    app, watch = Application(3, 3), client.watch(start=BEGINNING)
    with pytest.raises(Failed):
        await run(watch, app)
    await run(watch, app)
    assert (app.seen, app.handled) == ([1, 2, 3, 2, 3], [1, 2, 3])
    assert service.starts == ["beginning", "c1"]


async def test_first_events_are_not_lost_to_a_later_beginning(service: FakeDirectorySync, client: Client) -> None:
    service.script = [([started("c0"), batch("c1", 1)], STAYS_OPEN), ([started("c0"), batch("c1", 1)], STAYS_OPEN)]
    app, watch = Application(1, 1), client.watch()
    with pytest.raises(Failed):
        await run(watch, app)
    await run(watch, app)
    assert app.handled == [1]
    assert service.starts == ["unset", "c0"]


async def test_handler_is_tried_again_when_asked(service: FakeDirectorySync, client: Client) -> None:
    service.script = [([started("c0"), batch("c1", 1), batch("c2", 2)], STAYS_OPEN)]
    cursors, app = Memory(), Application(2, 1)
    await run(client.watch(start=BEGINNING), app, cursors, retry=True)
    assert (app.seen, app.handled) == ([1, 1, 2], [1, 2])
    assert cursors.saved == ["c0", "c1"]


async def test_plain_function_is_a_handler(service: FakeDirectorySync, client: Client) -> None:
    service.script = [([started("c0"), batch("c1", 1)], STAYS_OPEN)]
    seen: list[int] = []

    def handler(one: EventBatch) -> None:
        seen.extend(event.directory_sequence for event in one.events)
        if seen:
            raise asyncio.CancelledError

    await run(client.watch(), handler)
    assert seen == [1]


async def test_breaks_are_healed_while_it_runs(service: FakeDirectorySync, client: Client) -> None:
    service.script = [([started("c0"), batch("c1", 1)], UNAVAILABLE), ([started("c1"), batch("c2", 2)], STAYS_OPEN)]
    app = Application(2)
    await run(client.watch(start=BEGINNING), app)
    assert app.seen == [1, 2]


async def test_snapshot_is_saved_only_when_it_was_handled_whole(service: FakeDirectorySync, client: Client) -> None:
    expired = End(grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED")
    parts = [part(begins=True), part("c9", complete=True)]
    service.script = [([], expired), (parts, STAYS_OPEN), ([], expired), ([*parts, batch("c10", 10)], STAYS_OPEN)]
    cursors, app, fails = Memory("old"), Application(10), [Failed]

    async def handler(one: EventBatch) -> None:
        if one.snapshot is not None and one.snapshot.complete and fails:
            raise fails.pop()
        await app(one)

    watch = client.watch(on_expired="snapshot")
    with pytest.raises(Failed):
        await run(watch, handler, cursors)
    assert cursors.saved == ["old"]
    await run(watch, handler, cursors)
    assert cursors.saved == ["old", "c9"]


async def test_lost_cursor_ends_it_and_is_kept(service: FakeDirectorySync, client: Client, tmp_path: Path) -> None:
    service.script = [([], End(grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED"))]
    cursors = FileCursorStore(tmp_path / "cursor")
    await cursors.save("old")
    with pytest.raises(errors.CursorExpired):
        await run(client.watch(), Application(1), cursors)
    assert await cursors.load() == "old"
