"""An organization deleted with its directories: whole, whatever else is done to them at the same time."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from service.app import organizations as organizations_app
from service.domain.errors import CredentialsInvalidError
from service.storage import directories, portal_links, tokens
from tests.support.stack import Refused, Stack, listening, open_stack


async def delete(stack: Stack, organization_id: str, **fields: Any) -> str:
    """The reason of the refusal, or nothing."""
    return await outcome(stack, "DirectoryAdmin/DeleteOrganization", id=organization_id, **{"force": True, **fields})


async def outcome(stack: Stack, call: str, /, **fields: Any) -> str:
    try:
        await stack.call(call, **fields)
    except Refused as refused:
        return refused.reason
    return ""


async def deletions(stack: Stack, directory_id: str) -> int:
    """How often its log says that it was deleted; with nothing behind it and no hole before it."""
    events = await stack.events(directory_id)
    assert [event.directory_sequence for event in events] == [*range(1, len(events) + 1)]
    types = [event.type for event in events]
    assert "dsync.deleted" not in types[:-1]
    return types.count("dsync.deleted")


async def left(stack: Stack) -> list[tuple[str, int]]:
    """Tables with rows that a deletion takes away, or that are not marked as deleted."""
    live = {
        "organization": "deleted_at IS NULL",
        "directory": "state <> 'deleted'",
        "directory_token": "revoked_at IS NULL",
        **dict.fromkeys(("directory_user", "directory_group", "membership", "pending_member", "portal_link"), "true"),
    }
    rows = {table: await stack.pool.fetchval(f"SELECT count(*) FROM {table} WHERE {of}") for table, of in live.items()}
    return [(table, count) for table, count in rows.items() if count]


@asynccontextmanager
async def held_at(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> AsyncIterator[asyncio.Event]:
    """The first call of a storage function stops there, in the middle of its transaction, until the block ends."""
    reached, go_on = asyncio.Event(), asyncio.Event()
    original: Callable[..., Awaitable[Any]] = getattr(module, name)

    async def stopping(*arguments: Any, **named: Any) -> Any:
        if not reached.is_set():
            reached.set()
            await go_on.wait()
        return await original(*arguments, **named)

    monkeypatch.setattr(module, name, stopping)
    try:
        yield reached
    finally:
        go_on.set()


async def someone_waits(stack: Stack) -> None:
    """Until a transaction waits for another one's lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(10):
        while not await stack.pool.fetchval(waiting):
            await asyncio.sleep(0.01)


async def batch_over(stack: Stack, directory_ids: Sequence[str]) -> str:
    """What a batch of commands to these directories holds."""
    named = json.dumps({"directories": directory_ids})
    async with stack.pool.acquire() as connection, connection.transaction():
        await connection.fetchval("SELECT count(*) FROM load_batch_v1($1)", named)
    return ""


async def test_force_deletes_an_organization_with_its_directories(stack: Stack) -> None:
    organization, other = await stack.organization(), await stack.organization("Other")
    made = [await stack.directory(organization.id, name=f"d{n}") for n in range(3)]
    stays = await stack.directory(other.id)
    for one in (*made, stays):
        user = await stack.put_user(one.directory, userName="ada")
        await stack.put_group(one.directory, user, displayName="g")
        await stack.credentials.authenticate(one.secret)
    stack.commits.clear()
    assert not await delete(stack, organization.id)
    last = [(await stack.events(one.directory.id))[-1] for one in made]
    assert [(event.type, event.directory.id) for event in last] == [("dsync.deleted", one.directory.id) for one in made]
    # In each directory's log it is a transaction of its own: a reader of one directory waits for no other.
    assert all(event.transaction_end for event in last)
    assert len({event.transaction_id for event in last}) == 3
    assert len({event.request_id for event in last}) == 1
    assert stack.commits == [1]
    for one in made:
        assert await deletions(stack, one.directory.id) == 1
        with pytest.raises(CredentialsInvalidError):
            await stack.credentials.authenticate(one.secret)
        assert await outcome(stack, "DirectorySync/GetDirectory", id=one.directory.id) == "RESOURCE_NOT_FOUND"
    assert await outcome(stack, "DirectoryAdmin/GetOrganization", id=organization.id) == "RESOURCE_NOT_FOUND"
    assert await delete(stack, organization.id) == "RESOURCE_NOT_FOUND"
    await stack.credentials.authenticate(stays.secret)
    kept = ("organization", "directory", "directory_token", "directory_user", "directory_group", "membership")
    assert await left(stack) == [(table, 1) for table in kept]


async def test_without_force_or_without_bounds_off_nothing_is_deleted(stack: Stack) -> None:
    made = await stack.directory()
    organization_id = made.directory.organization_id
    assert await delete(stack, organization_id, force=False) == "ARGUMENT_INVALID"
    bounded = await stack.key("admin", organizations=[organization_id])
    with pytest.raises(Refused) as refused:
        await stack.call("DirectoryAdmin/DeleteOrganization", bounded, id=organization_id, force=True)
    assert refused.value.reason == "SCOPE_MISSING"
    await stack.credentials.authenticate(made.secret)
    assert await deletions(stack, made.directory.id) == 0
    empty = await stack.organization("Empty")
    assert not await delete(stack, empty.id)


async def test_other_processes_refuse_the_tokens_of_all_directories(stack: Stack, database_url: str) -> None:
    organization = await stack.organization()
    made = [await stack.directory(organization.id, name=f"d{n}") for n in range(5)]
    async with open_stack(database_url, stack.time) as other, listening(other) as heard:
        async with asyncio.timeout(10):
            for one in made:
                await other.credentials.authenticate(one.secret)
                await other.directories.resolve(one.directory.scim_key)
            assert not await delete(stack, organization.id)
            while {one.directory.id for one in made} - {changed for ids in heard for changed in ids or ()}:
                await asyncio.sleep(0.01)
        for one in made:
            with pytest.raises(CredentialsInvalidError):
                await other.credentials.authenticate(one.secret)
            assert await other.directories.find(one.directory.scim_key) is None


async def test_beyond_the_ceiling_it_goes_in_steps_that_can_be_gone_on_with(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(organizations_app, "_DIRECTORIES_AT_ONCE", 2)
    organization = await stack.organization()
    made = [await stack.directory(organization.id, name=f"d{n}") for n in range(5)]
    async with held_at(monkeypatch, directories, "purge") as reached:
        cut_off = asyncio.create_task(delete(stack, organization.id))
        await reached.wait()
        cut_off.cancel()
        await asyncio.gather(cut_off, return_exceptions=True)
    assert [await deletions(stack, one.directory.id) for one in made] == [1, 1, 0, 0, 0]
    await stack.call("DirectoryAdmin/GetOrganization", id=organization.id)
    await stack.credentials.authenticate(made[2].secret)
    assert not await delete(stack, organization.id)
    assert [await deletions(stack, one.directory.id) for one in made] == [1] * 5
    assert await left(stack) == []


async def test_a_directory_that_is_being_made_goes_with_the_organization(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    organization = (await stack.directory()).directory.organization_id
    async with held_at(monkeypatch, tokens, "insert") as reached:
        making = asyncio.create_task(stack.directory(organization, name="late"))
        await reached.wait()
        deleting = asyncio.create_task(delete(stack, organization))
        await someone_waits(stack)
    late = await making
    assert not await deleting
    assert await deletions(stack, late.directory.id) == 1
    assert await left(stack) == []


async def test_no_directory_is_made_in_an_organization_that_is_being_deleted(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    organization = (await stack.directory()).directory.organization_id
    async with held_at(monkeypatch, portal_links, "delete_all") as reached:
        deleting = asyncio.create_task(delete(stack, organization))
        await reached.wait()
        fields = {"organization_id": organization, "name": "late"}
        making = asyncio.create_task(outcome(stack, "DirectoryAdmin/CreateDirectory", **fields))
        await someone_waits(stack)
    assert not await deleting
    assert await making == "RESOURCE_NOT_FOUND"
    assert await left(stack) == []


@pytest.mark.parametrize(
    ("module", "name", "first"),
    [(tokens, "revoke_all", "directory"), (portal_links, "delete_all", "organization")],
)
async def test_a_directory_deleted_at_the_same_time_is_deleted_once(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, first: str
) -> None:
    made = await stack.directory()
    organization = made.directory.organization_id
    beside = await stack.directory(organization, name="beside")
    calls: dict[str, Callable[[], Coroutine[Any, Any, str]]] = {
        "directory": lambda: outcome(stack, "DirectoryAdmin/DeleteDirectory", id=made.directory.id),
        "organization": lambda: delete(stack, organization),
    }
    async with held_at(monkeypatch, module, name) as reached:
        running = {first: asyncio.create_task(calls.pop(first)())}
        await reached.wait()
        running.update({kind: asyncio.create_task(call()) for kind, call in calls.items()})
        await someone_waits(stack)
    assert not await running["organization"]
    assert await running["directory"] == ("" if first == "directory" else "RESOURCE_NOT_FOUND")
    assert [await deletions(stack, one.directory.id) for one in (made, beside)] == [1, 1]
    assert await left(stack) == []


async def test_a_directory_changed_at_the_same_time_goes_as_it_is_then(stack: Stack) -> None:
    made = await stack.directory()
    async with stack.pool.acquire() as connection:
        changing = connection.transaction()
        await changing.start()
        await connection.execute("UPDATE directory SET name = 'New'")
        deleting = asyncio.create_task(delete(stack, made.directory.organization_id))
        await someone_waits(stack)
        await changing.commit()
    assert not await deleting
    *_, event = await stack.events(made.directory.id)
    assert (event.type, event.directory.name) == ("dsync.deleted", "New")
    assert await left(stack) == []


async def test_batches_of_several_directories_and_rivals_never_deadlock(stack: Stack, database_url: str) -> None:
    async with open_stack(database_url, stack.time) as other:
        for _ in range(5):
            organization = await stack.organization()
            made = [await stack.directory(organization.id, name=f"d{n}") for n in range(4)]
            names = [one.directory.id for one in made]

            answers = await asyncio.gather(
                *(batch_over(each, order) for each in (stack, other) for order in (names, names[::-1]) * 2),
                delete(stack, organization.id),
                delete(other, organization.id),
                outcome(other, "DirectoryAdmin/DeleteDirectory", id=names[-1]),
                outcome(stack, "DirectoryAdmin/UpdateDirectory", id=names[1], name="New"),
                outcome(other, "DirectoryAdmin/CreateDirectoryToken", directory_id=names[2]),
                outcome(stack, "DirectoryAdmin/CreateDirectory", organization_id=organization.id, name="late"),
            )
            assert set(answers) <= {"", "RESOURCE_NOT_FOUND"}
            assert sorted(answers[8:10]) == ["", "RESOURCE_NOT_FOUND"]
            assert await left(stack) == []
            assert [await deletions(stack, name) for name in names] == [1] * 4
