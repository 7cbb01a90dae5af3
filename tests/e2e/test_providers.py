"""What identity providers send, replayed against a running server while a subscriber follows the directory."""

from pathlib import Path

import pytest

from directorysync.v1 import directory_admin_pb2 as admin_pb2
from directorysync.v1 import directory_sync_pb2 as sync_pb2
from tests.e2e.conftest import Serving
from tests.support.exchanges import Player, load, name_of, recordings
from tests.support.server import RunningServe
from tests.support.subscriber import Replica, Subscriber, event_faults, order_faults


@pytest.mark.parametrize("path", recordings(), ids=name_of)
async def test_recorded_exchange(path: Path, serving: Serving) -> None:
    await replay(path, await serving(**load(path).settings))


@pytest.mark.parametrize("path", [path for path in recordings("entra", "okta") if not load(path).settings], ids=name_of)
async def test_recorded_exchange_over_grpc(path: Path, serving: Serving) -> None:
    """Between gateway and service a network, instead of a call in the same process."""
    await replay(path, await serving("--transport", "grpc"))


async def replay(path: Path, server: RunningServe) -> None:
    recording = load(path)
    async with server.client() as client:
        named = admin_pb2.CreateOrganizationRequest(name=name_of(path))
        organization = (await client.admin.CreateOrganization(named)).organization
        wanted = admin_pb2.CreateDirectoryRequest(
            organization_id=organization.id, name=name_of(path), provider=recording.provider
        )
        made = await client.admin.CreateDirectory(wanted)
        player = Player(f"{server.http_url}/scim/{recording.base}/{made.directory.scim_key}", made.secret)
        get = sync_pb2.GetDirectoryRequest(id=made.directory.id)
        async with Subscriber(client, made.directory.id) as subscriber:
            await player.play(recording)
            directory = (await client.sync.GetDirectory(get)).directory
            events = await subscriber.until(directory.sequence)
        assert not event_faults(recording, player, events)
        assert not order_faults(events)
        assert {(event.directory_id, event.organization_id) for event in events} == {(directory.id, organization.id)}
        replica = Replica(events)
        assert not await replica.faults(client, directory.id)
        assert (len(replica.users), len(replica.groups)) == (directory.user_count, directory.group_count)
        assert (await client.sync.GetDirectory(get)).directory.sequence == len(events)
