"""What could not be understood is counted for each directory, and read by its administrator."""

from datetime import timedelta
from typing import Any

import pytest

from directorysync.v1 import directory_ingest_pb2 as ingest
from service.app.clock import IdSource
from service.app.diagnostics import MAX_KINDS
from service.app.ingest import Ingest
from service.scim.documents import Diagnostic
from service.scim.projection import Projection
from service.scim.schema import GROUP, USER
from tests.integration.commit.conftest import committing
from tests.support.stack import Refused, Stack

USERS, GROUPS = ingest.RESOURCE_TYPE_USER, ingest.RESOURCE_TYPE_GROUP


async def listed(stack: Stack, directory_id: str, secret: str | None = None) -> list[Any]:
    await stack.diagnostics.flush()
    answer = await stack.call("DirectoryAdmin/ListDiagnostics", secret, directory_id=directory_id)
    return list(answer.diagnostics)


async def test_the_same_kind_is_counted_and_the_newest_comes_first(stack: Stack) -> None:
    directory = (await stack.directory()).directory
    start = stack.time.clock().now()
    odd = Diagnostic("hobby", "unknown attribute")
    stack.diagnostics.note(directory.id, "User", [odd, odd], "req_a")
    await stack.diagnostics.flush()
    stack.time.forward(5)
    stack.diagnostics.note(directory.id, "Group", [Diagnostic("members[3]", "no usable id")], "req_b")
    stack.time.forward(5)
    stack.diagnostics.note(directory.id, "User", [odd], "req_c")
    stack.diagnostics.note(directory.id, "User", [odd], "req_d")
    first, second = await listed(stack, directory.id)
    assert (first.resource_type, first.path, first.reason) == (USERS, "hobby", "unknown attribute")
    assert (first.count, first.last_request_id) == (3, "req_d")
    assert first.first_seen_time.seconds == int(start.timestamp())
    assert first.last_seen_time.seconds == int((start + timedelta(seconds=10)).timestamp())
    assert (second.resource_type, second.path, second.count) == (GROUPS, "members", 1)


async def test_those_seen_last_are_kept(stack: Stack) -> None:
    directory, other = (await stack.directory()).directory, (await stack.directory()).directory
    stack.diagnostics.note(other.id, "User", [Diagnostic("mine", "r")], "req")
    for number in range(MAX_KINDS + 10):
        stack.diagnostics.note(directory.id, "User", [Diagnostic(f"a{number}", "r")], "req")
        stack.time.forward(1)
    kept = [found.path for found in await listed(stack, directory.id)]
    assert kept == [f"a{number}" for number in reversed(range(10, MAX_KINDS + 10))]
    assert await stack.pool.fetchval("SELECT count(*) FROM directory_diagnostic") == MAX_KINDS + 1
    assert [found.path for found in await listed(stack, other.id)] == ["mine"]


async def test_a_deleted_directory_leaves_nothing(stack: Stack) -> None:
    directory = (await stack.directory()).directory
    stack.diagnostics.note(directory.id, "User", [Diagnostic("a", "r")], "req")
    await stack.diagnostics.flush()
    stack.diagnostics.note(directory.id, "User", [Diagnostic("b", "r")], "req")
    await stack.call("DirectoryAdmin/DeleteDirectory", id=directory.id)
    await stack.diagnostics.flush()
    assert await stack.pool.fetchval("SELECT count(*) FROM directory_diagnostic") == 0


async def test_only_who_reaches_the_directory_may_read(stack: Stack) -> None:
    directory, other = (await stack.directory()).directory, (await stack.directory()).directory
    reader = await stack.key("read", directories=[directory.id])
    stranger = await stack.key("admin", directories=[other.id])
    for secret, reason in ((reader, "SCOPE_MISSING"), (stranger, "RESOURCE_NOT_FOUND")):
        with pytest.raises(Refused) as refused:
            await listed(stack, directory.id, secret)
        assert refused.value.reason == reason


async def test_writes_report_what_they_held(stack: Stack, database_url: str) -> None:
    async with committing(database_url) as committed:
        await committed.make("d1")
        directory = committed.known["d1"]
        one = Ingest(stack.pool, committed.committer, IdSource(stack.time.clock()), stack.diagnostics)
        everything = Projection()
        user = await one.create(directory, USER, '{"userName": "ada", "hobby": "secret"}', everything, "req_post")
        await one.patch(
            directory,
            USER,
            user.outcome.entity.id,
            text='{"Operations": [{"op": "replace", "path": "shoe", "value": "secret"}]}',
            if_match=(),
            projection=everything,
            request_id="req_patch",
            document_wanted=False,
        )
        await one.create(
            directory, GROUP, '{"displayName": "g", "members": [{"x": "secret"}]}', everything, "req_group"
        )
    await stack.diagnostics.flush()
    rows = await stack.pool.fetch("SELECT * FROM directory_diagnostic WHERE directory_id = $1", directory.id)
    assert {(row["resource_type"], row["path"], row["last_request_id"]) for row in rows} == {
        ("User", "hobby", "req_post"),
        ("User", "shoe", "req_patch"),
        ("Group", "members", "req_group"),
    }
    assert not any("secret" in str(row) for row in rows)
