"""A committer on a database of its own, without any edge."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from directorysync.v1 import events_pb2
from service.app.clock import IdSource, system_clock
from service.app.commit import Committer, Limits
from service.app.diagnostics import Diagnostics
from service.app.ingest import Ingest
from service.domain.directory import Directory, DirectoryState
from service.domain.policy import Policy
from service.rpc.convert import event_bytes
from service.scim.projection import Projection
from service.scim.schema import GROUP, USER
from service.storage.database import Connection, connect, open_pool
from service.telemetry import Telemetry

EVERYTHING = Projection.parse(None, None, USER)


class Directories:
    """Directories of a database, written to through one committer."""

    def __init__(self, url: str, ingest: Ingest, committer: Committer) -> None:
        self.url = url
        self.ingest = ingest
        self.committer = committer
        self.known: dict[str, Directory] = {}

    async def make(self, *names: str, provider: str = "okta") -> None:
        connection = await asyncpg.connect(self.url)
        now = datetime.now(UTC)
        await connection.execute(
            "INSERT INTO organization VALUES ('org_1', 'x', NULL, $1, $1) ON CONFLICT DO NOTHING", now
        )
        for name in names:
            await connection.execute(
                "INSERT INTO directory (id, organization_id, name, provider, state, scim_key, created_at, updated_at)"
                " VALUES ($1, 'org_1', 'd', $2, 'linked', $1, $3, $3)",
                name,
                provider,
                now,
            )
            await connection.execute("INSERT INTO head VALUES ($1, 0)", name)
            self.known[name] = Directory(name, "org_1", "d", provider, DirectoryState.LINKED, name, Policy(), now, now)
        await connection.close()

    async def create_user(self, directory: str, user_name: str, **attributes: Any) -> str:
        text = json.dumps({"userName": user_name, **attributes})
        written = await self.ingest.create(self.known[directory], USER, text, EVERYTHING, "r")
        return written.outcome.entity.id

    async def create_group(self, directory: str, name: str, members: Sequence[str] = ()) -> str:
        text = json.dumps({"displayName": name, "members": [{"value": member} for member in members]})
        written = await self.ingest.create(self.known[directory], GROUP, text, EVERYTHING, "r")
        return written.outcome.entity.id

    async def patch(self, directory: str, resource_id: str, *operations: dict[str, Any]) -> Any:
        kind = GROUP if resource_id.startswith("directory_group_") else USER
        return await self.ingest.patch(
            self.known[directory],
            kind,
            resource_id,
            text=json.dumps({"Operations": operations}),
            if_match=(),
            projection=EVERYTHING,
            request_id="r",
            document_wanted=False,
        )

    async def delete(self, directory: str, resource_id: str) -> None:
        kind = GROUP if resource_id.startswith("directory_group_") else USER
        await self.ingest.delete(self.known[directory], kind, resource_id, (), "r")

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return list(await connection.fetch(sql, *arguments))
        finally:
            await connection.close()

    async def events(self, directory: str) -> list[events_pb2.Event]:
        rows = await self.fetch("SELECT payload FROM event WHERE directory_id = $1 ORDER BY seq", directory)
        return [events_pb2.Event.FromString(row["payload"]) for row in rows]


@asynccontextmanager
async def committing(
    url: str, *, limits: Limits | None = None, lanes: int = 2, opener: Any = None
) -> AsyncIterator[Directories]:
    clock = system_clock()
    new_ids = IdSource(clock)

    async def open_lane() -> Connection:
        return await (opener or connect)(url)

    async with open_pool(url, 4) as pool:
        committer = Committer(
            open_lane,
            lanes=lanes,
            limits=limits or Limits(),
            encode=event_bytes,
            new_ids=new_ids,
            clock=clock,
            telemetry=Telemetry(),
            committed=lambda: None,
        )
        task = asyncio.create_task(committer.run())
        try:
            yield Directories(url, Ingest(pool, committer, new_ids, Diagnostics(pool, clock, Telemetry())), committer)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def directories(database_url: str) -> AsyncIterator[Directories]:
    async with committing(database_url) as made:
        yield made
