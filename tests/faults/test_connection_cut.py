"""Connections that break in the middle of what they carry."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.faults.watchers import Poller, Watcher, watching
from tests.support import postgres
from tests.support.proxy import tcp_proxy
from tests.support.server import RunningServe, running_serve
from tests.support.writers import heads_of, make_targets, writing

# Bytes from the service after which a connection breaks: within the greeting, the headers, the first message, and ever
# later ones. A message of the watch below has about 3,000.
PLACES = (10, 60, 150, 400, 1_000, 1_999, 3_000, 4_321, 5_000, 6_000, 7_777, 9_000)
BATCH = 5


@pytest.fixture(scope="module")
async def server(
    postgres_server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningServe]:
    """A server of this module; each test has directories of its own."""
    async with postgres_server.database() as url:
        with running_serve(tmp_path_factory.mktemp("serve"), database_url=url) as running:
            yield running


def ports(server: RunningServe) -> tuple[int, int]:
    return int(server.grpc_address.rpartition(":")[2]), int(server.http_listen.rpartition(":")[2])


async def test_watch_that_is_cut_within_messages_is_complete(server: RunningServe) -> None:
    grpc_port, _ = ports(server)
    async with server.client() as client, tcp_proxy("127.0.0.1", grpc_port) as proxy:
        targets = await make_targets(client, server.http_url, 1)
        async with writing(targets, 4) as writers:
            await writers.progress(30)
        heads = await heads_of(client, targets)
        proxy.allowances += PLACES
        cut = Watcher(server, "a watcher that is cut off", address=proxy.address, batch=BATCH)
        async with watching(cut) as watchers:
            await watchers.until(heads)
            assert not watchers.broken_promises(heads, writers)
        assert not proxy.allowances
        assert proxy.connections > len(PLACES)


async def test_writes_that_are_cut_are_done_once(server: RunningServe) -> None:
    _, http_port = ports(server)
    async with server.client() as client, tcp_proxy("127.0.0.1", http_port) as proxy:
        targets = await make_targets(client, f"http://{proxy.address}", 2)
        async with watching(Watcher(server, "a watcher"), Poller(server, "a poller")) as watchers:
            async with writing(targets, 4) as writers:
                for _ in range(20):
                    await writers.progress(1)
                    proxy.cut()
            heads = await heads_of(client, targets)
            await watchers.until(heads)
            assert not watchers.broken_promises(heads, writers)
            assert not await writers.faults(client)
        assert writers.broken


async def test_watcher_behind_a_dead_network_delays_nobody(server: RunningServe) -> None:
    grpc_port, _ = ports(server)
    async with server.client() as client, tcp_proxy("127.0.0.1", grpc_port) as proxy:
        targets = await make_targets(client, server.http_url, 1)
        directory = targets[0].directory_id
        dead = Watcher(server, "a watcher behind a dead network", [directory], address=proxy.address)
        alive = Watcher(server, "a watcher")
        async with watching(dead) as of_the_dead, watching(alive, Poller(server, "a poller")) as watchers:
            async with writing(targets, 4) as writers:
                await asyncio.gather(writers.progress(5), of_the_dead.progress())
                proxy.stall()
                await writers.progress(30)
            heads = await heads_of(client, targets)
            await watchers.until(heads)
            assert not watchers.broken_promises(heads, writers)
            assert dead.recording.heads[directory] < heads[directory]
            proxy.flow()
            await of_the_dead.until(heads)
            assert not of_the_dead.broken_promises(heads, writers)
