"""`limit`, `after`, `before`, `order`."""

from typing import Any

import httpx
import pytest
from google.protobuf.message import Message

from directorysync.v1 import directory_admin_pb2 as admin_pb
from directorysync.v1 import directory_sync_pb2 as pb
from directorysync.v1 import resources_pb2
from directorysync.v1 import webhooks_pb2 as webhooks_pb
from gateway.rest.parameters import Page
from tests.unit.gateway.fake_upstream import FakeChannel

NONE = {"before": None, "after": None}
ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
THIRD = f"directory_{ULID}"


def page(order: str = "desc", *, after: str = "", before: str = "", limit: int = 2) -> Page:
    return Page(limit, after, before, order)


def metadata(asked: Page, ids: list[str], *, more: bool) -> dict[str, Any]:
    found: dict[str, Any] = asked.envelope(ids, ids, more=more)["list_metadata"]
    return found


@pytest.mark.parametrize(
    ("asked", "window"),
    [
        (page("asc", after="a"), pb.PageWindow(after_id="a")),
        (page("asc", before="b"), pb.PageWindow(before_id="b")),
        (page("desc", after="a", before="b"), pb.PageWindow(after_id="a", before_id="b", descending=True)),
        (page("normal", after="a"), pb.PageWindow(before_id="a", descending=True)),
        (page("normal", before="b"), pb.PageWindow(after_id="b", descending=True)),
    ],
)
def test_the_order_normal_exchanges_the_ids(asked: Page, window: pb.PageWindow) -> None:
    assert asked.window == window


def test_the_first_page_has_nothing_before_it() -> None:
    assert metadata(page(), ["9", "8"], more=True) == {"before": None, "after": "8"}
    assert metadata(page(), ["9"], more=False) == NONE


def test_a_later_page_can_be_left_in_both_directions() -> None:
    assert metadata(page(after="8"), ["7", "6"], more=True) == {"before": "7", "after": "6"}
    assert metadata(page(after="8"), ["7"], more=False) == {"before": "7", "after": None}


def test_a_page_that_was_read_backwards_ends_before_an_item_that_exists() -> None:
    assert metadata(page(before="5"), ["7", "6"], more=True) == {"before": "7", "after": "6"}
    assert metadata(page(before="5"), ["7", "6"], more=False) == {"before": None, "after": "6"}


def test_in_the_order_normal_after_leads_to_newer_ones() -> None:
    assert metadata(page("normal"), ["9", "8"], more=True) == {"before": "8", "after": None}
    assert metadata(page("normal", before="8"), ["7", "6"], more=False) == {"before": None, "after": "7"}
    assert metadata(page("normal", after="6"), ["8", "7"], more=True) == {"before": "7", "after": "8"}


@pytest.mark.parametrize("order", ["asc", "desc", "normal"])
def test_an_empty_page_leads_nowhere(order: str) -> None:
    assert metadata(page(order, after="5"), [], more=False) == NONE


def walk(found: list[tuple[str, int]], order: str, *, limit: int) -> list[str]:
    """All ids of a list that is here, page by page, as the official clients do it."""
    seen: list[str] = []
    after = ""
    for _ in range(20):
        asked = Page(limit, after, "", order)
        taken, more = asked.of(found)
        ids = [one for one, _ in taken]
        seen += ids
        after = asked.envelope(ids, ids, more=more)["list_metadata"]["after"] or ""
        if not after:
            return seen
    raise AssertionError("no end")


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_a_list_that_is_here_is_paged_alike(limit: int) -> None:
    found = [(f"id{number}", number) for number in range(7)]
    assert walk(found, "asc", limit=limit) == [one for one, _ in found]
    assert walk(found, "desc", limit=limit) == [one for one, _ in reversed(found)]
    taken, more = Page(2, "", "id3", "desc").of(found)
    assert ([one for one, _ in taken], more) == (["id5", "id4"], True)
    taken, more = Page(2, "id5", "id3", "desc").of(found)
    assert ([one for one, _ in taken], more) == (["id4"], False)


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "ten", "1.5", "9999999999", "١"])
async def test_a_limit_out_of_range_is_refused(rest: httpx.AsyncClient, channel: FakeChannel, limit: str) -> None:
    answer = await rest.get("/directories", params={"limit": limit})
    assert answer.status_code == 422
    assert answer.json()["errors"][0] | {"message": ""} == {"code": "invalid", "field": "limit", "message": ""}
    assert not channel.calls


@pytest.mark.parametrize("query", ["order=up", "after=" + "x" * 257, "before=a%00b", "after=%ff"])
async def test_other_bad_paging_is_refused(rest: httpx.AsyncClient, channel: FakeChannel, query: str) -> None:
    answer = await rest.get(f"/directories?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]
    assert not channel.calls


LISTS = [
    ("/directories", "directory_", pb.ListDirectoriesResponse()),
    ("/directory_users?directory=d", "directory_user_", pb.ListUsersResponse()),
    ("/directory_users?group=g", "directory_user_", pb.ListGroupMembersResponse()),
    ("/directory_groups?directory=d", "directory_group_", pb.ListGroupsResponse()),
    ("/directory_groups?user=u", "directory_group_", pb.ListUserGroupsResponse()),
    ("/directory_groups/g/members", "directory_user_", pb.ListGroupMembersResponse()),
    ("/directory_groups/g/members", "directory_group_", pb.ListGroupMembersResponse()),
    ("/organizations", "org_", admin_pb.ListOrganizationsResponse()),
    ("/webhook_endpoints", "we_", webhooks_pb.ListWebhookEndpointsResponse()),
]


@pytest.mark.parametrize("field", ["after", "before"])
@pytest.mark.parametrize(("path", "prefix", "reply"), LISTS)
async def test_what_cannot_be_an_id_of_the_list_is_no_place_in_it(
    rest: httpx.AsyncClient, channel: FakeChannel, path: str, prefix: str, reply: Message, field: str
) -> None:
    del reply
    bad = ["nope", prefix, f"{prefix}{ULID[:-1]}", f"{prefix}{ULID}0", f"{prefix}8{ULID[1:]}", f"event_{ULID}", ULID]
    for value in (*bad, f"{prefix}{ULID.lower()}", f"{prefix}{ULID[:-1]}U"):
        answer = await rest.get(path, params={**dict(httpx.URL(path).params), field: value})
        assert answer.status_code == 422
        assert answer.json() == {
            "message": f"{field} is not an id of this list.",
            "code": "invalid_request_parameters",
            "errors": [{"code": "invalid", "field": field, "message": f"{field} is not an id of this list."}],
        }
    assert not channel.calls


@pytest.mark.parametrize(("path", "prefix", "reply"), LISTS)
async def test_an_id_that_no_longer_exists_is_a_place_in_the_list(
    rest: httpx.AsyncClient, channel: FakeChannel, replies: dict[str, Any], path: str, prefix: str, reply: Message
) -> None:
    replies[type(reply).__name__.removesuffix("Response")] = reply
    after = f"{prefix}{ULID}"
    answer = await rest.get(path, params={**dict(httpx.URL(path).params), "after": after})
    assert (answer.status_code, answer.json()["data"]) == (200, [])
    asked = channel.last.request
    assert (asked.after_id if path == "/webhook_endpoints" else asked.window.after_id) == after


async def test_a_page_is_asked_for_and_answered(
    rest: httpx.AsyncClient, channel: FakeChannel, replies: dict[str, Any]
) -> None:
    found = [resources_pb2.Directory(id=f"directory_{number}", provider="okta") for number in (2, 1)]
    replies["ListDirectories"] = pb.ListDirectoriesResponse(directories=found, next_page_token="more")
    query = f"limit=2&limit=&order=desc&after={THIRD}&organization_id=org_1&search=a%20b+c&unknown=1"
    answer = await rest.get(f"/directories?{query.replace('&limit=&', '&')}")
    assert answer.status_code == 200
    assert channel.last.request == pb.ListDirectoriesRequest(
        organization_id="org_1",
        search="a b c",
        page_size=2,
        window=pb.PageWindow(after_id=THIRD, descending=True),
    )
    assert answer.json()["object"] == "list"
    assert answer.json()["list_metadata"] == {"before": "directory_2", "after": "directory_1"}
    assert [one["id"] for one in answer.json()["data"]] == ["directory_2", "directory_1"]
