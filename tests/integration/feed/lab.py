"""Processes that read the log, and writers that append to it as the commit path does."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
import grpc

from directorysync import errors
from directorysync.v1 import directory_admin_pb2_grpc, directory_sync_pb2_grpc, events_pb2
from directorysync.v1 import directory_sync_pb2 as pb
from service.app.clock import system_clock
from service.app.event_list import EventList
from service.app.feed import Feed
from service.app.sequencer import Sequencer
from service.app.tail_pages import Pages
from service.domain.caller import Caller, Scope
from service.domain.ids import EVENT, ulid
from service.rpc.edge import Edge
from service.rpc.event_log import EventLogHandlers
from service.rpc.events import EventHandlers, EventWire
from service.rpc.local import LocalChannel
from service.rpc.server import GrpcServer
from service.storage.database import open_pool
from service.storage.events import as_json
from service.telemetry import Telemetry

PATIENCE = 20.0
USER, GROUP, MEMBER = "dsync.user.created", "dsync.group.created", "dsync.group.user_added"
_ids = itertools.count(1)


class Log:
    """Writes organizations, directories and events with plain SQL. `suffix` makes names of their own for a test."""

    def __init__(self, pool: Any, suffix: str = "") -> None:
        self.pool = pool
        self.suffix = suffix
        self.url = ""
        self._organizations: dict[str, str] = {}

    async def directory(self, name: str, organization: str = "org_1") -> str:
        """A directory with an empty log."""
        now = datetime.now(UTC)
        name, organization = name + self.suffix, organization + self.suffix
        self._organizations[name] = organization
        await self.pool.execute(
            "INSERT INTO organization (id, name, created_at, updated_at) VALUES ($1, $1, $2, $2)"
            " ON CONFLICT DO NOTHING",
            organization,
            now,
        )
        await self.pool.execute(
            "INSERT INTO directory (id, organization_id, name, provider, state, scim_key, created_at, updated_at)"
            " VALUES ($1, $2, $1, 'okta', 'linked', $1, $3, $3)",
            name,
            organization,
            now,
        )
        await self.pool.execute("INSERT INTO head (directory_id, seq) VALUES ($1, 0)", name)
        return name

    def adopt(self, directory: str, organization: str) -> None:
        """Write to a directory that another Log made."""
        self._organizations[directory] = organization

    async def append(
        self,
        directory: str,
        types: Sequence[str] = (USER,),
        *,
        at: datetime | None = None,
        size: int = 0,
    ) -> int:
        """One command; returns the number of its last event."""
        organization = self._organizations[directory]
        async with self.pool.acquire() as connection, connection.transaction():
            return await append(connection, directory, types, organization=organization, at=at, size=size)

    async def all_sequenced(self) -> bool:
        """Whether every event has a position."""
        return bool(await self.pool.fetchval("SELECT (SELECT count(*) FROM feed) = (SELECT count(*) FROM event)"))


async def append(
    connection: Any,
    directory: str,
    types: Sequence[str] = (USER,),
    *,
    organization: str = "org_1",
    at: datetime | None = None,
    size: int = 0,
) -> int:
    """One command within the caller's transaction."""
    seq: int = await connection.fetchval("SELECT seq FROM head WHERE directory_id = $1 FOR UPDATE", directory)
    command = f"txn_{next(_ids)}"
    at = at or datetime.now(UTC)
    rows, payloads = [], []
    for index, event_type in enumerate(types):
        last = index == len(types) - 1
        event = events_pb2.Event(
            id=EVENT + ulid(int(at.timestamp() * 1000), next(_ids)),
            type=event_type,
            directory_id=directory,
            organization_id=organization,
            directory_sequence=seq + 1 + index,
            transaction_id=command,
            transaction_end=last,
            previous_attributes_json="x" * size,
        )
        event.create_time.FromDatetime(at)
        rows.append(
            {
                "directory_id": directory,
                "seq": event.directory_sequence,
                "id": event.id,
                "organization_id": organization,
                "type": event_type,
                "entity_id": "e",
                "entity_version": 1,
                "transaction_end": last,
            }
        )
        payloads.append(event.SerializeToString())
    newest = seq + len(types)
    await connection.execute(
        "SELECT append_events_v1($1, $2, $3, $4)", as_json(rows), payloads, as_json({directory: newest}), at
    )
    return newest


@dataclass
class Seen:
    """What one watch got."""

    messages: list[pb.WatchEventsResponse] = field(default_factory=list)
    error: grpc.aio.AioRpcError | None = None

    @property
    def events(self) -> list[events_pb2.Event]:
        return [event for message in self.messages for event in message.events]

    @property
    def numbers(self) -> list[tuple[str, int]]:
        return [(event.directory_id, event.directory_sequence) for event in self.events]

    @property
    def failure(self) -> Any:
        """The typed error that ended it."""
        assert self.error is not None
        return errors.from_rpc_error(self.error)


class Process:
    """A replica: sequencer, feed, and the edge with its two carriers."""

    def __init__(self, url: str, pool: Any, *, ring_events: int, patience: float) -> None:
        self.begin(None)
        telemetry, clock = Telemetry(), system_clock()
        self.feed = Feed(
            url,
            pool,
            clock,
            telemetry,
            pages=Pages(pool),
            wire=EventWire(),
            still_valid=self._still_valid,
            ring_events=ring_events,
        )
        self.sequencer = Sequencer(url, clock, telemetry, on_position=self.feed.hint)
        self.edge = Edge(
            [
                *EventHandlers(self.feed, EventList(pool, EventWire().frame)).methods(),
                *EventLogHandlers(pool, 30).methods(),
            ],
            authenticate=self._authenticate,
            new_request_id=lambda: "req_1",
            telemetry=telemetry,
        )
        self.stub: Any = directory_sync_pb2_grpc.DirectorySyncStub(_Partial(LocalChannel(self.edge)))
        self.admin: Any = directory_admin_pb2_grpc.DirectoryAdminStub(LocalChannel(self.edge))
        self.server = GrpcServer(self.edge, "127.0.0.1:0", patience=patience)

    def begin(self, origin: str | None) -> None:
        """Forget the test before. `origin` is the cursor that stands for the beginning of the feed."""
        self.origin = origin
        self.valid = True
        self.callers: dict[str, Caller] = {"all": Caller("all", frozenset({Scope.WATCH}))}

    async def _authenticate(self, secret: str) -> Caller:
        return self.callers[secret]

    async def _still_valid(self, _: Caller) -> bool:
        return self.valid

    def watch(
        self,
        *,
        caller: str = "all",
        stub: Any = None,
        cursor: str | None = None,
        event: str | None = None,
        beginning: bool = False,
        time: datetime | None = None,
        snapshot: bool | pb.WatchStart.Snapshot = False,
        interval: float = 15,
        batch: int = 0,
        **filters: Any,
    ) -> Any:
        """The stream of a watch."""
        start = pb.WatchStart()
        if beginning and self.origin and len(filters.get("directory_ids", ())) != 1:
            cursor = self.origin
        if cursor is not None:
            start.cursor = cursor
        elif event is not None:
            start.event_id = event
        elif beginning:
            start.beginning.SetInParent()
        elif time is not None:
            start.time.FromDatetime(time)
        elif snapshot:
            start.snapshot.CopyFrom(pb.WatchStart.Snapshot() if snapshot is True else snapshot)
        request = pb.WatchEventsRequest(filter=events_pb2.EventFilter(**filters), start=start, max_batch_size=batch)
        request.bookmark_interval.FromNanoseconds(int(interval * 1e9))
        return (stub or self.stub).WatchEvents(request, metadata=(("authorization", f"Bearer {caller}"),))

    async def collect(self, until: int, **how: Any) -> Seen:
        """Watch until so many events have come or the watch ends."""
        seen = Seen()
        await follow(self.watch(**how), seen, until)
        return seen

    async def page(self, *, caller: str = "all", cursor: str = "", size: int = 0, **filters: Any) -> Any:
        """ListEvents by cursor."""
        return await self.list(caller, filters, cursor=cursor, page_size=size)

    async def list(self, caller: str = "all", filters: dict[str, Any] | None = None, **fields: Any) -> Any:
        """ListEvents."""
        request = pb.ListEventsRequest(filter=events_pb2.EventFilter(**(filters or {})), **fields)
        return await self.stub.ListEvents(request, metadata=(("authorization", f"Bearer {caller}"),))


class _Partial:
    """A channel for stubs of a whole service, of which the edge under test has two methods."""

    def __init__(self, channel: LocalChannel) -> None:
        self._channel = channel

    def unary_unary(self, path: str, *args: Any, **more: Any) -> Any:
        return self._channel.unary_unary(path, *args, **more) if path.endswith("ListEvents") else None

    def unary_stream(self, path: str, *args: Any, **more: Any) -> Any:
        return self._channel.unary_stream(path, *args, **more)

    def stream_stream(self, *_: Any, **__: Any) -> None:
        return None


async def follow(call: Any, seen: Seen, until: int) -> None:
    """Read messages until so many events have come and no command is open, or the stream ends."""
    count = 0
    try:
        async with asyncio.timeout(PATIENCE):
            async for message in call:
                seen.messages.append(message)
                count += len(message.events)
                if count >= until and not message.continues:
                    break
    except grpc.aio.AioRpcError as error:
        seen.error = error
    finally:
        close = getattr(call, "aclose", None)
        if close is not None:
            await close()
        else:
            call.cancel()


async def eventually(condition: Any) -> None:
    """Wait until an async condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def process(url: str, *, ring_events: int = 20_000, patience: float = 30.0) -> AsyncIterator[Process]:
    """A running replica, found its feed."""
    async with open_pool(url, 4) as pool:
        one = Process(url, pool, ring_events=ring_events, patience=patience)
        tasks = [asyncio.create_task(one.sequencer.run()), asyncio.create_task(one.feed.run())]
        await one.server.start()
        try:
            async with asyncio.timeout(PATIENCE):
                await one.feed.ready()
            yield one
        finally:
            one.feed.drain()
            await one.server.stop(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def connect(url: str) -> Any:
    return await asyncpg.connect(url)
