from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from directorysync.v1 import directory_admin_pb2 as admin_pb2
from tests.support import postgres
from tests.support.server import RunningServe, running_serve


@dataclass(frozen=True, slots=True)
class Scim:
    """What a provider is given for one directory."""

    base_url: str
    token: str


MakeDirectory = Callable[[str], Awaitable[Scim]]


@pytest.fixture(scope="session", params=["local", "grpc"])
async def server(
    request: pytest.FixtureRequest, postgres_server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningServe]:
    """A running server, with gateway and service in one process and then with a network between them."""
    arguments = ["--transport", request.param]
    async with postgres_server.database() as url:
        with running_serve(tmp_path_factory.mktemp("serve"), database_url=url, arguments=arguments) as running:
            yield running


@pytest.fixture
async def make_directory(server: RunningServe) -> MakeDirectory:
    """Makes an empty directory for a provider."""

    async def make(provider: str) -> Scim:
        async with server.client() as client:
            named = admin_pb2.CreateOrganizationRequest(name="Acme")
            organization = (await client.admin.CreateOrganization(named)).organization
            wanted = admin_pb2.CreateDirectoryRequest(
                organization_id=organization.id, name=f"Acme {provider}", provider=provider
            )
            made = await client.admin.CreateDirectory(wanted)
        return Scim(f"{server.http_url}/scim/v2/{made.directory.scim_key}", made.secret)

    return make
