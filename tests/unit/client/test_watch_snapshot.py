"""A watch that begins with a snapshot, or begins anew with one when its events are gone."""

import grpc
import pytest

from directorysync import Client, EventBatch, WatchStart, errors
from directorysync.v1.resources_pb2 import DirectoryUser
from tests.unit.client.fake_service import STAYS_OPEN, UNAVAILABLE, End, FakeDirectorySync, batch, part, started

EXPIRED = End(grpc.StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED", oldest_cursor="c5")
DIVERGED = End(grpc.StatusCode.OUT_OF_RANGE, "CURSOR_DIVERGED")
SNAPSHOT = WatchStart(snapshot=WatchStart.Snapshot())


def users(*numbers: int) -> list[DirectoryUser]:
    return [DirectoryUser(id=f"u{number}") for number in numbers]


async def take(watch: object, count: int) -> list[EventBatch]:
    found = [await anext(watch) for _ in range(count)]
    await watch.aclose()
    return found


def shape(one: EventBatch) -> tuple[object, ...]:
    """reset, users of the snapshot, complete, events, cursor."""
    snapshot = None if one.snapshot is None else [user.id for user in one.snapshot.users]
    complete = one.snapshot is not None and one.snapshot.complete
    return one.reset, snapshot, complete, [event.directory_sequence for event in one.events], one.cursor


async def test_snapshot_then_the_events_behind_it(service: FakeDirectorySync, client: Client) -> None:
    parts = [part(begins=True), part(users=users(1)), part("c7", users=users(2), complete=True)]
    service.script = [([*parts, batch("c8", 8)], STAYS_OPEN)]
    assert [shape(one) for one in await take(client.watch(start=SNAPSHOT), 4)] == [
        (True, [], False, [], ""),
        (False, ["u1"], False, [], ""),
        (False, ["u2"], True, [], "c7"),
        (False, None, False, [8], "c8"),
    ]


async def test_snapshot_that_is_cut_begins_anew(service: FakeDirectorySync, client: Client) -> None:
    service.script = [
        ([part(begins=True), part(users=users(1))], UNAVAILABLE),
        ([part(begins=True), part("c9", users=users(1, 2), complete=True)], UNAVAILABLE),
        ([started("c9"), batch("c10", 10)], STAYS_OPEN),
    ]
    found = await take(client.watch(start=SNAPSHOT), 5)
    assert [one.reset for one in found] == [True, False, True, False, False]
    assert service.starts == ["snapshot", "snapshot", "c9"]


@pytest.mark.parametrize("end", [EXPIRED, DIVERGED], ids=lambda end: end.reason)
async def test_lost_cursor_is_renewed_when_asked(service: FakeDirectorySync, client: Client, end: End) -> None:
    service.script = [
        ([], end),
        ([part("c7", users=users(1), complete=True, begins=True), batch("c8", 8)], UNAVAILABLE),
        ([], end),
        ([part("c9", complete=True, begins=True)], STAYS_OPEN),
    ]
    wanted = WatchStart.Snapshot(without_groups=True)
    watch = client.watch(start=WatchStart(cursor="old"), on_expired="snapshot", snapshot=wanted)
    assert [shape(one)[:4] for one in await take(watch, 3)] == [
        (True, ["u1"], True, []),
        (False, None, False, [8]),
        (True, [], True, []),
    ]
    assert service.starts == ["old", "snapshot", "c8", "snapshot"]
    assert service.watched[1].start.snapshot == wanted


@pytest.mark.parametrize(("end", "kind"), [(EXPIRED, errors.CursorExpired), (DIVERGED, errors.CursorDiverged)])
async def test_lost_cursor_is_an_error_by_default(
    service: FakeDirectorySync, client: Client, end: End, kind: type[Exception]
) -> None:
    service.script = [([], end)]
    with pytest.raises(kind):
        await anext(client.watch(start=WatchStart(cursor="old")))
