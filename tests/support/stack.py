"""The service without its carriers and without the write path: the edge, its handlers and a database."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from directorysync.v1 import events_pb2
from service.app.api_keys import ApiKeys
from service.app.clock import Clock, IdSource
from service.app.credentials import Credentials, ensure_admin_key, new_secret
from service.app.custom_schemas import ExtensionSchemas
from service.app.diagnostics import Diagnostics
from service.app.directories import Directories
from service.app.eventlog import EventLog
from service.app.idempotency import Idempotency
from service.app.lookups import Lookups
from service.app.organizations import Organizations
from service.app.portal_links import PortalLinks
from service.app.search import Search
from service.app.time_travel import TimeTravel
from service.app.tokens import Tokens
from service.domain.group import Group
from service.domain.user import User
from service.rpc.convert import event_bytes
from service.rpc.directory_admin import AdminHandlers
from service.rpc.directory_sync import LookupHandlers, ServerInfo
from service.rpc.edge import CallFailed, Edge
from service.rpc.idempotency import answered_once
from service.rpc.ingest_scope import IngestScope
from service.rpc.memberships import MembershipHandlers
from service.rpc.portal import PortalHandlers
from service.rpc.search import SearchHandlers
from service.rpc.time_travel import recorded
from service.storage.database import Pool, open_pool
from service.telemetry import Telemetry


class ManualTime:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.offset = 0.0
        self.base = datetime(2031, 1, 1, tzinfo=UTC)

    def clock(self) -> Clock:
        return Clock(now=lambda: self.base + timedelta(seconds=self.offset), monotonic=lambda: self.offset)

    def forward(self, seconds: float) -> None:
        self.offset += seconds


class Refused(AssertionError):
    """A call that failed: `reason` as published, `code` of gRPC, `metadata` of ErrorInfo."""

    def __init__(self, failed: CallFailed) -> None:
        super().__init__(f"{failed.failure.reason}: {failed.failure.message}")
        self.reason = failed.failure.reason
        self.code = failed.failure.code
        self.text = failed.failure.message
        self.metadata = failed.failure.metadata


@dataclass
class Stack:
    """One process of the service."""

    pool: Pool
    time: ManualTime
    edge: Edge
    credentials: Credentials
    directories: Directories
    scope: IngestScope
    admin: str
    commits: list[int]
    new_ids: IdSource
    diagnostics: Diagnostics
    idempotency: Idempotency

    async def call(self, name: str, secret: str | None = None, /, **fields: Any) -> Any:
        """Call `Service/Method` with the fields of its request; without a secret as the unbounded administrator."""
        return await self.call_with({}, name, secret, **fields)

    async def call_with(
        self, metadata: Mapping[str, str], name: str, secret: str | None = None, /, **fields: Any
    ) -> Any:
        """As `call`, with metadata of the call's own."""
        service, _, method_name = name.partition("/")
        method = self.edge.methods[f"/directorysync.v1.{service}/{method_name}"]
        metadata = {"authorization": f"Bearer {self.admin if secret is None else secret}", **metadata}
        try:
            return await self.edge.unary(method, method.request(**fields), metadata, None)
        except CallFailed as failed:
            raise Refused(failed) from failed

    async def organization(self, name: str = "Acme", **fields: Any) -> Any:
        return (await self.call("DirectoryAdmin/CreateOrganization", name=name, **fields)).organization

    async def directory(self, organization_id: str = "", name: str = "HR", **fields: Any) -> Any:
        """CreateDirectoryResponse: directory, token, secret."""
        organization_id = organization_id or (await self.organization()).id
        return await self.call("DirectoryAdmin/CreateDirectory", organization_id=organization_id, name=name, **fields)

    async def key(self, *scopes: str, organizations: Sequence[str] = (), directories: Sequence[str] = ()) -> str:
        """Secret of a new API key."""
        made = await self.call(
            "DirectoryAdmin/CreateApiKey",
            name="key",
            scopes=scopes,
            organization_ids=organizations,
            directory_ids=directories,
        )
        return str(made.secret)

    async def events(self, directory_id: str) -> list[events_pb2.Event]:
        rows = await self.pool.fetch("SELECT payload FROM event WHERE directory_id = $1 ORDER BY seq", directory_id)
        return [events_pb2.Event.FromString(row["payload"]) for row in rows]

    async def put_user(self, directory: Any, **document: Any) -> User:
        """A user as the write path would have stored it."""
        now = self.time.clock().now()
        user = User(directory.id, directory.organization_id, self.new_ids.new("directory_user_"), document, 1, now, now)
        await put_users(self.pool, [user])
        return user

    async def put_group(self, directory: Any, *members: User | Group, **document: Any) -> Group:
        """A group with members as the write path would have stored it."""
        now = self.time.clock().now()
        group = Group(
            directory_id=directory.id,
            organization_id=directory.organization_id,
            id=self.new_ids.new("directory_group_"),
            document=document,
            idp_id=document.get("externalId") or document["displayName"],
            version=1,
            created_at=now,
            updated_at=now,
        )
        await put_groups(self.pool, [group])
        await self.pool.executemany(
            "INSERT INTO membership (directory_id, group_id, member_id, member_type, created_at)"
            " VALUES ($1, $2, $3, $4, $5)",
            [(group.directory_id, group.id, m.id, "User" if isinstance(m, User) else "Group", now) for m in members],
        )
        return group


def _json(document: Any) -> str:
    return msgspec.json.encode(document).decode()


async def put_users(pool: Any, users: Sequence[User]) -> None:
    await pool.executemany(
        "INSERT INTO directory_user (directory_id, id, organization_id, user_name, user_key, external_id, email_keys,"
        " active, version, document, created_at, updated_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        [
            (
                u.directory_id, u.id, u.organization_id, u.user_name, u.key, u.external_id, u.email_keys, u.active,
                u.version, _json(u.document), u.created_at, u.updated_at,
            )
            for u in users
        ],
    )  # fmt: skip


async def put_groups(pool: Any, groups: Sequence[Group]) -> None:
    await pool.executemany(
        "INSERT INTO directory_group (directory_id, id, organization_id, display_name, name_key, external_id, idp_id,"
        " version, document, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        [
            (
                g.directory_id, g.id, g.organization_id, g.name, g.key, g.external_id, g.idp_id, g.version,
                _json(g.document), g.created_at, g.updated_at,
            )
            for g in groups
        ],
    )  # fmt: skip


@asynccontextmanager
async def listening(stack: Stack) -> AsyncIterator[list[frozenset[str] | None]]:
    """Hears what other processes announce about credentials, from the beginning of the block on; what it heard."""
    heard: list[frozenset[str] | None] = []
    stack.credentials.follow(heard.append)
    task = asyncio.create_task(stack.credentials.run())
    try:
        async with asyncio.timeout(10):
            while not heard:
                await asyncio.sleep(0.01)
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def open_stack(database_url: str, time: ManualTime | None = None) -> AsyncIterator[Stack]:
    """A stack over a migrated database."""
    time = time or ManualTime()
    clock = time.clock()
    new_ids = IdSource(clock)
    numbers = itertools.count()
    telemetry = Telemetry()
    commits: list[int] = []
    async with open_pool(database_url, 4) as pool:
        credentials = Credentials(pool, database_url, clock, telemetry)
        log = EventLog(event_bytes, new_ids, clock, lambda: commits.append(1))
        directories = Directories(
            pool, log=log, credentials=credentials, new_ids=new_ids, clock=clock, telemetry=telemetry
        )
        tokens = Tokens(pool, log=log, directories=directories, credentials=credentials, clock=clock)
        api_keys = ApiKeys(pool, credentials=credentials, new_ids=new_ids, clock=clock)
        organizations = Organizations(pool, directories=directories, new_ids=new_ids, clock=clock)
        lookups = Lookups(pool, directories)
        history = TimeTravel(pool, directories, recorded)
        scope = IngestScope(directories)
        diagnostics = Diagnostics(pool, clock, telemetry)
        methods = [
            *AdminHandlers(organizations, directories, tokens, api_keys, diagnostics).methods(),
            *LookupHandlers(lookups, directories, history, ServerInfo("1.2.3", 30)).methods(),
            *MembershipHandlers(lookups, history).methods(),
            *PortalHandlers(
                PortalLinks(pool, credentials=credentials, new_ids=new_ids, clock=clock, telemetry=telemetry)
            ).methods(),
            *SearchHandlers(Search(pool), scope, ExtensionSchemas(pool, clock)).methods(),
        ]
        idempotency = Idempotency(pool, clock=clock, telemetry=telemetry, width=2, committed=lambda: commits.append(1))
        edge = Edge(
            answered_once(methods, idempotency),
            authenticate=credentials.authenticate,
            new_request_id=lambda: f"req_{next(numbers)}",
            telemetry=telemetry,
        )
        admin = new_secret("sk_")
        async with pool.acquire() as connection:
            await ensure_admin_key(connection, admin, new_ids=new_ids, clock=clock)  # type: ignore[arg-type]
        yield Stack(
            pool, time, edge, credentials, directories, scope, admin, commits, new_ids, diagnostics, idempotency
        )
