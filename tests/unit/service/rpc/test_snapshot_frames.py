"""Frames put together byte by byte say what the messages would."""

from datetime import UTC, datetime

import pytest

from directorysync.v1 import directory_sync_pb2 as pb
from service.domain.change import GroupMember
from service.domain.group import Group, Member
from service.domain.user import User
from service.rpc import convert
from service.rpc.events import EventWire

WIRE = EventWire()
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
BEFORE_1970 = datetime(1969, 12, 31, 23, 59, 59, 5, tzinfo=UTC)


def part(frames: list[bytes]) -> pb.SnapshotPart:
    return pb.SnapshotPart.FromString(b"".join(frames))


@pytest.mark.parametrize("name", ["Eng", "", "Ü" * 100, "x" * 20_000])
@pytest.mark.parametrize(("since", "micros"), [(NOW, 1_767_323_045_678_901), (BEFORE_1970, -999_995)])
@pytest.mark.parametrize("nested", [False, True])
def test_memberships(name: str, since: datetime, micros: int, nested: bool) -> None:
    kind = "Group" if nested else "User"
    rows = [
        ("g1", name, "m1", nested, name, micros),
        ("g1", name, "m2", nested, "b", micros),
        ("g2", "n", "m1", nested, "", 0),
    ]
    expected = [
        convert.membership(GroupMember("g1", name, Member("g1", "m1", kind, name, since))),
        convert.membership(GroupMember("g1", name, Member("g1", "m2", kind, "b", since))),
        convert.membership(GroupMember("g2", "n", Member("g2", "m1", kind, "", datetime.fromtimestamp(0, UTC)))),
    ]
    assert list(part(WIRE.memberships(rows)).memberships) == expected


def test_users_and_groups() -> None:
    document = {"userName": "ada", "emails": [{"value": "a@x.org", "type": "work", "primary": True}], "title": "Ü"}
    user = User("d", "o", "u", document, 7, NOW, BEFORE_1970)
    group = Group("d", "o", "g", {"displayName": "Eng"}, "Eng", 3, NOW, NOW)
    assert list(part(WIRE.users([user, user])).users) == [convert.user(user)] * 2
    assert list(part(WIRE.groups([group])).groups) == [convert.group(group)]


@pytest.mark.parametrize("complete", [False, True])
def test_a_part_in_its_message(complete: bool) -> None:
    user = User("d", "o", "u", {"userName": "ada"}, 7, NOW, NOW)
    data = WIRE.part(
        b"".join(WIRE.users([user])), "c1" if complete else "", started=not complete, complete=complete
    ).message
    message = pb.WatchEventsResponse.FromString(data)
    expected = pb.SnapshotPart(users=[convert.user(user)], complete=complete)
    assert message == pb.WatchEventsResponse(cursor="c1" * complete, started=not complete, snapshot=expected)
