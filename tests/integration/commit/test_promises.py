"""Promises 1, 2, 3, 5 and 7 of the write path, each under its name."""

import asyncio

import asyncpg
import pytest

from service.app.commit import Limits
from service.domain.errors import OverloadedError
from service.scim.errors import Uniqueness
from tests.integration.commit.conftest import Directories, committing


async def test_committed_means_durable_and_announced(directories: Directories) -> None:
    await directories.make("d1")
    user_id = await directories.create_user("d1", "ada")
    rows = await directories.fetch("SELECT id FROM directory_user")
    (event,) = await directories.events("d1")
    assert [row["id"] for row in rows] == [user_id]
    assert event.user.id == user_id
    assert event.type == "dsync.user.created"


async def test_gap_free_under_concurrent_writers_and_refused_commands(directories: Directories) -> None:
    await directories.make("d1", "d2", "d3")

    async def write(worker: int) -> int:
        refused = 0
        for index in range(40):
            try:
                await directories.create_user(f"d{worker % 3 + 1}", f"user{index % 30}-{worker // 6}")
            except Uniqueness:
                refused += 1
        return refused

    refused = sum(await asyncio.gather(*(write(worker) for worker in range(12))))
    assert refused > 0
    for name in ("d1", "d2", "d3"):
        events = await directories.events(name)
        assert [event.directory_sequence for event in events] == list(range(1, len(events) + 1))
        (head,) = await directories.fetch("SELECT seq FROM head WHERE directory_id = $1", name)
        assert head["seq"] == len(events)


async def test_one_user_name_is_given_once_however_many_ask(directories: Directories) -> None:
    await directories.make("d1")
    results = await asyncio.gather(*(directories.create_user("d1", "ada") for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(result, str) for result in results) == 1
    assert sum(isinstance(result, Uniqueness) for result in results) == 19


async def test_two_committers_on_one_directory_never_interleave(database_url: str, directories: Directories) -> None:
    await directories.make("d1")
    async with committing(database_url) as other:
        other.known = directories.known
        await asyncio.gather(
            *(
                side.create_user("d1", f"{name}{index}")
                for name, side in (("a", directories), ("b", other))
                for index in range(50)
            )
        )
    events = await directories.events("d1")
    assert [event.directory_sequence for event in events] == list(range(1, 101))
    assert len(await directories.fetch("SELECT 1 FROM directory_user")) == 100


async def test_atomic_a_command_is_one_transaction(directories: Directories) -> None:
    await directories.make("d1")
    people = [await directories.create_user("d1", f"user{index}") for index in range(5)]
    await directories.create_group("d1", "Eng", people)
    events = (await directories.events("d1"))[5:]
    assert [event.type for event in events] == ["dsync.group.created"] + ["dsync.group.user_added"] * 5
    assert len({event.transaction_id for event in events}) == 1
    assert [event.transaction_end for event in events] == [False] * 5 + [True]
    assert {event.membership.member_name for event in events[1:]} == {f"user{index}" for index in range(5)}


async def test_nothing_for_nothing(directories: Directories) -> None:
    await directories.make("d1")
    user_id = await directories.create_user("d1", "ada", title="Eng")
    before = await directories.fetch("SELECT version, updated_at FROM directory_user")
    written = await directories.patch("d1", user_id, {"op": "Replace", "path": "title", "value": "Eng"})
    assert written.outcome.seq is None
    assert await directories.fetch("SELECT version, updated_at FROM directory_user") == before
    assert len(await directories.events("d1")) == 1


async def test_concurrent_patches_on_one_group_lose_nothing(directories: Directories) -> None:
    await directories.make("d1")
    people = await asyncio.gather(*(directories.create_user("d1", f"user{index}") for index in range(60)))
    group_id = await directories.create_group("d1", "Eng")
    add = {"op": "add", "path": "members"}
    await asyncio.gather(
        *(directories.patch("d1", group_id, {**add, "value": [{"value": person}]}) for person in people)
    )
    rows = await directories.fetch("SELECT member_id FROM membership WHERE group_id = $1", group_id)
    assert {row["member_id"] for row in rows} == set(people)
    (group,) = await directories.fetch("SELECT version FROM directory_group")
    assert group["version"] == 61


async def test_deleting_a_user_ends_its_memberships_and_moves_its_groups(directories: Directories) -> None:
    await directories.make("d1")
    user_id = await directories.create_user("d1", "ada")
    await directories.create_group("d1", "Eng", [user_id])
    await directories.delete("d1", user_id)
    assert await directories.fetch("SELECT 1 FROM membership") == []
    assert [row["version"] for row in await directories.fetch("SELECT version FROM directory_group")] == [2]
    assert [event.type for event in await directories.events("d1")][-1] == "dsync.user.deleted"


async def test_names_swapped_in_one_batch(directories: Directories) -> None:
    await directories.make("d1")
    first, second = [await directories.create_user("d1", name) for name in ("ada", "bob")]
    rename = {"op": "replace", "path": "userName"}
    await asyncio.gather(
        directories.patch("d1", first, {**rename, "value": "tmp"}),
        directories.patch("d1", second, {**rename, "value": "ada"}),
        directories.patch("d1", first, {**rename, "value": "bob"}),
    )
    rows = await directories.fetch("SELECT id, user_name, user_key FROM directory_user ORDER BY user_name")
    assert [tuple(row) for row in rows] == [(second, "ada", "ada"), (first, "bob", "bob")]


async def test_created_and_deleted_in_one_batch_leaves_only_its_events(directories: Directories) -> None:
    await directories.make("d1")
    gate = await asyncpg.connect(directories.url)
    async with gate.transaction():
        await gate.execute("SELECT 1 FROM head WHERE directory_id = 'd1' FOR UPDATE")
        first = asyncio.create_task(directories.create_user("d1", "ada"))
        await asyncio.sleep(0.05)
        others = [asyncio.create_task(directories.create_user("d1", f"user{index}")) for index in range(5)]
        await asyncio.sleep(0.05)
    await gate.close()
    await asyncio.gather(first, *others)
    assert len(await directories.events("d1")) == 6


async def test_a_full_queue_refuses_at_once(database_url: str) -> None:
    async with committing(database_url, limits=Limits(queue_commands=3), lanes=1) as directories:
        await directories.make("d1")
        gate = await asyncpg.connect(database_url)
        async with gate.transaction():
            await gate.execute("SELECT 1 FROM head FOR UPDATE")
            waiting = [asyncio.create_task(directories.create_user("d1", f"user{index}")) for index in range(3)]
            await asyncio.sleep(0.05)
            with pytest.raises(OverloadedError):
                await directories.create_user("d1", "late")
        await gate.close()
        assert len(await asyncio.gather(*waiting)) == 3


async def test_a_reference_that_waits_is_kept_and_becomes_a_membership(directories: Directories) -> None:
    await directories.make("d1")
    group_id = await directories.create_group("d1", "Eng", ["ext-1", "nobody"])
    assert await directories.fetch("SELECT 1 FROM membership") == []
    user_id = await directories.create_user("d1", "ada", externalId="ext-1")
    rows = await directories.fetch("SELECT group_id, member_id FROM membership")
    assert [tuple(row) for row in rows] == [(group_id, user_id)]
    assert [row["value"] for row in await directories.fetch("SELECT value FROM pending_member")] == ["nobody"]
    assert [event.type for event in await directories.events("d1")][1:] == [
        "dsync.user.created",
        "dsync.group.user_added",
    ]
    await directories.patch("d1", group_id, {"op": "remove", "path": "members", "value": [{"value": "nobody"}]})
    assert await directories.fetch("SELECT 1 FROM pending_member") == []
    await directories.patch("d1", group_id, {"op": "add", "path": "members", "value": [{"value": "later"}]})
    await directories.delete("d1", group_id)
    assert await directories.fetch("SELECT 1 FROM pending_member") == []
