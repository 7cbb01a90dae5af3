"""The parts apart: `python -m service` and `python -m gateway` as processes of their own over one database."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from directorysync import Client
from directorysync.v1 import directory_admin_pb2 as admin
from service.bootstrap import ensure_admin_key

KEY = "sk_" + "k" * 43


@asynccontextmanager
async def part(module: str, **settings: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """A part that is ready, with its address; ended by SIGTERM."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-m", module, env={**os.environ, **settings}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            line = (await process.stdout.readline()).decode()
        found = re.search(r"127\.0\.0\.1:\d+", line)
        assert found, line
        yield found[0], process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def test_a_write_through_the_gateway_reaches_the_service(database_url: str) -> None:
    await ensure_admin_key(database_url, KEY)
    async with (
        part("service", DIRSYNC_DATABASE_URL=database_url, DIRSYNC_GRPC_LISTEN="127.0.0.1:0") as (grpc, service),
        part("gateway", DIRSYNC_HTTP_LISTEN="127.0.0.1:0", DIRSYNC_SERVICE_TARGET=grpc) as (http, _),
        Client.connect(grpc, KEY) as client,
    ):
        organization = await client.admin.CreateOrganization(admin.CreateOrganizationRequest(name="Acme"))
        request = admin.CreateDirectoryRequest(organization_id=organization.organization.id, name="d", provider="okta")
        made = await client.admin.CreateDirectory(request)
        async with httpx.AsyncClient(trust_env=False) as browser:
            answer = await browser.post(
                f"http://{http}/scim/v2/{made.directory.scim_key}/Users",
                headers={"authorization": f"Bearer {made.secret}"},
                json={"userName": "ada"},
            )
        assert answer.status_code == 201
        service.terminate()
        assert await service.wait() == 0


@pytest.mark.parametrize(
    ("settings", "code", "text"),
    [({"DIRSYNC_DATABASE_URL": ""}, 2, "DIRSYNC_DATABASE_URL"), ({"DIRSYNC_LANES": "many"}, 2, "DIRSYNC_LANES")],
)
async def test_a_bad_setting_is_named(settings: dict[str, str], code: int, text: str) -> None:
    environment = {**os.environ, "DIRSYNC_DATABASE_URL": "postgresql://nowhere", **settings}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == code
    assert text in errors.decode()


async def test_a_database_without_a_schema_is_refused(empty_database_url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "service",
        env={**os.environ, "DIRSYNC_DATABASE_URL": empty_database_url},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert b"dirsync migrate" in errors
