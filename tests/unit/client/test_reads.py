"""Reads as methods: what is asked of the service, and pages put together."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import count

import pytest

from directorysync import Client
from directorysync.v1 import directory_sync_pb2 as pb
from directorysync.v1.resources_pb2 import DirectoryGroup, DirectoryUser, Membership
from tests.unit.client.fake_service import FakeDirectorySync, event


async def test_state_of_an_earlier_moment(service: FakeDirectorySync, client: Client) -> None:
    service.answers = {"GetUser": [pb.GetUserResponse(user=DirectoryUser(id="u1"))] * 3}
    noon = datetime(2031, 1, 1, 13, tzinfo=timezone(timedelta(hours=1)))
    for moment in (7, noon, "a-cursor"):
        found = await client.get_user("u1", directory_id="d1", as_of=moment)
        assert found.id == "u1"
    by_number, by_time, by_cursor = (request.as_of for request in service.asked)
    assert by_number.directory_sequence == 7
    assert by_time.time.ToDatetime(UTC) == datetime(2031, 1, 1, 12, tzinfo=UTC)
    assert by_cursor.cursor == "a-cursor"


async def test_state_of_now_asks_for_no_moment(service: FakeDirectorySync, client: Client) -> None:
    service.answers = {"GetGroup": [pb.GetGroupResponse(group=DirectoryGroup(id="g1"))]}
    assert (await client.get_group("g1")).id == "g1"
    assert not service.asked[0].HasField("as_of")


async def test_moment_without_a_zone_is_refused(client: Client) -> None:
    with pytest.raises(ValueError, match="time zone"):
        await client.get_user("u1", as_of=datetime(2031, 1, 1))  # noqa: DTZ001


async def test_pages_are_fetched_one_after_the_other(service: FakeDirectorySync, client: Client) -> None:
    first = pb.ListMembershipsResponse(memberships=[Membership(member_id="u1")], next_page_token="2")
    last = pb.ListMembershipsResponse(memberships=[Membership(member_id="u2")])
    service.answers = {"ListMemberships": [first, last]}
    found = [one.member_id async for one in client.list_memberships("d1", as_of=3)]
    assert found == ["u1", "u2"]
    assert [(one.directory_id, one.page_token, one.as_of.directory_sequence) for one in service.asked] == [
        ("d1", "", 3),
        ("d1", "2", 3),
    ]


async def test_many_ids_are_asked_for_in_parts(service: FakeDirectorySync, client: Client) -> None:
    ids = [f"u{number}" for number in range(1, 2_502)]
    service.answers = {"BatchGetUsers": [pb.BatchGetUsersResponse(users=[DirectoryUser(id=f"part {n}")]) for n in (1, 2, 3)]}  # fmt: skip # noqa: E501
    assert [user.id for user in await client.get_users(ids)] == ["part 1", "part 2", "part 3"]
    assert [len(request.ids) for request in service.asked] == [1_000, 1_000, 501]
    assert [one for request in service.asked for one in request.ids] == ids


async def test_groups_of_many_users(service: FakeDirectorySync, client: Client) -> None:
    answer = pb.BatchListUserGroupsResponse(
        user_groups=[pb.UserGroups(user_id="u1", group_ids=["g2", "g1"]), pb.UserGroups(user_id="u2")],
        groups=[DirectoryGroup(id="g1"), DirectoryGroup(id="g2")],
    )
    service.answers = {"BatchListUserGroups": [answer]}
    found = await client.batch_list_user_groups(["u1", "u2"])
    assert {user: [group.id for group in groups] for user, groups in found.items()} == {"u1": ["g2", "g1"], "u2": []}


async def test_one_key_finds_users(service: FakeDirectorySync, client: Client) -> None:
    service.answers = {"LookupUsers": [pb.LookupUsersResponse(users=[DirectoryUser(id="u1")])]}
    assert [user.id for user in await client.find_users(user_name="Ada", organization_id="o1")] == ["u1"]
    assert service.asked == [pb.LookupUsersRequest(user_name="Ada", organization_id="o1")]


@pytest.mark.parametrize("keys", [{}, {"email": "a", "idp_id": "b"}])
async def test_several_keys_or_none_are_refused(client: Client, keys: dict[str, str]) -> None:
    with pytest.raises(TypeError, match="exactly one of email, user_name, idp_id"):
        await client.find_users(**keys)


async def test_events_of_all_pages(service: FakeDirectorySync, client: Client) -> None:
    pages = [pb.ListEventsResponse(events=[event(n)], cursor=f"c{n}", more=n < 3) for n in (1, 2, 3)]
    service.answers = {"ListEvents": pages}
    start = datetime(2031, 1, 1, tzinfo=UTC)
    assert [one.directory_sequence async for one in client.list_events(start_time=start)] == [1, 2, 3]
    assert [(request.cursor, request.HasField("start_time")) for request in service.asked] == [
        ("", True),
        ("c1", False),
        ("c2", False),
    ]


async def test_events_newest_first_go_on_behind_the_last(service: FakeDirectorySync, client: Client) -> None:
    pages = [pb.ListEventsResponse(events=[event(n)], more=n > 1) for n in (3, 2, 1)]
    service.answers = {"ListEvents": pages}
    assert [one.directory_sequence async for one in client.list_events(descending=True)] == [3, 2, 1]
    assert [request.after_event_id for request in service.asked] == ["", "event_3", "event_2"]


async def test_a_list_that_is_not_iterated_calls_nothing(service: FakeDirectorySync, client: Client) -> None:
    client.list_users("d1")
    assert service.asked == []


async def test_only_what_is_needed_is_fetched(service: FakeDirectorySync, client: Client) -> None:
    numbers = count(1)
    service.answers = {
        "ListUsers": [pb.ListUsersResponse(users=[DirectoryUser(id=f"u{next(numbers)}")], next_page_token="more")] * 9
    }
    async for user in client.list_users("d1"):
        assert user.id == "u1"
        break
    assert len(service.asked) == 1
