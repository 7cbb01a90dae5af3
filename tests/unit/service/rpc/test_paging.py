from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directorysync.v1 import directory_sync_pb2 as pb
from service.domain.errors import ArgumentError
from service.rpc.paging import page_of, page_size

ITEMS = [f"id_{n:02}" for n in range(7)]


async def fetch(after: str, limit: int) -> Sequence[str]:
    return [item for item in ITEMS if item > after][:limit]


@pytest.mark.parametrize(("asked", "size"), [(0, 100), (1, 1), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)])
def test_page_sizes(asked: int, size: int) -> None:
    assert page_size(asked) == size


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(ArgumentError):
        page_size(-1)


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7, 8])
async def test_pages_together_are_the_list(size: int) -> None:
    seen: list[str] = []
    token = ""
    for _ in range(len(ITEMS) + 1):
        request = pb.ListUsersRequest(directory_id="d", page_size=size, page_token=token)
        page, token = await page_of(request, fetch, str)
        seen += page
        if not token:
            break
    assert seen == ITEMS


async def test_a_full_last_page_has_no_successor() -> None:
    page, token = await page_of(pb.ListUsersRequest(page_size=7), fetch, str)
    assert (page, token) == (ITEMS, "")


@given(st.text())
def test_no_invented_token_is_taken(token: str) -> None:
    coroutine = page_of(pb.ListUsersRequest(directory_id="d", page_token=token or "x"), fetch, str)
    with pytest.raises(ArgumentError):
        coroutine.send(None)


async def test_a_token_says_nothing_of_other_arguments() -> None:
    _, token = await page_of(pb.ListUsersRequest(directory_id="d", state=1, page_size=2), fetch, str)
    for request in (
        pb.ListUsersRequest(directory_id="e", state=1, page_token=token),
        pb.ListUsersRequest(directory_id="d", state=2, page_token=token),
        pb.ListGroupsRequest(directory_id="d", page_token=token),
    ):
        with pytest.raises(ArgumentError):
            await page_of(request, fetch, str)
