"""Dispatchers over a whole service: with a key over gRPC, as a gateway alone has it; several that share endpoints."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry

from directorysync.v1 import directory_admin_pb2 as admin
from directorysync.v1 import events_pb2
from directorysync.v1 import webhooks_pb2 as pb
from gateway.addresses import AddressPolicy
from gateway.config import networks
from gateway.webhooks.dispatcher import Dispatcher
from gateway.webhooks.settings import WebhookSettings
from tests.integration.webhooks.conftest import World
from tests.support.receiver import HANG, OK, Receiver, receiving

_names = itertools.count()
SETTINGS = WebhookSettings(
    policy=AddressPolicy(allow_http=True, networks=networks("127.0.0.0/8")), total_seconds=2.0, drain_seconds=0.5
)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@asynccontextmanager
async def delivering(channel: Any, **options: Any) -> AsyncIterator[Dispatcher]:
    dispatcher = Dispatcher(channel, SETTINGS, CollectorRegistry(), **options)
    task = asyncio.create_task(dispatcher.run())
    try:
        yield dispatcher
    finally:
        await dispatcher.drain()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def happen(world: World, directory_id: str, count: int) -> None:
    """Each change of the name is an event."""
    for _ in range(count):
        request = admin.UpdateDirectoryRequest(id=directory_id, name=f"HR {next(_names)}")
        await world.call("UpdateDirectory", request)


async def logged(world: World, directory_id: str) -> list[str]:
    rows = await world.pool.fetch("SELECT id FROM event WHERE directory_id = $1 ORDER BY seq", directory_id)
    return [row["id"] for row in rows]


def first_sights(ids: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(ids))


async def tail_arrives(world: World, directory_id: str, receiver: Receiver, path: str, least: int) -> None:
    """The end of the log, in order. An endpoint begins where the log was seen to end, which may be just before what was
    just committed.
    """
    log = await logged(world, directory_id)
    await receiver.until(lambda: log[-1] in receiver.ids(path), 40)
    arrived = first_sights(receiver.ids(path))
    assert len(arrived) >= least
    assert arrived == log[-len(arrived) :]


async def consumers(world: World) -> dict[str, str]:
    found = await world.targets()
    return {target.endpoint.id: target.consumer for target in found.targets}


async def lease(world: World, endpoint: pb.WebhookEndpoint) -> datetime | None:
    """Until when somebody delivers to it; None: nobody does."""
    query = "SELECT lease_until FROM subscription WHERE id = $1"
    return await world.pool.fetchval(query, endpoint.subscription_id)  # type: ignore[no-any-return]


async def test_a_gateway_alone_delivers_with_a_key(world: World, receiver: Receiver) -> None:
    key = (await world.call("CreateApiKey", admin.CreateApiKeyRequest(name="dispatcher", scopes=["deliver"]))).secret
    directory = (await world.directory()).directory
    wanted = events_pb2.EventFilter(types=["dsync.*"], directory_ids=[directory.id])
    made = await world.endpoint(receiver.url("/grpc"), filter=wanted)
    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{world.service.grpc_port}") as channel,
        delivering(channel, api_key=key),
    ):
        await happen(world, directory.id, 12)
        await tail_arrives(world, directory.id, receiver, "/grpc", 12)
    while await lease(world, made) is not None:
        await asyncio.sleep(0.05)


async def test_dispatchers_share_endpoints_and_take_over(world: World, receiver: Receiver) -> None:
    directory = (await world.directory()).directory
    wanted = events_pb2.EventFilter(types=["dsync.*"], directory_ids=[directory.id])
    made = [await world.endpoint(receiver.url(f"/share{number}"), filter=wanted) for number in range(6)]
    hanging = await world.endpoint(receiver.url("/hang"), filter=wanted)
    receiver.answers["/hang"] = HANG
    channel = world.service.dispatch_channel
    async with delivering(channel) as first:
        await happen(world, directory.id, 3)
        await receiver.until(lambda: all(len(receiver.at(f"/share{number}")) >= 3 for number in range(6)))
        assert {(await consumers(world))[one.id] for one in made} == {first.name}
        async with delivering(channel) as second:
            await first.drain()
            await happen(world, directory.id, 3)
            await receiver.until(lambda: all(len(receiver.at(f"/share{number}")) >= 6 for number in range(6)))
            assert {(await consumers(world))[one.id] for one in made} == {second.name}
            receiver.answers["/hang"] = OK
            for path in (*(f"/share{number}" for number in range(6)), "/hang"):
                await tail_arrives(world, directory.id, receiver, path, 6)
    request = pb.ListWebhookDeliveriesRequest(endpoint_id=hanging.id)
    states = {one.state for one in (await world.call("ListWebhookDeliveries", request)).deliveries}
    assert states == {pb.WEBHOOK_DELIVERY_STATE_SUCCEEDED}


async def test_settings_take_effect_while_it_runs(world: World, receiver: Receiver) -> None:
    directory = (await world.directory()).directory
    wanted = events_pb2.EventFilter(types=["dsync.updated"], directory_ids=[directory.id])
    made = await world.endpoint(receiver.url("/before"), filter=wanted)

    async def change(**fields: Any) -> None:
        await world.call("UpdateWebhookEndpoint", pb.UpdateWebhookEndpointRequest(id=made.id, **fields))

    async with delivering(world.service.dispatch_channel):
        await happen(world, directory.id, 1)
        await receiver.until(lambda: len(receiver.at("/before")) == 1)
        await change(enabled=False)
        while await lease(world, made) is not None:
            await asyncio.sleep(0.05)
        await happen(world, directory.id, 2)
        await change(enabled=True, endpoint_url=receiver.url("/after"))
        await receiver.until(lambda: len(receiver.at("/after")) == 2)
        await change(filter=events_pb2.EventFilter(types=["dsync.token.*"], directory_ids=[directory.id]))
        while await lease(world, made) is None:
            await asyncio.sleep(0.05)
        await happen(world, directory.id, 1)
        await world.call("CreateDirectoryToken", admin.CreateDirectoryTokenRequest(directory_id=directory.id))
        await receiver.until(lambda: len(receiver.at("/after")) >= 3)
    kinds = [request.event["event"] for request in receiver.at("/after")]
    assert kinds == ["dsync.updated", "dsync.updated", "dsync.token.created"]
    assert len(receiver.at("/before")) == 1
