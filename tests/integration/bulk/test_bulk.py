"""Bulk requests (RFC 7644 section 3.7) against PostgreSQL."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.app.bulk import Bulk, BulkAnswer
from service.domain.decision import Outcome
from service.domain.errors import NotFoundError
from service.scim.errors import InvalidValue, TooLarge, Uniqueness
from tests.integration.commit.conftest import Directories, committing


@pytest.fixture
async def directories(database_url: str) -> AsyncIterator[Directories]:
    async with committing(database_url) as made:
        await made.make("d1")
        yield made


async def run(directories: Directories, *operations: dict[str, Any], **attributes: Any) -> list[BulkAnswer]:
    text = json.dumps({"Operations": operations, **attributes})
    return await Bulk(directories.ingest).run(directories.known["d1"], text, "r")


def post_user(bulk_id: str, name: str, **attributes: Any) -> dict[str, Any]:
    return {"method": "POST", "path": "/Users", "bulkId": bulk_id, "data": {"userName": name, **attributes}}


def post_group(bulk_id: str, name: str, *members: str) -> dict[str, Any]:
    data = {"displayName": name, "members": [{"value": f"bulkId:{member}"} for member in members]}
    return {"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": data}


async def members(directories: Directories) -> set[tuple[str, str]]:
    rows = await directories.fetch("SELECT group_id, member_id FROM membership")
    return {(row["group_id"], row["member_id"]) for row in rows}


async def test_a_group_of_users_that_the_same_request_makes(directories: Directories) -> None:
    ada, bob, group = await run(
        directories, post_user("a", "ada"), post_user("b", "bob"), post_group("g", "Eng", "a", "b")
    )
    assert await members(directories) == {(group.resource_id, ada.resource_id), (group.resource_id, bob.resource_id)}


async def test_references_to_what_comes_later_and_circular_ones(directories: Directories) -> None:
    first, second, ada = await run(
        directories, post_group("g1", "A", "g2"), post_group("g2", "B", "g1", "a"), post_user("a", "ada")
    )
    assert await members(directories) == {
        (first.resource_id, second.resource_id),
        (second.resource_id, first.resource_id),
        (second.resource_id, ada.resource_id),
    }
    assert await directories.fetch("SELECT 1 FROM pending_member") == []


async def test_a_reference_in_a_path_and_in_an_extension(directories: Directories) -> None:
    urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    ada, bob, _ = await run(
        directories,
        post_user("a", "ada"),
        post_user("b", "bob", **{urn: {"manager": {"value": "bulkId:a"}}}),
        {
            "method": "PATCH",
            "path": "/Users/bulkId:a",
            "data": {"Operations": [{"op": "add", "path": "title", "value": "Boss"}]},
        },
    )
    rows = {row["id"]: json.loads(row["document"]) for row in await directories.fetch("SELECT * FROM directory_user")}
    assert rows[bob.resource_id][urn]["manager"]["value"] == ada.resource_id
    assert rows[ada.resource_id]["title"] == "Boss"


async def test_an_error_belongs_to_its_operation_and_to_those_that_refer_to_it(directories: Directories) -> None:
    await directories.create_user("d1", "ada")
    taken, group, other = await run(
        directories, post_user("a", "ADA"), post_group("g", "Eng", "a"), post_user("b", "bob")
    )
    assert isinstance(taken.result, Uniqueness)
    assert isinstance(group.result, InvalidValue)
    assert isinstance(other.result, Outcome)
    assert await directories.fetch("SELECT 1 FROM directory_group") == []


async def test_fail_on_errors_stops_and_carries_out_nothing_more(directories: Directories) -> None:
    missing = {"method": "DELETE", "path": "/Users/nobody"}
    answers = await run(directories, missing, post_user("a", "ada"), missing, post_user("b", "bob"), failOnErrors=2)
    assert [type(answer.result) for answer in answers] == [NotFoundError, Outcome, NotFoundError]
    assert [row["user_name"] for row in await directories.fetch("SELECT user_name FROM directory_user")] == ["ada"]


async def test_a_thousand_operations_share_commits(directories: Directories) -> None:
    answers = await run(directories, *(post_user(f"u{index}", f"user{index}") for index in range(1000)))
    assert all(isinstance(answer.result, Outcome) for answer in answers)
    events = await directories.events("d1")
    assert [event.user.user_name for event in events] == [f"user{index}" for index in range(1000)]
    (commits,) = await directories.fetch("SELECT count(DISTINCT xid) AS n FROM event")
    assert commits["n"] < 100


async def test_more_operations_than_announced_are_refused_whole(directories: Directories) -> None:
    with pytest.raises(TooLarge):
        await run(directories, *(post_user(f"u{index}", f"user{index}") for index in range(1001)))
    assert await directories.events("d1") == []


@pytest.mark.parametrize(
    "operation",
    [
        {"method": "POST", "path": "/Nothing", "bulkId": "x", "data": {}},
        {"method": "DELETE", "path": "/Users"},
        {"method": "POST", "path": "/Users/some-id", "bulkId": "x", "data": {"userName": "x"}},
        {"method": "PUT", "path": "/Users/bulkId:unknown", "data": {"userName": "x"}},
    ],
)
async def test_an_operation_that_makes_no_sense_fails_alone(
    directories: Directories, operation: dict[str, Any]
) -> None:
    odd, good = await run(directories, operation, post_user("ok", "ada"))
    assert isinstance(odd.result, Exception)
    assert isinstance(good.result, Outcome)


@pytest.mark.parametrize("depth", [30, 400, 900])
async def test_data_that_is_nested_too_deep_fails_its_operation_only(directories: Directories, depth: int) -> None:
    deep: Any = "bulkId:a"
    for _ in range(depth):
        deep = [deep]
    good, bad = await run(directories, post_user("a", "ada"), post_user("b", "bob", deep=deep))
    assert isinstance(good.result, Outcome)
    assert isinstance(bad.result, InvalidValue)


@pytest.mark.parametrize("base", ["https://h/scim/v2/key", "/scim/v2/key", "/v2", ""])
async def test_paths_may_be_whole_urls(directories: Directories, base: str) -> None:
    ada, group, changed = await run(
        directories,
        {**post_user("a", "ada"), "path": f"{base}/Users"},
        {**post_group("g", "Eng", "a"), "path": f"{base}/Groups/"},
        {
            "method": "PATCH",
            "path": f"{base}/Users/bulkId:a",
            "data": json.dumps({"op": "add", "path": "title", "value": "x"}),
        },
    )
    assert await members(directories) == {(group.resource_id, ada.resource_id)}
    assert isinstance(changed.result, Outcome)
    assert changed.result.entity.document["title"] == "x"
