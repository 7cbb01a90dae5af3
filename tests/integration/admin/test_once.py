"""In the whole service: what any part of it makes under an idempotency key is made in the transaction of the key."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import grpc
import pytest

from directorysync.v1 import directory_admin_pb2 as admin
from directorysync.v1 import directory_admin_pb2_grpc
from directorysync.v1.directory_sync_pb2 import GetServerInfoRequest
from directorysync.v1.directory_sync_pb2_grpc import DirectorySyncStub
from directorysync.v1.portal_pb2 import CreatePortalLinkRequest
from directorysync.v1.subscriptions_pb2 import CreateSubscriptionRequest
from directorysync.v1.webhooks_pb2 import CreateWebhookEndpointRequest, ReplayWebhookRequest
from service.app import idempotency as idempotency_app
from service.app.credentials import new_secret
from service.bootstrap import Service, ensure_admin_key, running
from service.config import ServiceConfig

TABLES = (
    "organization",
    "directory",
    "directory_token",
    "api_key",
    "portal_link",
    "subscription",
    "webhook_endpoint",
    "webhook_replay",
    "event",
    "idempotent_call",
)


async def lost(*_: object) -> None:
    """The connection, just before the answer is stored."""
    raise OSError


class Caller:
    """An administrator of a service in this process."""

    def __init__(self, service: Service, secret: str) -> None:
        self._stub: Any = directory_admin_pb2_grpc.DirectoryAdminStub(service.channel)  # type: ignore[arg-type]
        self._sync: Any = DirectorySyncStub(service.channel)  # type: ignore[arg-type]
        self._secret = secret
        self.service = service

    async def call(self, name: str, request: Any, key: str = "") -> Any:
        metadata = [("authorization", f"Bearer {self._secret}")]
        if key:
            metadata.append(("idempotency-key", key))
        return await getattr(self._stub, name)(request, metadata=metadata)

    async def alive(self) -> None:
        await self._sync.GetServerInfo(GetServerInfoRequest(), metadata=[("authorization", f"Bearer {self._secret}")])


@pytest.fixture
async def caller(database_url: str) -> AsyncIterator[Caller]:
    secret = new_secret("sk_")
    await ensure_admin_key(database_url, secret)
    config = ServiceConfig(database_url, grpc_listen="127.0.0.1:0", drain_seconds=0, pool_size=2)
    async with running(config) as service:
        yield Caller(service, secret)


async def requests(caller: Caller) -> dict[str, Any]:
    """One request of every method that makes something."""
    organization = (await caller.call("CreateOrganization", admin.CreateOrganizationRequest(name="A"))).organization
    directory = admin.CreateDirectoryRequest(organization_id=organization.id, name="HR")
    made = (await caller.call("CreateDirectory", directory)).directory
    hook = CreateWebhookEndpointRequest(endpoint_url="https://app.example/first", filter={"types": ["dsync.*"]})
    endpoint = (await caller.call("CreateWebhookEndpoint", hook)).endpoint
    return {
        "CreateOrganization": admin.CreateOrganizationRequest(name="B", external_id="b"),
        "CreateDirectory": directory,
        "CreateDirectoryToken": admin.CreateDirectoryTokenRequest(directory_id=made.id),
        "CreateApiKey": admin.CreateApiKeyRequest(name="k", scopes=["read"]),
        "CreatePortalLink": CreatePortalLinkRequest(organization_id=organization.id, intent="dsync"),
        "CreateSubscription": CreateSubscriptionRequest(name="billing"),
        "CreateWebhookEndpoint": CreateWebhookEndpointRequest(
            endpoint_url="https://app.example/second", filter={"types": ["dsync.*"]}
        ),
        "ReplayWebhook": ReplayWebhookRequest(endpoint_id=endpoint.id, test_event_type="dsync.user.created"),
    }


async def counted(url: str) -> dict[str, int]:
    """Rows of every table that administrators write to."""
    connection = await asyncpg.connect(url)
    try:
        return {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}
    finally:
        await connection.close()


async def test_every_method_that_makes_something_is_carried_out_once(
    caller: Caller, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = await requests(caller)
    methods = admin.DESCRIPTOR.services_by_name["DirectoryAdmin"].methods_by_name
    assert set(wanted) == {name for name in methods if name.startswith("Create")} | {"ReplayWebhook"}
    answer = idempotency_app.table.answer
    for name, request in wanted.items():
        key, before = f"key of {name}", await counted(database_url)
        monkeypatch.setattr(idempotency_app.table, "answer", lost)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await caller.call(name, request, key)
        assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
        monkeypatch.setattr(idempotency_app.table, "answer", answer)
        assert await counted(database_url) == before
        first = await caller.call(name, request, key)
        assert await caller.call(name, request, key) == first
        after = await counted(database_url)
        assert after["idempotent_call"] == before["idempotent_call"] + 1
        assert sum(after.values()) > sum(before.values()) + 1
    await caller.alive()
