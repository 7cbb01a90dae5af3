"""The programs under examples/ do what they say."""

import asyncio
import os
import sys
from pathlib import Path

from directorysync import EventFilter
from directorysync.v1 import directory_admin_pb2 as admin_pb2
from directorysync.v1 import directory_ingest_pb2 as ingest_pb2
from directorysync.v1 import subscriptions_pb2
from tests.e2e.conftest import Serving
from tests.support.server import RunningServe

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SECONDS = 60
PROVISIONED = [
    "dsync.token.created",
    "dsync.activated",
    "dsync.user.created",
    "dsync.group.created",
    "dsync.group.user_added",
    "dsync.user.updated",
    "dsync.user.updated",
    "dsync.group.deleted",
    "dsync.user.deleted",
]


async def run(
    server: RunningServe, where: Path, *command: str, lines: int | None = None, waits_for: str | None = None
) -> tuple[int | None, str]:
    """Exit status and standard output; a program without an end is stopped after so many lines, and not before the file
    `waits_for` is there.
    """
    process = await asyncio.create_subprocess_exec(
        *command, cwd=where, env=os.environ | server.environ, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(SECONDS):
        if lines is None:
            output, _ = await process.communicate()
            return process.returncode, output.decode()
        found = [(await process.stdout.readline()).decode() for _ in range(lines)]
        while waits_for is not None and not (where / waits_for).exists():
            await asyncio.sleep(0.05)
        process.terminate()
        await process.wait()
        return None, "".join(found)


async def test_examples(serving: Serving, tmp_path: Path) -> None:
    server = await serving()
    async with server.client() as client:
        organization = (
            await client.admin.CreateOrganization(admin_pb2.CreateOrganizationRequest(name="Examples"))
        ).organization
        made = await client.admin.CreateDirectory(
            admin_pb2.CreateDirectoryRequest(organization_id=organization.id, name="Examples")
        )
    base = f"{server.http_url}/scim/v2/{made.directory.scim_key}"

    status, _ = await run(server, tmp_path, "sh", str(EXAMPLES / "provision.sh"), base, made.secret)
    assert status == 0

    follow = (sys.executable, str(EXAMPLES / "follow_changes.py"), made.directory.id)
    _, output = await run(server, tmp_path, *follow, lines=9, waits_for="position.txt")
    assert [line.split()[1] for line in output.splitlines()] == PROVISIONED

    # The program makes it where it is missing; the server is one that other tests use too.
    mine = subscriptions_pb2.CreateSubscriptionRequest(
        name="examples",
        filter=EventFilter(directory_ids=[made.directory.id]),
        position=subscriptions_pb2.SubscriptionPosition(beginning=True),
    )
    async with server.client() as client:
        await client.admin.CreateSubscription(mine)
    work = (sys.executable, str(EXAMPLES / "subscription_worker.py"), "examples")
    _, output = await run(server, tmp_path, *work, lines=9)
    assert [line.split()[1:] for line in output.splitlines()] == [[kind, "try", "1"] for kind in PROVISIONED]

    look_up = (sys.executable, str(EXAMPLES / "look_up_user.py"), "grace@example.com")
    assert await run(server, tmp_path, *look_up) == (1, "")
    user = ingest_pb2.CreateResourceRequest(
        context=ingest_pb2.IngestContext(directory=made.directory.id),
        resource_type=ingest_pb2.RESOURCE_TYPE_USER,
        document_json='{"userName": "grace@example.com"}',
    )
    async with server.client() as client:
        created = (await client.ingest.CreateResource(user)).resource
        group = ingest_pb2.CreateResourceRequest(
            context=user.context,
            resource_type=ingest_pb2.RESOURCE_TYPE_GROUP,
            document_json=f'{{"displayName": "Navy", "members": [{{"value": "{created.id}"}}]}}',
        )
        navy = (await client.ingest.CreateResource(group)).resource
    mirror = (sys.executable, str(EXAMPLES / "mirror_lookup.py"), "GRACE@example.com", "ada@example.com")
    for _ in range(2):  # the second time from the file
        assert await run(server, tmp_path, *mirror) == (
            0,
            "grace@example.com  -  groups: Navy\nada@example.com  nobody\n",
        )
    assert (tmp_path / "directory.mirror").exists()
    assert await run(server, tmp_path, *look_up) == (
        0,
        f"{created.id}  grace@example.com  -  active  in {made.directory.id}\n  {navy.id}  Navy\n",
    )
