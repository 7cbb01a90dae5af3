"""Calls with an idempotency key are carried out once: also side by side, also when the process dies between."""

import asyncio
import hashlib
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from service.app import idempotency as idempotency_app
from service.app.idempotency import Idempotency
from service.rpc.idempotency import answered_once
from service.storage.transaction import transaction
from service.telemetry import Telemetry
from tests.support.stack import Refused, Stack, open_stack

KEY = {"idempotency-key": "b5f0a4c2-5d0c-4f51-9a57-3a9f9f6d0b11"}


async def organizations(stack: Stack) -> list[str]:
    listed = (await stack.call("DirectoryAdmin/ListOrganizations")).organizations
    return [organization.name for organization in listed]


async def claims(stack: Stack) -> int:
    return int(await stack.pool.fetchval("SELECT count(*) FROM idempotent_call"))


async def test_a_repeated_call_answers_what_it_answered(stack: Stack) -> None:
    organization = await stack.organization()
    directory = {"organization_id": organization.id, "name": "HR"}
    made = await stack.call_with(KEY, "DirectoryAdmin/CreateDirectory", **directory)
    stack.time.forward(3600)
    again = await stack.call_with(KEY, "DirectoryAdmin/CreateDirectory", **directory)
    assert again == made
    await stack.credentials.authenticate(again.secret)
    assert [event.type for event in await stack.events(made.directory.id)] == ["dsync.token.created"]
    assert len((await stack.call("DirectorySync/ListDirectories")).directories) == 1


@pytest.mark.parametrize("name", ["CreateOrganization", "CreateApiKey", "CreateDirectoryToken", "CreatePortalLink"])
async def test_whatever_is_made_is_made_once(stack: Stack, name: str) -> None:
    directory = (await stack.directory()).directory
    fields: dict[str, Any] = {
        "CreateOrganization": {"name": "A", "metadata": {f"k{n}": "v" for n in range(20)}},
        "CreateApiKey": {"name": "k", "scopes": ["read"], "organization_ids": [directory.organization_id]},
        "CreateDirectoryToken": {"directory_id": directory.id},
        "CreatePortalLink": {"organization_id": directory.organization_id, "intent": "dsync"},
    }[name]
    first = await stack.call_with(KEY, f"DirectoryAdmin/{name}", **fields)
    if "metadata" in fields:
        # The order in which a map was filled is no difference.
        fields["metadata"] = dict(reversed(fields["metadata"].items()))
    assert await stack.call_with(KEY, f"DirectoryAdmin/{name}", **fields) == first


async def test_a_key_is_for_one_request_of_one_caller(stack: Stack) -> None:
    await stack.call_with(KEY, "DirectoryAdmin/CreateOrganization", name="A")
    for name, fields in (
        ("DirectoryAdmin/CreateOrganization", {"name": "B"}),
        ("DirectoryAdmin/CreateApiKey", {"name": "A", "scopes": ["read"]}),
    ):
        with pytest.raises(Refused) as refused:
            await stack.call_with(KEY, name, **fields)
        assert (refused.value.reason, refused.value.code.name) == ("IDEMPOTENCY_KEY_REUSED", "INVALID_ARGUMENT")
    await stack.call_with(KEY, "DirectoryAdmin/CreateOrganization", await stack.key("admin"), name="A")
    assert await organizations(stack) == ["A", "A"]


async def test_calls_that_make_nothing_pass_over_the_key(stack: Stack) -> None:
    first, second = await stack.organization("A"), await stack.organization("B")
    for organization in (first, second):
        await stack.call_with(KEY, "DirectoryAdmin/DeleteOrganization", id=organization.id)
    assert await claims(stack) == 0


@pytest.mark.parametrize("key", ["", "k" * 256, "schl\u00fcssel", "a\nb", "\x7f"])
async def test_what_is_no_key(stack: Stack, key: str) -> None:
    with pytest.raises(Refused) as refused:
        await stack.call_with({"idempotency-key": key}, "DirectoryAdmin/CreateOrganization", name="A")
    assert (refused.value.reason, refused.value.metadata) == ("ARGUMENT_INVALID", {"field": "idempotency-key"})
    assert await organizations(stack) == []


async def test_a_key_may_be_anything_printable(stack: Stack) -> None:
    for key in ("k", "k" * 255, "a b~!"):
        await stack.call_with({"idempotency-key": key}, "DirectoryAdmin/CreateOrganization", name="A")
    assert len(await organizations(stack)) == 3


async def test_an_error_is_no_answer(stack: Stack) -> None:
    await stack.organization("Taken", external_id="x")
    fields = {"name": "A", "external_id": "x"}
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            await stack.call_with(KEY, "DirectoryAdmin/CreateOrganization", **fields)
        assert refused.value.reason == "UNIQUENESS"
    assert await claims(stack) == 0
    await stack.call_with(KEY, "DirectoryAdmin/CreateOrganization", name="A", external_id="y")


async def test_side_by_side_one_makes_it_and_all_are_told(stack: Stack, database_url: str) -> None:
    async with open_stack(database_url, stack.time) as other:
        # Two processes share an admin key; each has more calls than connections.
        calls = [
            process.call_with(KEY, "DirectoryAdmin/CreateOrganization", stack.admin, name="A")
            for process in (stack, other) * 10
        ]
        answers = await asyncio.gather(*calls)
    assert len({answer.organization.id for answer in answers}) == 1
    assert await organizations(stack) == ["A"]


async def test_calls_that_read_on_the_way_do_not_starve_each_other(stack: Stack) -> None:
    directory = (await stack.directory()).directory
    async with asyncio.timeout(20):
        made = await asyncio.gather(
            *(
                stack.call_with({"idempotency-key": f"k{n}"}, "DirectoryAdmin/CreateDirectoryToken", **fields)
                for n in range(30)
                for fields in [{"directory_id": directory.id}]
            )
        )
    assert len({answer.token.id for answer in made}) == 30


async def test_who_waits_too_long_is_told_to_try_again(stack: Stack, database_url: str) -> None:
    caller = await stack.credentials.authenticate(stack.admin)
    # Connections of the pool keep their settings; patience is cut short in all of them.
    held = [await stack.pool.acquire() for _ in range(4)]
    for connection in held:
        await connection.execute("SET lock_timeout = '50ms'")
        await stack.pool.release(connection)
    blocker = await asyncpg.connect(database_url)
    async with blocker.transaction():
        key = hashlib.sha256(KEY["idempotency-key"].encode()).digest()
        await blocker.execute("INSERT INTO idempotent_call VALUES ($1, $2, '', '', now())", caller.id, key)
        with pytest.raises(Refused) as refused:
            await stack.call_with(KEY, "DirectoryAdmin/CreateOrganization", name="A")
        assert refused.value.reason == "OVERLOADED"
        await blocker.execute("DELETE FROM idempotent_call")
    await blocker.close()
    await stack.call_with(KEY, "DirectoryAdmin/CreateOrganization", name="A")
    assert await organizations(stack) == ["A"]


async def test_a_crash_between_effect_and_answer_leaves_neither(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = idempotency_app.table.answer

    async def killed(connection: Any, *rest: Any) -> None:
        # The effect is written, the answer is not: the server's end of the connection dies here.
        assert await connection.fetchval("SELECT count(*) FROM organization") == 1
        pid = await connection.fetchval("SELECT pg_backend_pid()")
        await stack.pool.execute("SELECT pg_terminate_backend($1)", pid)
        await answer(connection, *rest)

    monkeypatch.setattr(idempotency_app.table, "answer", killed)
    with pytest.raises(Refused) as refused:
        await stack.call_with(KEY, "DirectoryAdmin/CreateOrganization", name="A")
    assert refused.value.reason == "STORAGE_UNAVAILABLE"
    monkeypatch.undo()
    assert (await organizations(stack), await claims(stack)) == ([], 0)
    made = await stack.call_with(KEY, "DirectoryAdmin/CreateOrganization", name="A")
    assert await stack.call_with(KEY, "DirectoryAdmin/CreateOrganization", name="A") == made
    assert await organizations(stack) == ["A"]


async def test_a_lost_answer_to_commit_is_found_again(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack.idempotency, "_committed", lost)
    with pytest.raises(Refused) as refused:
        await stack.call_with(KEY, "DirectoryAdmin/CreateApiKey", name="k", scopes=["read"])
    assert refused.value.reason == "STORAGE_UNAVAILABLE"
    monkeypatch.undo()
    made = await stack.call_with(KEY, "DirectoryAdmin/CreateApiKey", name="k", scopes=["read"])
    await stack.credentials.authenticate(made.secret)
    assert len((await stack.call("DirectoryAdmin/ListApiKeys")).api_keys) == 2


def lost() -> None:
    raise asyncpg.ConnectionDoesNotExistError


async def test_a_deadline_leaves_nothing(stack: Stack) -> None:
    method = stack.edge.methods["/directorysync.v1.DirectoryAdmin/CreateOrganization"]

    async def slow(request: Any, call: Any) -> Any:
        async with transaction(stack.pool) as connection:
            await connection.execute("INSERT INTO organization VALUES ('org_x', 'A', NULL, now(), now())")
        await asyncio.sleep(30)

    method = once(method, slow, stack.idempotency)
    metadata = {"authorization": f"Bearer {stack.admin}", **KEY}
    with pytest.raises(Exception, match="deadline"):
        await stack.edge.unary(method, method.request(name="A"), metadata, 0.2)
    assert (await organizations(stack), await claims(stack)) == ([], 0)


def once(method: Any, handler: Any, idempotency: Idempotency) -> Any:
    return answered_once([replace(method, unary=handler)], idempotency)[0]


async def test_a_task_that_a_call_leaves_behind_has_its_own_connection(stack: Stack) -> None:
    left: list[asyncio.Task[None]] = []

    async def write() -> None:
        async with transaction(stack.pool) as connection:
            await connection.execute("INSERT INTO organization VALUES ('org_x', 'Left', NULL, now(), now())")

    async def act() -> bytes:
        left.append(asyncio.create_task(write()))
        await asyncio.sleep(0.05)
        return b""

    await stack.idempotency.once("caller", "key", b"", act)
    await asyncio.gather(*left)
    assert await organizations(stack) == ["Left"]


async def test_no_key_and_no_secret_is_stored(stack: Stack) -> None:
    made = await stack.call_with(KEY, "DirectoryAdmin/CreateApiKey", name="k", scopes=["read"])
    (row,) = await stack.pool.fetch("SELECT * FROM idempotent_call")
    for secret in (made.secret, KEY["idempotency-key"]):
        assert secret not in str(dict(row))
        assert secret.encode() not in b"".join(value for value in row.values() if isinstance(value, bytes))


async def test_a_key_ends_after_a_day(stack: Stack) -> None:
    first = await stack.call_with(KEY, "DirectoryAdmin/CreateOrganization", name="A")
    stack.time.forward(86_399)
    assert await stack.call_with(KEY, "DirectoryAdmin/CreateOrganization", name="A") == first
    stack.time.forward(1)
    second = await stack.call_with(KEY, "DirectoryAdmin/CreateOrganization", name="A")
    assert second != first
    assert await stack.call_with(KEY, "DirectoryAdmin/CreateOrganization", name="A") == second


async def test_old_answers_are_forgotten(stack: Stack) -> None:
    await stack.call_with(KEY, "DirectoryAdmin/CreateOrganization", name="A")
    stack.time.forward(40_000)
    await stack.call_with({"idempotency-key": "other"}, "DirectoryAdmin/CreateOrganization", name="A")
    stack.time.forward(46_400)
    idempotency = Idempotency(
        stack.pool, clock=stack.time.clock(), telemetry=Telemetry(), width=1, committed=lambda: None
    )
    running = asyncio.create_task(idempotency.run())
    async with asyncio.timeout(10):
        while await claims(stack) != 1:
            await asyncio.sleep(0.01)
    running.cancel()
