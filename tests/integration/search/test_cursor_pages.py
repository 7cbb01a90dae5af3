"""Paging by cursor (RFC 9865)."""

import json
from typing import Any

import pytest

from directorysync.v1 import directory_ingest_pb2 as pb
from service.domain.user import User
from service.scim.schema import USER
from service.scim.search_cursor import Position, encode
from service.storage import search
from service.storage.sorting import check_sort
from tests.support.stack import Refused, Stack

USERS, GROUPS, BOTH = pb.RESOURCE_TYPE_USER, pb.RESOURCE_TYPE_GROUP, pb.RESOURCE_TYPE_UNSPECIFIED


class Pages:
    """A provider that reads a directory by cursor."""

    def __init__(self, stack: Stack, made: Any) -> None:
        self.stack = stack
        self.directory = made.directory
        self.secret = made.secret

    async def page(self, cursor: str = "", kind: Any = USERS, **fields: Any) -> dict[str, Any]:
        answer = await self.stack.call(
            "DirectoryIngest/SearchResources",
            self.secret,
            context=pb.IngestContext(directory=self.directory.id),
            resource_type=kind,
            cursor=cursor,
            **fields,
        )
        found: dict[str, Any] = json.loads(answer.list_json)
        assert found["itemsPerPage"] == len(found["Resources"])
        assert "startIndex" not in found
        assert "previousCursor" not in found
        return found

    async def names(self, kind: Any = USERS, **fields: Any) -> list[list[str]]:
        """The names of every page, until there is no `nextCursor`."""
        pages, cursor = [], ""
        while True:
            found = await self.page(cursor, kind, **fields)
            pages.append([resource.get("userName") or resource["displayName"] for resource in found["Resources"]])
            cursor = found.get("nextCursor")
            if not cursor:
                return pages


@pytest.fixture
async def pages(stack: Stack) -> Pages:
    return Pages(stack, await stack.directory())


async def put_five(pages: Pages) -> list[User]:
    titles: list[dict[str, Any]] = [{"title": "b"}, {"title": "A"}, {}, {"title": "a"}, {}]
    return [await pages.stack.put_user(pages.directory, userName=f"u{5 - n}", **t) for n, t in enumerate(titles)]


async def test_every_resource_comes_once_and_the_last_page_has_no_cursor(pages: Pages) -> None:
    assert await pages.names() == [[]]
    await put_five(pages)
    assert await pages.names(count=2) == [["u5", "u4"], ["u3", "u2"], ["u1"]]
    assert await pages.names(count=5) == [["u5", "u4", "u3", "u2", "u1"]]
    assert await pages.names(start_index=4) == [["u5", "u4", "u3", "u2", "u1"]]


async def test_the_total_is_that_of_the_first_page(pages: Pages) -> None:
    await put_five(pages)
    first = await pages.page(count=2, filter='userName sw "u"')
    await pages.stack.put_user(pages.directory, userName="u9")
    second = await pages.page(first["nextCursor"], count=2, filter='userName sw "u"')
    assert (first["totalResults"], second["totalResults"]) == (5, 5)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    "sort_by",
    ["userName", "title", "externalId", "meta.created", "meta.lastModified", "active", "emails", "id", "meta.location"],
)
async def test_sorted_pages_have_the_order_of_the_whole(
    pages: Pages, sort_by: str, count: int, descending: bool
) -> None:
    await put_five(pages)
    pages.stack.time.forward(1.5)
    for number, active in enumerate((True, False)):
        await pages.stack.put_user(
            pages.directory,
            userName=f"x{number}",
            active=active,
            externalId=f"e{number}",
            emails=[{"value": f"{'z' * 300}{number}@x.org"}],
        )
    asked = {"sort_by": sort_by, "sort_descending": descending}
    whole = (await pages.names(**asked, count=100))[0]
    assert len(whole) == 7
    by_cursor = await pages.names(**asked, count=count)
    assert [name for page in by_cursor for name in page] == whole
    assert all(len(page) == count for page in by_cursor[:-1])


async def test_filtered_pages(pages: Pages) -> None:
    await put_five(pages)
    assert await pages.names(filter="title pr", count=2) == [["u5", "u4"], ["u2"]]
    assert await pages.names(filter='title eq "a"', sort_by="userName", count=1) == [["u2"], ["u4"]]
    assert await pages.names(filter='userName eq "U3"', count=1) == [["u3"]]
    assert await pages.names(filter='userName eq "nobody"') == [[]]


async def test_pages_over_all_types_are_users_then_groups(pages: Pages) -> None:
    users = await put_five(pages)
    for name in ("g1", "g2"):
        await pages.stack.put_group(pages.directory, users[0], displayName=name)
    assert await pages.names(BOTH, count=3) == [["u5", "u4", "u3"], ["u2", "u1", "g1"], ["g2"]]
    assert await pages.names(BOTH, count=5) == [["u5", "u4", "u3", "u2", "u1"], ["g1", "g2"]]
    groups = await pages.page(kind=GROUPS)
    assert [member["value"] for member in groups["Resources"][0]["members"]] == [users[0].id]


async def test_what_goes_or_comes_meanwhile_moves_nothing_else(pages: Pages) -> None:
    users = await put_five(pages)
    first = await pages.page(count=2, sort_by="userName")
    await pages.stack.pool.execute("DELETE FROM directory_user WHERE id = ANY ($1)", [users[4].id, users[3].id])
    await pages.stack.put_user(pages.directory, userName="u0")
    second = await pages.page(first["nextCursor"], count=2, sort_by="userName")
    assert [user["userName"] for user in second["Resources"]] == ["u3", "u4"]


async def test_a_cursor_of_another_query_is_refused(pages: Pages) -> None:
    await put_five(pages)
    cursor = (await pages.page(count=2))["nextCursor"]
    assert (await pages.page(cursor, count=1))["itemsPerPage"] == 1
    for change in ({"filter": "title pr"}, {"sort_by": "title"}, {"sort_descending": True}, {"kind": GROUPS}):
        with pytest.raises(Refused) as refused:
            await pages.page(cursor, **change)
        assert refused.value.reason == "SCIM_INVALID_CURSOR"
    other = Pages(pages.stack, await pages.stack.directory())
    for reader, text in ((other, cursor), (pages, cursor[:-1]), (pages, "x" * 9_000), (pages, "é")):
        with pytest.raises(Refused) as refused:
            await reader.page(text)
        assert refused.value.reason == "SCIM_INVALID_CURSOR"


@pytest.mark.parametrize("key", ["soon", "", "9" * 400])
async def test_a_forged_cursor_is_refused(pages: Pages, key: str) -> None:
    await put_five(pages)
    bound = (pages.directory.id, str(int(USERS)), "", "meta.created", "False")
    forged = encode(Position("User", "directory_user_1", key, 5), bound)
    with pytest.raises(Refused) as refused:
        await pages.page(forged, sort_by="meta.created")
    assert refused.value.reason == "SCIM_INVALID_CURSOR"


@pytest.mark.parametrize("count", [0, -1])
async def test_a_count_below_one_is_refused(pages: Pages, count: int) -> None:
    with pytest.raises(Refused) as refused:
        await pages.page(count=count)
    assert refused.value.reason == "SCIM_INVALID_COUNT"


@pytest.mark.parametrize(("sort_by", "key"), [("", None), ("userName", "u2990")])
async def test_a_deep_page_enters_an_index_at_its_place(stack: Stack, sort_by: str, key: str | None) -> None:
    made = (await stack.directory()).directory
    await stack.pool.execute(
        """INSERT INTO directory_user (directory_id, id, organization_id, user_name, user_key, external_id, email_keys,
                                       active, version, document, created_at, updated_at)
           SELECT $1, 'directory_user_' || i, $2, 'u' || i, 'u' || i, 'x' || i, ARRAY['u' || i || '@x.org'], true, 1,
                  jsonb_build_object('userName', 'u' || i), now(), now() FROM generate_series(1, 3000) AS i""",
        made.id,
        made.organization_id,
    )
    await stack.pool.execute("ANALYZE directory_user")
    sort = check_sort(sort_by, USER) if sort_by else None
    query = search.Query(made.id, USER, "", None, sort, descending=False, skip=0, limit=3)
    for after in (None, Position("User", "directory_user_2990", key, 3000)):
        assert await blocks_read(stack, query, after) < 30
    found = await search.page_behind(stack.pool, query, after, 5)
    assert [entity.id for entity, _ in found[1]] == [f"directory_user_{n}" for n in (2991, 2992, 2993)]


async def blocks_read(stack: Stack, query: search.Query, after: Position | None) -> int:
    """Blocks of the database that reading a page touches."""
    statement, arguments = search.behind_statement(query, after)
    plan = await stack.pool.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *arguments)
    top = json.loads(plan)[0]["Plan"]
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])
