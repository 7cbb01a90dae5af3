"""Mirrors are what the service holds: with writers at work, through kills of the service, from a file, by cursor."""

import asyncio
import json
import random
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from directorysync import Client
from directorysync.mirror import Mirror
from directorysync.v1 import directory_ingest_pb2 as ingest_pb2
from directorysync.v1.resources_pb2 import DirectoryGroup, DirectoryUser
from tests.support.proxy import tcp_proxy
from tests.support.server import RunningServe, running_serve
from tests.support.writers import Target, heads_of, make_targets, writing


@pytest.fixture(scope="module")
def server(server_dirs: Path) -> Iterator[RunningServe]:
    """Each test has directories of its own."""
    with running_serve(server_dirs / "mirrors", workers=2) as server:
        yield server


def plain(one: DirectoryUser | DirectoryGroup) -> dict[str, Any]:
    """Without what events do not tell, and without the order of JSON members, which is free. A group's version moves
    when one of its members is deleted, too.
    """
    fields = MessageToDict(one)
    fields.pop("membershipUpdateTime", None)
    if isinstance(one, DirectoryGroup):
        del fields["version"], fields["updateTime"]
    return fields | {"rawAttributesJson": json.loads(one.raw_attributes_json)}


async def faults(client: Client, mirror: Mirror, directory_ids: Sequence[str]) -> list[str]:
    """Where it differs from what the service says when it is asked, once it is as new."""
    found = []
    for directory_id in directory_ids:
        directory = await client.get_directory(directory_id)
        await mirror.wait_for_sequence(directory_id, directory.sequence, timeout=60)
        held = mirror.directory(directory_id)
        if held is None or (held.name, held.state, held.sequence) != (
            directory.name,
            directory.state,
            directory.sequence,
        ):
            found.append(f"{directory_id} is not as it is: {held}")
        users = {user.id: user async for user in client.list_users(directory_id)}
        if {user.id: plain(user) for user in mirror.users(directory_id)} != {k: plain(one) for k, one in users.items()}:
            found.append(f"users of {directory_id} differ")
        groups = {group.id: group async for group in client.list_groups(directory_id)}
        held_groups = {key: plain(group) for key in groups if (group := mirror.group(key)) is not None}
        if held_groups != {key: plain(group) for key, group in groups.items()}:
            found.append(f"groups of {directory_id} differ")
        members = {(one.group_id, one.member_id) async for one in client.list_memberships(directory_id)}
        if {(group, member) for group in groups for member in mirror.member_ids(group)} != members:
            found.append(f"memberships of {directory_id} differ")
        for user in users.values():
            if user.id not in [one.id for one in mirror.find_users(user_name=user.user_name.upper())]:
                found.append(f"{user.user_name} is not found")
    return found


async def test_writers_kills_and_restarts(server: RunningServe, tmp_path: Path) -> None:
    async with server.client() as admin:
        targets = await make_targets(admin, server.http_url, 3)
        organization = (await admin.get_directory(targets[0].directory_id)).organization_id
    ids = [target.directory_id for target in targets]
    async with server.client() as client, writing(targets, 3) as writers:
        await writers.progress(5)
        path = tmp_path / "some.mirror"
        everything = Mirror(client)
        async with everything, Mirror(client, directory_ids=ids[:1]) as one:
            async with Mirror(client, organization_ids=[organization], path=path) as saved:
                await writers.progress(5)
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
                await writers.progress(5)
                assert saved.status().snapshots == 1
            await writers.progress(3)
            async with Mirror(client, organization_ids=[organization], path=path) as saved:
                await writers.progress(3)
                await writers.stop()
                assert await faults(client, everything, ids) == []
                assert await faults(client, one, ids[:1]) == []
                assert await faults(client, saved, ids) == []
                assert not one.directory(ids[1])
                for mirror, snapshots in ((everything, 1), (one, 1), (saved, 0)):
                    status = mirror.status()
                    assert (status.gaps, status.snapshots, status.error) == (0, snapshots, None)
                assert await writers.faults(client) == []


async def test_snapshots_that_begin_among_writes(server: RunningServe) -> None:
    async with server.client() as client, AsyncExitStack() as stack:
        targets = await make_targets(client, server.http_url, 2)
        ids = [target.directory_id for target in targets]
        mirrors = []
        async with writing(targets, 4, pause=0.005) as writers:
            for number in range(6):
                await writers.progress(1)
                mirror = Mirror(client, directory_ids=ids[: 1 + number % 2])
                mirrors.append(await stack.enter_async_context(mirror))
            await writers.stop()
        for mirror in mirrors:
            assert await faults(client, mirror, [one.id for one in mirror.directories()]) == []
            assert mirror.status().gaps == 0


async def test_connection_cut_anywhere(server: RunningServe) -> None:
    chance = random.Random(7)
    host, _, port = server.grpc_address.rpartition(":")
    async with server.client() as client:
        targets = await make_targets(client, server.http_url, 2)
        ids = [target.directory_id for target in targets]
        async with (
            tcp_proxy(host, int(port)) as proxy,
            Client.connect(proxy.address, server.api_key) as cut,
            writing(targets, 3) as writers,
        ):
            await writers.progress(10)
            proxy.allowances = [chance.randrange(200, 20_000) for _ in range(6)]
            async with Mirror(cut) as mirror:
                await writers.progress(5)
                proxy.cut()
                await writers.progress(2)
                await writers.stop()
                assert await faults(client, mirror, ids) == []
                assert mirror.status().gaps == 0


async def test_own_writes_are_read(server: RunningServe) -> None:
    async with server.client() as client:
        target = (await make_targets(client, server.http_url, 1))[0]
        async with (
            Mirror(client) as everything,
            Mirror(client, directory_ids=[target.directory_id]) as one,
            writing([target], 2),
        ):
            for number in range(15):
                written = await create(client, target, f"own-{number}@example.com")
                for mirror in (everything, one):
                    await mirror.wait_for(written.cursor, timeout=30)
                    found = mirror.find_users(email=f"OWN-{number}@example.com")
                    assert [user.id for user in found] == [written.resource.id]
        assert (await heads_of(client, [target]))[target.directory_id] > 15


async def create(client: Client, target: Target, user_name: str) -> ingest_pb2.CreateResourceResponse:
    return await client.ingest.CreateResource(
        ingest_pb2.CreateResourceRequest(
            context=ingest_pb2.IngestContext(directory=target.directory_id),
            resource_type=ingest_pb2.RESOURCE_TYPE_USER,
            document_json=f'{{"userName": "{user_name}"}}',
        )
    )
