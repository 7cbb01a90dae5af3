import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from service.app import credentials as credentials_app
from service.app.credentials import Credentials, ensure_admin_key, new_secret
from service.domain.caller import Scope
from service.domain.errors import ArgumentError, CredentialsInvalidError
from service.telemetry import Telemetry
from tests.support.stack import Refused, Stack, listening, open_stack


async def refusal(stack: Stack, secret: str) -> str:
    with pytest.raises(Refused) as refused:
        await stack.call("DirectorySync/GetServerInfo", secret)
    assert refused.value.reason == "CREDENTIALS_INVALID"
    return refused.value.text


async def token(stack: Stack, directory_id: str, **fields: Any) -> Any:
    return await stack.call("DirectoryAdmin/CreateDirectoryToken", directory_id=directory_id, **fields)


async def tokens(stack: Stack, directory_id: str) -> Any:
    return (await stack.call("DirectoryAdmin/ListDirectoryTokens", directory_id=directory_id)).tokens


async def test_every_bad_credential_is_refused_in_the_same_words(stack: Stack) -> None:
    organization = await stack.organization()
    revoked = await stack.directory(organization.id)
    await stack.call("DirectoryAdmin/RevokeDirectoryToken", directory_id=revoked.directory.id, id=revoked.token.id)
    expired = await token(stack, revoked.directory.id, expire_time=stack.time.clock().now() + timedelta(seconds=1))
    deleted = await stack.directory(organization.id)
    await stack.call("DirectoryAdmin/DeleteDirectory", id=deleted.directory.id)
    key = await stack.call("DirectoryAdmin/CreateApiKey", name="k", scopes=["read"])
    await stack.call("DirectoryAdmin/RevokeApiKey", id=key.api_key.id)
    stack.time.forward(1)
    secrets = [revoked.secret, expired.secret, deleted.secret, key.secret]
    secrets += [new_secret("sk_"), new_secret("dst_"), "sk_short", "nonsense", "dst_" + "é" * 43, "sk_" + "a" * 5000]
    assert len({await refusal(stack, secret) for secret in secrets}) == 1


async def test_a_good_credential_is_cached_and_its_expiry_is_not(stack: Stack) -> None:
    made = await stack.directory()
    extra = await token(stack, made.directory.id, expire_time=stack.time.clock().now() + timedelta(seconds=3))
    caller = await stack.credentials.authenticate(extra.secret)
    assert caller.scopes == {Scope.PROVISION}
    assert (caller.id, caller.directory_ids) == (extra.token.id, {made.directory.id})
    # What the database says now is asked again only when the entry is old.
    await stack.pool.execute("UPDATE directory_token SET revoked_at = now()")
    stack.time.forward(2)
    assert await stack.credentials.authenticate(extra.secret) == caller
    stack.time.forward(1)
    with pytest.raises(CredentialsInvalidError):
        await stack.credentials.authenticate(extra.secret)
    with pytest.raises(CredentialsInvalidError):
        await stack.credentials.authenticate(made.secret)


async def test_a_cached_credential_ends_within_seconds_even_unheard(stack: Stack) -> None:
    made = await stack.directory()
    await stack.credentials.authenticate(made.secret)
    await stack.pool.execute("UPDATE directory_token SET revoked_at = now()")
    stack.time.forward(5)
    with pytest.raises(CredentialsInvalidError):
        await stack.credentials.authenticate(made.secret)


async def test_revocation_is_at_once_here_and_heard_elsewhere(stack: Stack, database_url: str) -> None:
    made = await stack.directory()
    async with open_stack(database_url, stack.time) as other, listening(other) as heard:
        for process in (stack, other):
            await process.credentials.authenticate(made.secret)
        fields = {"directory_id": made.directory.id, "id": made.token.id}
        await stack.call("DirectoryAdmin/RevokeDirectoryToken", **fields)
        with pytest.raises(CredentialsInvalidError):
            await stack.credentials.authenticate(made.secret)
        async with asyncio.timeout(10):
            while frozenset({made.token.id}) not in heard:
                await asyncio.sleep(0.01)
        with pytest.raises(CredentialsInvalidError):
            await other.credentials.authenticate(made.secret)


async def test_a_lost_listener_comes_back_and_trusts_nothing_meanwhile(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials_app, "_RECONNECT_SECONDS", 0.01)
    monkeypatch.setattr("service.storage.credentials._PING_SECONDS", 0.05)
    async with asyncio.timeout(20), listening(stack) as heard:
        made = await stack.directory()
        await stack.credentials.authenticate(made.secret)
        await stack.pool.execute("UPDATE directory_token SET revoked_at = now()")
        heard.clear()
        await stack.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query NOT LIKE '%pg_terminate%'"
            " AND pid <> pg_backend_pid() AND (query ILIKE 'listen%' OR query = 'SELECT')"
        )
        # Once for the loss, once for the new connection.
        while heard.count(None) < 2:
            await asyncio.sleep(0.01)
        with pytest.raises(CredentialsInvalidError):
            await stack.credentials.authenticate(made.secret)


async def test_a_flood_of_bad_secrets_costs_few_queries(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    queries: list[int] = []
    load = credentials_app.table.by_digest

    async def counted(pool: Any, digests: Any, now: Any) -> Any:
        queries.append(len(digests))
        await asyncio.sleep(0.01)
        return await load(pool, digests, now)

    monkeypatch.setattr(credentials_app.table, "by_digest", counted)
    good = (await stack.directory()).secret
    bad = [new_secret("dst_") for _ in range(300)]
    answers = await asyncio.gather(
        *(stack.credentials.authenticate(secret) for secret in [*bad, good] * 3), return_exceptions=True
    )
    assert sum(isinstance(answer, CredentialsInvalidError) for answer in answers) == 900
    assert len(queries) <= 3
    # Bad ones are remembered as such, and do not push out good ones.
    await asyncio.gather(*(stack.credentials.authenticate(secret) for secret in bad), return_exceptions=True)
    await stack.credentials.authenticate(good)
    assert len(queries) <= 3


async def test_a_lost_database_is_no_bad_credential(stack: Stack, database_url: str) -> None:
    pool: Any = await asyncpg.create_pool(database_url, min_size=1, max_size=1)
    credentials = Credentials(pool, database_url, stack.time.clock(), Telemetry())
    await pool.close()
    with pytest.raises(asyncpg.InterfaceError):
        await credentials.authenticate(new_secret("sk_"))


async def test_last_use_is_noted_once_a_minute(stack: Stack) -> None:
    made = await stack.directory()
    key = await stack.call("DirectoryAdmin/CreateApiKey", name="k", scopes=["read"])

    async def use() -> tuple[int, int]:
        for _ in range(3):
            await stack.credentials.authenticate(made.secret)
            await stack.call("DirectorySync/ListDirectories", key.secret)
        await stack.credentials.flush()
        (used,) = await tokens(stack, made.directory.id)
        keys = (await stack.call("DirectoryAdmin/ListApiKeys")).api_keys
        return used.last_use_time.seconds, next(k for k in keys if k.id == key.api_key.id).last_use_time.seconds

    assert not (await tokens(stack, made.directory.id))[0].HasField("last_use_time")
    first = await use()
    now = int(stack.time.clock().now().timestamp())
    assert first == (now, now)
    stack.time.forward(30)
    assert await use() == first
    stack.time.forward(40)
    assert await use() == (now + 70, now + 70)


async def test_still_valid_follows_revocation_and_expiry(stack: Stack) -> None:
    made = await stack.directory()
    extra = await token(stack, made.directory.id, expire_time=stack.time.clock().now() + timedelta(seconds=60))
    key = await stack.call("DirectoryAdmin/CreateApiKey", name="k", scopes=["watch"])
    callers = [await stack.credentials.authenticate(secret) for secret in (made.secret, extra.secret, key.secret)]
    assert [await stack.credentials.still_valid(caller) for caller in callers] == [True] * 3
    await stack.call("DirectoryAdmin/RevokeApiKey", id=key.api_key.id)
    stack.time.forward(60)
    assert [await stack.credentials.still_valid(caller) for caller in callers] == [True, False, False]
    await stack.call("DirectoryAdmin/DeleteDirectory", id=made.directory.id)
    assert not await stack.credentials.still_valid(callers[0])


async def test_tokens_are_listed_oldest_first_without_secrets(stack: Stack) -> None:
    made = await stack.directory()
    later = stack.time.clock().now() + timedelta(days=1)
    extra = await token(stack, made.directory.id, expire_time=later)
    listed = await tokens(stack, made.directory.id)
    assert list(listed) == [made.token, extra.token]
    assert listed[1].expire_time.ToDatetime(tzinfo=later.tzinfo) == later
    assert (extra.token.suffix, extra.token.directory_id) == (extra.secret[-4:], made.directory.id)
    types = [event.type for event in await stack.events(made.directory.id)]
    assert types == ["dsync.token.created"] * 2


async def test_a_token_is_revoked_once(stack: Stack) -> None:
    made = await stack.directory()
    fields = {"directory_id": made.directory.id, "id": made.token.id}
    first = (await stack.call("DirectoryAdmin/RevokeDirectoryToken", **fields)).token
    stack.time.forward(10)
    again = (await stack.call("DirectoryAdmin/RevokeDirectoryToken", **fields)).token
    assert first == again
    assert first.HasField("revoke_time")
    events = await stack.events(made.directory.id)
    assert [event.type for event in events] == ["dsync.token.created", "dsync.token.revoked"]
    assert events[1].token == first


async def test_a_token_is_revoked_in_its_own_directory(stack: Stack) -> None:
    mine, other = await stack.directory(), await stack.directory()
    with pytest.raises(Refused) as refused:
        await stack.call("DirectoryAdmin/RevokeDirectoryToken", directory_id=mine.directory.id, id=other.token.id)
    assert refused.value.reason == "RESOURCE_NOT_FOUND"
    await stack.credentials.authenticate(other.secret)


async def test_a_directory_has_a_hundred_live_tokens_at_most(stack: Stack) -> None:
    made = await stack.directory()
    extra = [await token(stack, made.directory.id) for _ in range(99)]
    with pytest.raises(Refused) as refused:
        await token(stack, made.directory.id)
    assert (refused.value.reason, refused.value.metadata) == ("LIMIT_EXCEEDED", {"limit": "directory_tokens"})
    await stack.call("DirectoryAdmin/RevokeDirectoryToken", directory_id=made.directory.id, id=extra[4].token.id)
    newest = await token(stack, made.directory.id)
    listed = await tokens(stack, made.directory.id)
    assert len(listed) == 100
    assert extra[4].token.id not in {kept.id for kept in listed}
    assert listed[-1].id == newest.token.id


async def test_credentials_cannot_be_made_ended(stack: Stack) -> None:
    made = await stack.directory()
    past = stack.time.clock().now()
    for name, fields in (
        ("DirectoryAdmin/CreateDirectoryToken", {"directory_id": made.directory.id}),
        ("DirectoryAdmin/CreateApiKey", {"name": "k", "scopes": ["read"]}),
    ):
        with pytest.raises(Refused) as refused:
            await stack.call(name, **fields, expire_time=past)
        assert refused.value.metadata == {"field": "expire_time"}


async def test_an_api_key_does_what_it_was_made_for(stack: Stack) -> None:
    made = await stack.directory()
    for scope, allowed in (("read", True), ("watch", False), ("provision", False), ("admin", True)):
        secret = await stack.key(scope)
        if allowed:
            await stack.call("DirectorySync/GetDirectory", secret, id=made.directory.id)
            continue
        with pytest.raises(Refused) as refused:
            await stack.call("DirectorySync/GetDirectory", secret, id=made.directory.id)
        assert (refused.value.reason, refused.value.metadata) == ("SCOPE_MISSING", {"scope": "read"})
    # A directory's token is for its provider: it looks nothing up and administers nothing.
    for name in ("DirectorySync/ListDirectories", "DirectoryAdmin/ListApiKeys"):
        with pytest.raises(Refused) as refused:
            await stack.call(name, made.secret)
        assert refused.value.reason == "SCOPE_MISSING"


async def test_api_keys_are_listed_and_revoked(stack: Stack) -> None:
    organization = await stack.organization()
    made = await stack.call(
        "DirectoryAdmin/CreateApiKey", name="App", scopes=["watch", "read", "read"], organization_ids=[organization.id]
    )
    assert made.secret.startswith("sk_")
    assert (len(made.secret), made.api_key.suffix) == (46, made.secret[-4:])
    assert list(made.api_key.scopes) == ["read", "watch"]
    first = await stack.call("DirectoryAdmin/ListApiKeys", page_size=1)
    rest = await stack.call("DirectoryAdmin/ListApiKeys", page_token=first.next_page_token)
    assert [key.name for key in (*first.api_keys, *rest.api_keys)] == ["admin", "App"]
    assert rest.api_keys[0] == made.api_key
    revoked = (await stack.call("DirectoryAdmin/RevokeApiKey", id=made.api_key.id)).api_key
    stack.time.forward(5)
    assert (await stack.call("DirectoryAdmin/RevokeApiKey", id=made.api_key.id)).api_key == revoked
    with pytest.raises(Refused) as refused:
        await stack.call("DirectoryAdmin/RevokeApiKey", id="api_key_none")
    assert refused.value.reason == "RESOURCE_NOT_FOUND"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "", "scopes": ["read"]}, "name"),
        ({"name": "k"}, "scopes"),
        ({"name": "k", "scopes": ["read", "everything"]}, "scopes"),
        ({"name": "k", "scopes": ["setup"]}, "scopes"),
        ({"name": "k", "scopes": ["read"], "organization_ids": ["org_none"]}, "organization_ids"),
        ({"name": "k", "scopes": ["read"], "directory_ids": ["directory_none"]}, "directory_ids"),
        ({"name": "k", "scopes": ["read"], "directory_ids": [""]}, "directory_ids"),
        ({"name": "k", "scopes": ["read"], "directory_ids": [f"d{n}" for n in range(101)]}, "directory_ids"),
    ],
)
async def test_what_an_api_key_cannot_be(stack: Stack, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        await stack.call("DirectoryAdmin/CreateApiKey", **fields)
    assert (refused.value.reason, refused.value.metadata) == ("ARGUMENT_INVALID", {"field": field})


async def test_bounded_administrators_handle_no_api_keys(stack: Stack) -> None:
    organization = await stack.organization()
    made = await stack.directory(organization.id)
    for secret in (
        await stack.key("admin", organizations=[organization.id]),
        await stack.key("admin", directories=[made.directory.id]),
    ):
        for name, fields in (
            ("CreateApiKey", {"name": "wider", "scopes": ["admin"]}),
            ("CreateApiKey", {"name": "same", "scopes": ["read"], "directory_ids": [made.directory.id]}),
            ("ListApiKeys", {}),
            ("RevokeApiKey", {"id": "api_key_1"}),
        ):
            with pytest.raises(Refused) as refused:
                await stack.call(f"DirectoryAdmin/{name}", secret, **fields)
            assert refused.value.reason == "SCOPE_MISSING"


async def test_the_first_admin_key_is_made_once(stack: Stack) -> None:
    secret = new_secret("sk_")
    async with stack.pool.acquire() as connection:
        made: list[Any] = [
            await ensure_admin_key(connection, secret, new_ids=stack.new_ids, clock=stack.time.clock())  # type: ignore[arg-type]
            for _ in range(2)
        ]
        for bad in ("secret", "dst_" + "a" * 43, ""):
            with pytest.raises(ArgumentError):
                await ensure_admin_key(connection, bad, new_ids=stack.new_ids, clock=stack.time.clock())  # type: ignore[arg-type]
    assert made[0] == made[1]
    await stack.call("DirectoryAdmin/ListApiKeys", secret)
    await stack.call("DirectoryAdmin/RevokeApiKey", id=made[0].id)
    async with stack.pool.acquire() as connection:
        again = await ensure_admin_key(connection, secret, new_ids=stack.new_ids, clock=stack.time.clock())  # type: ignore[arg-type]
    assert again.revoked_at is not None


async def test_secrets_are_not_stored(stack: Stack) -> None:
    made = await stack.directory()
    for table in ("directory_token", "api_key", "event"):
        for row in await stack.pool.fetch(f"SELECT t::text AS text FROM {table} t"):
            assert made.secret not in row["text"]
            assert made.secret.encode().hex() not in row["text"]


async def test_an_api_key_for_dispatchers_and_one_that_sees_memberships_move(stack: Stack) -> None:
    made = await stack.call(
        "DirectoryAdmin/CreateApiKey", name="k", scopes=["deliver", "read"], membership_update_time=True
    )
    assert (list(made.api_key.scopes), made.api_key.membership_update_time) == (["read", "deliver"], True)
    assert (await stack.call("DirectoryAdmin/ListApiKeys")).api_keys[-1] == made.api_key
    caller = await stack.credentials.authenticate(made.secret)
    assert (caller.scopes, caller.membership_update_time) == ({Scope.READ, Scope.DELIVER}, True)
    assert not (await stack.credentials.authenticate(await stack.key("read"))).membership_update_time
