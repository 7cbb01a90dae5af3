"""`/events` by pages."""

from typing import Any

import httpx
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from directorysync.v1 import directory_sync_pb2 as pb
from directorysync.v1 import events_pb2, resources_pb2
from tests.unit.gateway.fake_upstream import FakeChannel


def event(number: int, *, member: str = "", second: int = 0) -> events_pb2.Event:
    made = events_pb2.Event(id=f"event_{number}", type="dsync.user.created", directory_sequence=number)
    made.directory_id = "directory_1"
    made.create_time.seconds = second
    if member:
        made.type = "dsync.group.user_added"
        made.membership.group_id, made.membership.member_id = "g1", member
        made.membership.member_type = resources_pb2.MEMBER_TYPE_USER
    else:
        made.user.id = f"directory_user_{number}"
    return made


def page_of(*events: events_pb2.Event, more: bool = False) -> pb.ListEventsResponse:
    return pb.ListEventsResponse(events=events, more=more)


def asked(channel: FakeChannel) -> pb.ListEventsRequest:
    return next(call.request for call in channel.calls if call.method == "ListEvents")  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "query", ["events=dsync.user.created,dsync.deleted", "events=dsync.user.created&events=dsync.deleted",
              "events[]=dsync.user.created&events%5B%5D=dsync.deleted"],
)  # fmt: skip
async def test_the_filter_in_every_spelling(
    rest: httpx.AsyncClient, channel: FakeChannel, replies: dict[str, Any], query: str
) -> None:
    replies["ListEvents"] = page_of()
    answer = await rest.get(f"/events?{query}&organization_id=org_1&directory_id=directory_1&limit=5")
    assert answer.json() == {"object": "list", "data": [], "list_metadata": {"before": None, "after": None}}
    assert asked(channel) == pb.ListEventsRequest(
        filter=events_pb2.EventFilter(
            types=["dsync.user.created", "dsync.deleted"], organization_ids=["org_1"], directory_ids=["directory_1"]
        ),
        page_size=5,
        exact=True,
    )


async def test_no_type_means_all(rest: httpx.AsyncClient, channel: FakeChannel, replies: dict[str, Any]) -> None:
    replies["ListEvents"] = page_of(event(1), event(2), more=True)
    answer = await rest.get("/events")
    assert [one["id"] for one in answer.json()["data"]] == ["event_1", "event_2"]
    assert answer.json()["list_metadata"] == {"before": None, "after": "event_2"}
    assert not asked(channel).filter.types
    assert asked(channel).page_size == 10


async def test_the_last_page_has_no_after(rest: httpx.AsyncClient, replies: dict[str, Any]) -> None:
    replies["ListEvents"] = page_of(event(3))
    answer = await rest.get("/events?after=event_2")
    assert answer.json()["list_metadata"]["after"] is None


@pytest.mark.parametrize(
    ("query", "behind", "descending", "shown", "after"),
    [
        ("after=event_9", "event_9", False, [1, 2], "event_2"),
        ("order=desc", "", True, [1, 2], "event_2"),
        ("order=desc&after=event_9", "event_9", True, [1, 2], "event_2"),
        ("order=normal&before=event_9", "event_9", True, [1, 2], "event_1"),
        # Read backwards from the event that it ends before.
        ("before=event_9", "event_9", True, [2, 1], "event_1"),
        ("order=desc&before=event_9", "event_9", False, [2, 1], "event_1"),
        ("order=normal&after=event_9", "event_9", False, [2, 1], "event_2"),
    ],
)
async def test_directions(
    rest: httpx.AsyncClient,
    channel: FakeChannel,
    replies: dict[str, Any],
    query: str,
    behind: str,
    descending: bool,
    shown: list[int],
    after: str,
) -> None:
    replies["ListEvents"] = page_of(event(1), event(2), more=True)
    answer = await rest.get(f"/events?{query}")
    assert (asked(channel).after_event_id, asked(channel).descending) == (behind, descending)
    assert [one["id"] for one in answer.json()["data"]] == [f"event_{number}" for number in shown]
    assert answer.json()["list_metadata"]["after"] == after


async def test_ranges(rest: httpx.AsyncClient, channel: FakeChannel, replies: dict[str, Any]) -> None:
    replies["ListEvents"] = page_of()
    # The second is how the official Python client writes a datetime.
    query = {"range_start": "1970-01-01T00:00:05.250Z", "range_end": "1970-01-01 02:00:09+02:00"}
    assert (await rest.get("/events", params=query)).status_code == 200
    assert asked(channel).start_time == Timestamp(seconds=5, nanos=250_000_000)
    assert asked(channel).end_time == Timestamp(seconds=9)


async def test_a_page_behind_an_event_keeps_to_the_range_too(
    rest: httpx.AsyncClient, channel: FakeChannel, replies: dict[str, Any]
) -> None:
    replies["ListEvents"] = page_of(event(3, second=7), event(2, second=4), more=True)
    answer = await rest.get("/events?order=desc&after=event_4&range_start=1970-01-01T00:00:05Z")
    assert not asked(channel).HasField("start_time")
    assert [one["id"] for one in answer.json()["data"]] == ["event_3"]
    assert answer.json()["list_metadata"]["after"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("range_start=yesterday", "range_start"),
        ("range_end=2026-13-01", "range_end"),
        ("after=event_1&before=event_2", "before"),
        ("limit=1001", "limit"),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    rest: httpx.AsyncClient, channel: FakeChannel, query: str, field: str
) -> None:
    answer = await rest.get(f"/events?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert not channel.calls


async def test_memberships_are_resolved_in_one_call(
    rest: httpx.AsyncClient, channel: FakeChannel, replies: dict[str, Any]
) -> None:
    replies["ListEvents"] = page_of(event(1, member="u1"), event(2), event(3, member="u3"))
    resolved = [pb.ResolvedMembership(user=resources_pb2.DirectoryUser(id=f"u{number}", email=f"{number}@a.test"))
                for number in (1, 3)]  # fmt: skip
    replies["ResolveMemberships"] = pb.ResolveMembershipsResponse(memberships=resolved)
    answer = await rest.get("/events")
    data = [one["data"] for one in answer.json()["data"]]
    assert [data[0]["user"]["email"], data[2]["user"]["email"]] == ["1@a.test", "3@a.test"]
    assert data[1]["id"] == "directory_user_2"
    assert [call.method for call in channel.calls] == ["ListEvents", "ResolveMemberships"]
    moments = channel.last.request.moments
    assert [(one.directory_id, one.directory_sequence, one.group_id, one.user_id) for one in moments] == [
        ("directory_1", 1, "g1", "u1"),
        ("directory_1", 3, "g1", "u3"),
    ]
