"""What a provider sent and could not be understood is shown to the operator by the command."""

import asyncio
import json
from typing import Any

import httpx

from directorysync.v1 import directory_admin_pb2 as admin_pb2
from tests.e2e.conftest import Serving


async def test_an_odd_attribute_is_kept_and_reported_without_its_value(serving: Serving) -> None:
    server = await serving()
    async with server.client() as client:
        organization = await client.admin.CreateOrganization(admin_pb2.CreateOrganizationRequest(name="Odd"))
        wanted = admin_pb2.CreateDirectoryRequest(organization_id=organization.organization.id, name="Odd")
        made = await client.admin.CreateDirectory(wanted)
    url = f"{server.http_url}/scim/v2/{made.directory.scim_key}/Users"
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {made.secret}"}, trust_env=False) as http:
        answer = await http.post(url, json={"userName": "ada", "shoeSize": "a secret"})
    assert (answer.status_code, answer.json()["shoeSize"]) == (201, "a secret")
    (found,) = await reported(server, made.directory.id)
    assert (found["path"], found["reason"], found["count"]) == ("shoeSize", "unknown attribute", 1)
    shown = server.dirsync("directory", "diagnostics", made.directory.id).stdout
    assert "shoeSize" in shown
    assert "secret" not in shown


async def reported(server: Any, directory_id: str) -> list[dict[str, Any]]:
    """The diagnostics, as soon as they are written."""
    async with asyncio.timeout(30):
        while True:
            shown = server.dirsync("directory", "diagnostics", directory_id, "--output", "json").stdout
            if shown.strip():
                return [json.loads(line) for line in shown.splitlines()]
            await asyncio.sleep(0.5)
