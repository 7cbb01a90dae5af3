"""A whole service in this process, with what tests of webhooks ask of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Self

import grpc
import pytest

from directorysync.v1 import directory_admin_pb2 as admin
from directorysync.v1 import directory_admin_pb2_grpc, directory_sync_pb2_grpc, events_pb2
from directorysync.v1 import subscriptions_pb2 as subscriptions
from directorysync.v1 import webhooks_pb2 as pb
from gateway.problems import Problem, problem_of
from service.app.credentials import new_secret
from service.bootstrap import Service, ensure_admin_key, running
from service.config import ServiceConfig
from service.storage.database import Pool, open_pool
from tests.support.postgres import Server

EVERYTHING = events_pb2.EventFilter(types=["dsync.*"])


@dataclass
class World:
    """Calls as an administrator and as a dispatcher. What fails raises Problem."""

    service: Service
    pool: Pool
    secret: str

    async def call(self, name: str, request: Any, *, secret: str | None = None, key: str = "") -> Any:
        stub: Any = directory_admin_pb2_grpc.DirectoryAdminStub(self.service.channel)  # type: ignore[arg-type]
        metadata = [("authorization", f"Bearer {secret or self.secret}")]
        if key:
            metadata.append(("idempotency-key", key))
        try:
            return await getattr(stub, name)(request, metadata=metadata)
        except grpc.RpcError as error:
            raise problem_of(error) from None

    async def dispatch(self, name: str, request: Any) -> Any:
        stub: Any = directory_admin_pb2_grpc.DirectoryAdminStub(self.service.dispatch_channel)  # type: ignore[arg-type]
        try:
            return await getattr(stub, name)(request)
        except grpc.RpcError as error:
            raise problem_of(error) from None

    async def endpoint(self, url: str, **fields: Any) -> pb.WebhookEndpoint:
        fields.setdefault("filter", EVERYTHING)
        request = pb.CreateWebhookEndpointRequest(endpoint_url=url, **fields)
        return (await self.call("CreateWebhookEndpoint", request)).endpoint

    async def get(self, endpoint_id: str) -> pb.WebhookEndpoint:
        request = pb.GetWebhookEndpointRequest(id=endpoint_id)
        return (await self.call("GetWebhookEndpoint", request)).endpoint

    async def directory(self) -> admin.CreateDirectoryResponse:
        organization = (
            await self.call("CreateOrganization", admin.CreateOrganizationRequest(name="Acme"))
        ).organization
        request = admin.CreateDirectoryRequest(organization_id=organization.id, name="HR")
        return await self.call("CreateDirectory", request)  # type: ignore[no-any-return]

    async def targets(self, **fields: Any) -> pb.ListWebhookTargetsResponse:
        return await self.dispatch("ListWebhookTargets", pb.ListWebhookTargetsRequest(**fields))  # type: ignore[no-any-return]

    async def record(self, endpoint: pb.WebhookEndpoint, epoch: int, **fields: Any) -> None:
        request = pb.RecordWebhookAttemptsRequest(endpoint_id=endpoint.id, lease_epoch=epoch, **fields)
        await self.dispatch("RecordWebhookAttempts", request)

    def reader(self, endpoint: pb.WebhookEndpoint, **begin: Any) -> "Reader":
        return Reader(self.service, subscriptions.SubscribeBegin(subscription=endpoint.subscription_id, **begin))


class Reader:
    """A dispatcher's Subscribe. Used as a context manager: leaves in order."""

    def __init__(self, service: Service, begin: subscriptions.SubscribeBegin) -> None:
        begin.consumer = begin.consumer or "a dispatcher"
        self._requests: asyncio.Queue[subscriptions.SubscribeRequest | None] = asyncio.Queue()
        self._requests.put_nowait(subscriptions.SubscribeRequest(begin=begin))
        stub: Any = directory_sync_pb2_grpc.DirectorySyncStub(service.dispatch_channel)  # type: ignore[arg-type]
        self._call = stub.Subscribe(self._said())
        self.epoch = 0
        self.cursor = ""

    async def _said(self) -> AsyncIterator[subscriptions.SubscribeRequest]:
        while (request := await self._requests.get()) is not None:
            yield request

    async def __aenter__(self) -> Self:
        first = await self.next()
        self.epoch, self.cursor = first.lease_epoch, first.cursor
        return self

    async def __aexit__(self, *_: object) -> None:
        self._requests.put_nowait(None)
        async with asyncio.timeout(10):
            try:
                async for _message in self._call:
                    pass
            except grpc.RpcError:
                pass

    async def next(self) -> subscriptions.SubscribeResponse:
        try:
            async with asyncio.timeout(10):
                return await anext(self._call)  # type: ignore[no-any-return]
        except grpc.RpcError as error:
            raise problem_of(error) from None

    async def events(self, count: int) -> list[events_pb2.Event]:
        found: list[events_pb2.Event] = []
        while len(found) < count:
            message = await self.next()
            found += message.events
            self.cursor = message.cursor or self.cursor
        return found


@pytest.fixture(scope="module")
async def world(postgres_server: Server, database_template: str) -> AsyncIterator[World]:
    async with postgres_server.database(template=database_template) as url, open_pool(url, 2) as pool:
        secret = new_secret("sk_")
        await ensure_admin_key(url, secret)
        async with running(ServiceConfig(url, grpc_listen="127.0.0.1:0", webhook_allow_http=True)) as service:
            while not await service.ready():
                await asyncio.sleep(0.05)
            yield World(service, pool, secret)


def refused(problem: Problem) -> str:
    """The reason of a refusal."""
    return problem.reason or ""
