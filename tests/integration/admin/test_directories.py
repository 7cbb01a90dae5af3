import asyncio
import json
from typing import Any

import pytest

from directorysync.v1 import directory_ingest_pb2, resources_pb2
from service.app import directories as directories_app
from service.domain.caller import Caller, Scope
from service.domain.errors import CredentialsInvalidError, DirectoryDisabledError
from service.rpc.edge import Call
from tests.support.stack import Refused, Stack, open_stack

UNLINKED, LINKED, DISABLED, DELETED = (
    resources_pb2.DIRECTORY_STATE_UNLINKED,
    resources_pb2.DIRECTORY_STATE_LINKED,
    resources_pb2.DIRECTORY_STATE_DISABLED,
    resources_pb2.DIRECTORY_STATE_DELETED,
)


async def admit(stack: Stack, secret: str, directory: str, *, write: bool = False) -> object:
    caller = await stack.credentials.authenticate(secret)
    context = directory_ingest_pb2.IngestContext(directory=directory)
    return await stack.scope.admit(context, Call(caller, "req_1", None), write=write)


async def state_of(stack: Stack, directory_id: str) -> object:
    return (await stack.call("DirectorySync/GetDirectory", id=directory_id)).directory.state


async def test_a_new_directory_has_a_key_a_token_and_one_event(stack: Stack) -> None:
    organization = await stack.organization()
    made = await stack.directory(organization.id, name="Müller & Söhne", provider="okta")
    assert made.directory.state == UNLINKED
    assert made.directory.organization_id == organization.id
    assert len(made.directory.scim_key) >= 22
    # Okta refuses base URLs with an underscore.
    assert made.directory.scim_key.isalnum()
    assert made.secret.startswith("dst_")
    assert len(made.secret) == 4 + 43
    assert made.token.suffix == made.secret[-4:]
    (event,) = await stack.events(made.directory.id)
    assert (event.type, event.directory_sequence, event.token.id) == ("dsync.token.created", 1, made.token.id)
    assert event.transaction_end
    found = (await stack.call("DirectorySync/GetDirectory", id=made.directory.id)).directory
    assert found == made.directory
    assert stack.commits == [1]


async def test_provider_is_generic_unless_named(stack: Stack) -> None:
    assert (await stack.directory()).directory.provider == "generic"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "a" * 257}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "HR", "provider": "Okta"}, "provider"),
        ({"name": "HR", "provider": "a" * 65}, "provider"),
        ({"name": "HR", "provider": "a b"}, "provider"),
        ({"name": "HR", "organization_id": "x\0"}, "organization_id"),
    ],
)
async def test_what_a_directory_may_not_be_called(stack: Stack, fields: dict[str, str], field: str) -> None:
    organization = await stack.organization()
    with pytest.raises(Refused) as refused:
        await stack.call("DirectoryAdmin/CreateDirectory", **{"organization_id": organization.id, **fields})
    assert refused.value.reason == "ARGUMENT_INVALID"
    assert refused.value.metadata == {"field": field}


async def test_a_directory_needs_an_organization(stack: Stack) -> None:
    for organization_id, reason in (("org_none", "RESOURCE_NOT_FOUND"), ("", "ARGUMENT_INVALID")):
        with pytest.raises(Refused) as refused:
            await stack.call("DirectoryAdmin/CreateDirectory", organization_id=organization_id, name="HR")
        assert refused.value.reason == reason


async def test_update_changes_what_is_set_and_nothing_else(stack: Stack) -> None:
    directory = (await stack.directory(name="Old", provider="okta")).directory
    stack.time.forward(5)
    updated = (await stack.call("DirectoryAdmin/UpdateDirectory", id=directory.id, name="New")).directory
    assert (updated.name, updated.provider, updated.state) == ("New", "okta", UNLINKED)
    assert updated.sequence == 2
    assert updated.update_time.seconds == directory.update_time.seconds + 5
    stack.time.forward(5)
    again = (await stack.call("DirectoryAdmin/UpdateDirectory", id=directory.id, name="New")).directory
    assert again == updated
    assert (await stack.call("DirectorySync/GetDirectory", id=directory.id)).directory == updated


async def test_settings_are_announced_with_their_old_values(stack: Stack) -> None:
    directory = (await stack.directory(name="Old", provider="okta")).directory

    async def update(**fields: Any) -> Any:
        made = await stack.call("DirectoryAdmin/UpdateDirectory", id=directory.id, **fields)
        assert (await stack.call("DirectorySync/GetDirectory", id=directory.id)).directory == made.directory
        return made.directory

    await update(name="Old", provider="okta", disabled=False, policy={"deactivation": resources_pb2.DEACTIVATION_KEEP})
    assert [event.type for event in await stack.events(directory.id)] == ["dsync.token.created"]
    await update(name="New", provider="entra")
    await update(policy={"deactivation": resources_pb2.DEACTIVATION_DELETE, "unique_group_names": False})
    await update(disabled=True)
    await update(disabled=True)
    last = await update(name="Newer", disabled=False)
    events = (await stack.events(directory.id))[1:]
    policy = {
        "deactivation": "keep",
        "announce_on_reactivation": False,
        "unique_group_names": None,
        "unique_emails": False,
    }
    assert [(event.type, json.loads(event.previous_attributes_json or "null")) for event in events] == [
        ("dsync.updated", {"name": "Old", "provider": "okta"}),
        ("dsync.updated", {"policy": policy}),
        ("dsync.disabled", None),
        ("dsync.updated", {"name": "New"}),
        ("dsync.restored", None),
    ]
    assert events[0].directory.name == "New"
    assert events[2].directory.state == DISABLED
    assert events[4].directory == last
    # One call, one transaction of the log.
    assert [event.transaction_end for event in events] == [True, True, True, False, True]
    assert events[3].transaction_id == events[4].transaction_id
    assert events[0].request_id
    assert events[0].create_time == events[0].directory.update_time


async def test_who_may_not_reach_a_directory_does_not_wait_for_it(stack: Stack) -> None:
    mine, other = await stack.directory(), await stack.directory()
    secret = await stack.key("admin", directories=[mine.directory.id])
    async with stack.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM directory WHERE id = $1 FOR UPDATE", other.directory.id)
        for name, extra in (
            ("UpdateDirectory", {"id": other.directory.id, "name": "Mine now"}),
            ("DeleteDirectory", {"id": other.directory.id}),
            ("CreateDirectoryToken", {"directory_id": other.directory.id}),
            ("RevokeDirectoryToken", {"directory_id": other.directory.id, "id": other.token.id}),
        ):
            async with asyncio.timeout(5):
                with pytest.raises(Refused) as refused:
                    await stack.call(f"DirectoryAdmin/{name}", secret, **extra)
            assert refused.value.reason == "RESOURCE_NOT_FOUND"
    await stack.call("DirectoryAdmin/UpdateDirectory", id=other.directory.id, name="Still theirs")


async def test_update_refuses_bad_settings_and_unknown_directories(stack: Stack) -> None:
    directory = (await stack.directory()).directory
    for fields in ({"name": ""}, {"provider": "A"}):
        with pytest.raises(Refused) as refused:
            await stack.call("DirectoryAdmin/UpdateDirectory", id=directory.id, **fields)
        assert refused.value.reason == "ARGUMENT_INVALID"
    with pytest.raises(Refused) as refused:
        await stack.call("DirectoryAdmin/UpdateDirectory", id="directory_none", name="x")
    assert refused.value.reason == "RESOURCE_NOT_FOUND"


async def test_the_first_call_of_a_token_links_its_directory(stack: Stack) -> None:
    made = await stack.directory()
    await admit(stack, made.secret, made.directory.scim_key)
    assert await state_of(stack, made.directory.id) == LINKED
    await admit(stack, made.secret, made.directory.id)
    events = await stack.events(made.directory.id)
    assert [(event.type, event.request_id) for event in events[1:]] == [("dsync.activated", "req_1")]
    assert events[1].directory.state == LINKED


async def test_an_administrator_does_not_link_a_directory(stack: Stack) -> None:
    made = await stack.directory()
    await admit(stack, stack.admin, made.directory.id)
    assert await state_of(stack, made.directory.id) == UNLINKED


async def test_many_first_calls_on_two_processes_make_one_event(stack: Stack, database_url: str) -> None:
    made = await stack.directory()
    async with open_stack(database_url, stack.time) as other:
        await asyncio.gather(*(admit(s, made.secret, made.directory.scim_key) for s in (stack, other) * 8))
    types = [event.type for event in await stack.events(made.directory.id)]
    assert types == ["dsync.token.created", "dsync.activated"]


async def test_a_disabled_directory_refuses_writes_and_serves_reads(stack: Stack) -> None:
    made = await stack.directory()
    await admit(stack, made.secret, made.directory.id, write=True)
    updated = await stack.call("DirectoryAdmin/UpdateDirectory", id=made.directory.id, disabled=True)
    assert updated.directory.state == DISABLED
    await admit(stack, made.secret, made.directory.id)
    with pytest.raises(DirectoryDisabledError):
        await admit(stack, made.secret, made.directory.id, write=True)
    await stack.call("DirectoryAdmin/UpdateDirectory", id=made.directory.id, disabled=False)
    await admit(stack, made.secret, made.directory.id, write=True)
    assert await state_of(stack, made.directory.id) == LINKED


async def test_enabling_what_no_provider_reached_leaves_it_unlinked(stack: Stack) -> None:
    made = await stack.directory()
    for disabled in (True, False):
        await stack.call("DirectoryAdmin/UpdateDirectory", id=made.directory.id, disabled=disabled)
    assert await state_of(stack, made.directory.id) == UNLINKED


async def test_delete_leaves_one_event_and_nothing_else(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    # Steps of two rows: more rows than a step, as in a large directory.
    monkeypatch.setattr(directories_app, "_PURGE_ROWS", 2)
    made = await stack.directory()
    users = [await stack.put_user(made.directory, userName=f"u{n}") for n in range(5)]
    for n in range(3):
        await stack.put_group(made.directory, *users, displayName=f"g{n}")
    await admit(stack, made.secret, made.directory.id)
    await stack.call("DirectoryAdmin/DeleteDirectory", id=made.directory.id)
    *_, event = await stack.events(made.directory.id)
    assert [e.type for e in await stack.events(made.directory.id)].count("dsync.deleted") == 1
    assert (event.type, event.directory.state) == ("dsync.deleted", DELETED)
    for table in ("directory_user", "directory_group", "membership", "pending_member"):
        assert await stack.pool.fetchval(f"SELECT count(*) FROM {table}") == 0
    with pytest.raises(CredentialsInvalidError):
        await stack.credentials.authenticate(made.secret)
    for name in ("DirectoryAdmin/DeleteDirectory", "DirectorySync/GetDirectory", "DirectoryAdmin/UpdateDirectory"):
        with pytest.raises(Refused) as refused:
            await stack.call(name, id=made.directory.id)
        assert refused.value.reason == "RESOURCE_NOT_FOUND"
    assert not (await stack.call("DirectorySync/ListDirectories")).directories


async def test_users_of_a_deleted_directory_are_not_found_before_they_are_gone(stack: Stack) -> None:
    made = await stack.directory()
    user = await stack.put_user(made.directory, userName="ada", emails=[{"value": "ada@x.org"}])
    group = await stack.put_group(made.directory, user, displayName="g")
    await stack.pool.execute("UPDATE directory SET state = 'deleted' WHERE id = $1", made.directory.id)
    for name, fields in (
        ("GetUser", {"id": user.id}),
        ("GetUser", {"id": user.id, "directory_id": made.directory.id}),
        ("GetGroup", {"id": group.id}),
        ("ListUsers", {"directory_id": made.directory.id}),
        ("ListGroupMembers", {"group_id": group.id}),
        ("ListUserGroups", {"user_id": user.id}),
    ):
        with pytest.raises(Refused) as refused:
            await stack.call(f"DirectorySync/{name}", **fields)
        assert refused.value.reason == "RESOURCE_NOT_FOUND"
    for key in ({"email": "ada@x.org"}, {"user_name": "ada"}):
        assert not (await stack.call("DirectorySync/LookupUsers", **key)).users
    assert not (await stack.call("DirectorySync/BatchGetUsers", ids=[user.id])).users


async def test_an_interrupted_deletion_is_finished(stack: Stack) -> None:
    made = await stack.directory()
    kept = await stack.directory(name="Kept")
    await stack.put_user(made.directory, userName="ada")
    await stack.put_user(kept.directory, userName="bob")
    await stack.pool.execute("UPDATE directory SET state = 'deleted' WHERE id = $1", made.directory.id)
    running = asyncio.create_task(stack.directories.run())
    async with asyncio.timeout(10):
        while await stack.pool.fetchval("SELECT count(*) FROM directory_user") > 1:
            await asyncio.sleep(0.01)
    running.cancel()
    assert await stack.pool.fetchval("SELECT user_name FROM directory_user") == "bob"


async def test_counts_are_those_of_now(stack: Stack) -> None:
    made = await stack.directory()
    user = await stack.put_user(made.directory, userName="ada")
    await stack.put_user(made.directory, userName="bob", active=False)
    await stack.put_group(made.directory, user, displayName="g")
    found = (await stack.call("DirectorySync/GetDirectory", id=made.directory.id)).directory
    assert (found.user_count, found.group_count) == (2, 1)


async def test_resolve_finds_by_id_and_key_and_forgets_at_once(stack: Stack) -> None:
    directory = (await stack.directory()).directory
    for name in (directory.id, directory.scim_key):
        found = await stack.directories.resolve(name)
        assert found.id == directory.id
    await stack.call("DirectoryAdmin/UpdateDirectory", id=directory.id, name="Renamed")
    assert (await stack.directories.resolve(directory.scim_key)).name == "Renamed"


async def test_a_change_elsewhere_is_heard(stack: Stack, database_url: str) -> None:
    made = await stack.directory()
    async with open_stack(database_url, stack.time) as other:
        listening = asyncio.create_task(other.credentials.run())
        assert (await other.directories.resolve(made.directory.id)).name == "HR"
        async with asyncio.timeout(10):
            name = 0
            while (await other.directories.resolve(made.directory.id)).name == "HR":
                # The listener may not be there yet; each change is announced again.
                name += 1
                await stack.call("DirectoryAdmin/UpdateDirectory", id=made.directory.id, name=f"New {name}")
                await asyncio.sleep(0.05)
        listening.cancel()


async def test_directories_are_listed_in_pages_in_the_order_of_their_making(stack: Stack) -> None:
    organization = await stack.organization()
    other = await stack.organization("Other")
    made = [(await stack.directory(organization.id, name=f"d{n}")).directory for n in range(5)]
    apart = (await stack.directory(other.id)).directory
    seen, token = [], ""
    while True:
        page = await stack.call(
            "DirectorySync/ListDirectories", organization_id=organization.id, page_size=2, page_token=token
        )
        seen += page.directories
        token = page.next_page_token
        assert len(page.directories) <= 2
        if not token:
            break
    assert seen == made
    every = (await stack.call("DirectorySync/ListDirectories")).directories
    assert [directory.id for directory in every] == [*(d.id for d in made), apart.id]


async def test_bounded_callers_see_and_touch_their_own_only(stack: Stack) -> None:
    mine, other = await stack.organization("Mine"), await stack.organization("Other")
    inside, outside = await stack.directory(mine.id), await stack.directory(other.id)
    sibling = await stack.directory(mine.id, name="Sibling")
    by_organization = await stack.key("admin", organizations=[mine.id])
    by_directory = await stack.key("admin", directories=[inside.directory.id])
    listed = (await stack.call("DirectorySync/ListDirectories", by_organization)).directories
    assert {directory.id for directory in listed} == {inside.directory.id, sibling.directory.id}
    listed = (await stack.call("DirectorySync/ListDirectories", by_directory)).directories
    assert {directory.id for directory in listed} == {inside.directory.id}
    assert not (await stack.call("DirectorySync/ListDirectories", by_directory, organization_id=other.id)).directories
    calls = [
        ("DirectorySync/GetDirectory", {"id": outside.directory.id}),
        ("DirectoryAdmin/UpdateDirectory", {"id": outside.directory.id, "name": "Mine now"}),
        ("DirectoryAdmin/DeleteDirectory", {"id": outside.directory.id}),
        ("DirectoryAdmin/CreateDirectoryToken", {"directory_id": outside.directory.id}),
        ("DirectoryAdmin/ListDirectoryTokens", {"directory_id": outside.directory.id}),
        ("DirectoryAdmin/RevokeDirectoryToken", {"directory_id": outside.directory.id, "id": outside.token.id}),
    ]
    for secret in (by_organization, by_directory):
        for name, fields in calls:
            with pytest.raises(Refused) as refused:
                await stack.call(name, secret, **fields)
            assert refused.value.reason == "RESOURCE_NOT_FOUND", name
    assert (await stack.call("DirectorySync/GetDirectory", id=outside.directory.id)).directory == outside.directory
    assert len(await stack.events(outside.directory.id)) == 1


async def test_who_may_make_directories(stack: Stack) -> None:
    mine, other = await stack.organization("Mine"), await stack.organization("Other")
    inside = await stack.directory(mine.id)
    by_organization = await stack.key("admin", organizations=[mine.id])
    by_directory = await stack.key("admin", directories=[inside.directory.id])
    await stack.call("DirectoryAdmin/CreateDirectory", by_organization, organization_id=mine.id, name="More")
    for secret, organization, reason in (
        (by_organization, other, "RESOURCE_NOT_FOUND"),
        (by_directory, mine, "SCOPE_MISSING"),
        (await stack.key("read", "provision", "watch"), mine, "SCOPE_MISSING"),
    ):
        with pytest.raises(Refused) as refused:
            await stack.call("DirectoryAdmin/CreateDirectory", secret, organization_id=organization.id, name="No")
        assert refused.value.reason == reason


async def test_where_a_credential_is_admitted(stack: Stack) -> None:
    mine, other = await stack.directory(), await stack.directory()
    # At another directory's URL a directory token is no credential, known there or not.
    for name in (other.directory.id, other.directory.scim_key, "nothing"):
        with pytest.raises(CredentialsInvalidError):
            await admit(stack, mine.secret, name)
    key = await stack.key("provision", directories=[mine.directory.id])
    await admit(stack, key, mine.directory.id)
    for secret, name in ((key, other.directory.id), (stack.admin, "nothing")):
        with pytest.raises(Exception, match="not found"):
            await admit(stack, secret, name)
    with pytest.raises(Exception, match="provision"):
        await admit(stack, await stack.key("read"), mine.directory.id)
    for name in ("", "x" * 257, "a\0"):
        with pytest.raises(Exception, match=r"needed|not an id"):
            await admit(stack, stack.admin, name)


def test_a_caller_without_bounds_reaches_everything() -> None:
    assert Caller("k", frozenset({Scope.READ})).unbounded
