"""Assembles the service: the only module that knows every part. Start in one order, stop in the other."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import version

import asyncpg
import grpc
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from service.app import credentials as credentials_app
from service.app.api_keys import ApiKeys
from service.app.bulk import Bulk
from service.app.clock import IdSource, system_clock
from service.app.commit import Committer, Limits
from service.app.credentials import Credentials
from service.app.custom_schemas import ExtensionSchemas
from service.app.diagnostics import Diagnostics
from service.app.directories import Directories
from service.app.event_list import EventList
from service.app.eventlog import EventLog
from service.app.feed import Feed
from service.app.idempotency import Idempotency
from service.app.ingest import Ingest
from service.app.lookups import Lookups
from service.app.organizations import Organizations
from service.app.portal_links import PortalLinks
from service.app.sealing import Sealing
from service.app.search import Search
from service.app.sequencer import Sequencer
from service.app.subscription_lag import SubscriptionLag
from service.app.subscription_leases import Leases
from service.app.subscription_reader import Readers
from service.app.subscriptions import Subscriptions
from service.app.tail_pages import Pages
from service.app.time_travel import TimeTravel
from service.app.tokens import Tokens
from service.app.webhook_dispatch import WebhookDispatch
from service.app.webhooks import Webhooks
from service.config import ServiceConfig, TlsFiles
from service.domain.caller import Caller, Scope
from service.rpc.bulk import BulkHandlers
from service.rpc.convert import event_bytes
from service.rpc.directory_admin import AdminHandlers
from service.rpc.directory_ingest import IngestHandlers
from service.rpc.directory_sync import LookupHandlers, ServerInfo
from service.rpc.edge import Edge, Method
from service.rpc.event_log import EventLogHandlers
from service.rpc.events import EventHandlers, EventWire
from service.rpc.idempotency import answered_once
from service.rpc.ingest_scope import IngestScope
from service.rpc.local import LocalChannel
from service.rpc.memberships import MembershipHandlers
from service.rpc.portal import PortalHandlers
from service.rpc.search import SearchHandlers
from service.rpc.server import GrpcServer
from service.rpc.subscriptions import SubscribeWire, SubscriptionHandlers
from service.rpc.time_travel import recorded
from service.rpc.versions import spoken
from service.rpc.webhooks import WebhookHandlers
from service.storage.database import BROKEN, Pool, connect, open_pool
from service.storage.schema import check_schema
from service.telemetry import Telemetry

# The part of this process that delivers webhooks.
DISPATCHER = Caller("dispatcher", frozenset({Scope.DELIVER}))


async def migrate(database_url: str) -> str:
    """Bring the schema to this release's revision and return it."""
    from service.storage.migrate import migrate as migrate_schema  # noqa: PLC0415 - half a second that workers spare

    return await migrate_schema(database_url)


async def ensure_admin_key(database_url: str, secret: str) -> None:
    """Make an unbounded admin key of this secret unless it exists."""
    clock = system_clock()
    connection = await connect(database_url)
    try:
        await credentials_app.ensure_admin_key(connection, secret, new_ids=IdSource(clock), clock=clock)
    finally:
        await connection.close()


# For calls under way when the server stops: streams have ended by then, and what is answered later is cancelled.
_GRACE_SECONDS = 2.0
# Pages of the log that are read at a time.
_LOG_READS = 2


@dataclass(slots=True)
class Service:
    """A running service. `channel` is for the generated stubs, in this process."""

    channel: LocalChannel
    dispatch_channel: LocalChannel
    """For the dispatcher of webhooks, which needs no secret."""
    grpc_port: int
    registry: CollectorRegistry
    database_state: Collector
    """What `registry` shows of the database and not of this process: the same in every process, never a sum."""
    drain: Callable[[], Awaitable[None]]
    ready: Callable[[], Awaitable[bool]]
    failed: asyncio.Event
    """Set when a part that runs beside the calls has ended: the process must be replaced."""


class _Parts:
    """Everything that lives as long as the service, wired together."""

    def __init__(self, config: ServiceConfig, pool: Pool, log_pool: Pool) -> None:
        self.config = config
        self.pool = pool
        self.clock = system_clock()
        self.ids = IdSource(self.clock)
        self.telemetry = Telemetry()
        self.failed = asyncio.Event()
        self.credentials = Credentials(pool, config.database_url, self.clock, self.telemetry)
        self.feed = self._feed(Pages(log_pool))
        self.leases = Leases(pool, self.telemetry)
        self.subscription_lag = SubscriptionLag(pool, self.clock, self.telemetry)
        self.telemetry.registry.register(self.subscription_lag)
        self.sequencer = Sequencer(
            config.database_url,
            self.clock,
            self.telemetry,
            retention_days=config.retention_days,
            on_position=self.feed.hint,
        )
        log = EventLog(event_bytes, self.ids, self.clock, self.sequencer.hint)
        self.committer = self._committer()
        self.directories = self._directories(log)
        self.diagnostics = Diagnostics(pool, self.clock, self.telemetry)
        self.portal_links = PortalLinks(
            pool, credentials=self.credentials, new_ids=self.ids, clock=self.clock, telemetry=self.telemetry
        )
        self.idempotency = self._idempotency()
        sealing = Sealing(config.encryption_keys)
        self.webhooks = Webhooks(
            pool, sealing=sealing, new_ids=self.ids, clock=self.clock, http_allowed=config.webhook_allow_http
        )
        self.webhook_dispatch = WebhookDispatch(
            pool, log=log, sealing=sealing, clock=self.clock, telemetry=self.telemetry
        )
        self.edge = Edge(
            self._methods(log),
            authenticate=self.credentials.authenticate,
            new_request_id=lambda: self.ids.new("req_"),
            telemetry=self.telemetry,
            streams_per_credential=config.streams_per_key,
        )

    async def _still_valid(self, caller: Caller) -> bool:
        return caller is DISPATCHER or await self.credentials.still_valid(caller)

    def _directories(self, log: EventLog) -> Directories:
        return Directories(
            self.pool,
            log=log,
            credentials=self.credentials,
            new_ids=self.ids,
            clock=self.clock,
            telemetry=self.telemetry,
        )

    def _idempotency(self) -> Idempotency:
        return Idempotency(
            self.pool,
            clock=self.clock,
            telemetry=self.telemetry,
            width=self.config.pool_size // 2,
            committed=self.sequencer.hint,
        )

    def _feed(self, pages: Pages) -> Feed:
        return Feed(
            self.config.database_url,
            self.pool,
            self.clock,
            self.telemetry,
            pages=pages,
            wire=EventWire(),
            still_valid=self._still_valid,
            ring_events=self.config.ring_events,
        )

    def _committer(self) -> Committer:
        config = self.config
        return Committer(
            # The two functions are planned once: planning them for each batch costs more than running them.
            lambda: connect(config.database_url, plan_cache_mode="force_generic_plan"),
            lanes=config.lanes,
            limits=Limits(batch_commands=config.batch_commands, queue_commands=config.queue_commands),
            encode=event_bytes,
            new_ids=self.ids,
            clock=self.clock,
            telemetry=self.telemetry,
            committed=self.sequencer.hint,
        )

    def _methods(self, log: EventLog) -> list[Method]:
        pool, clock, new_ids = self.pool, self.clock, self.ids
        scope = IngestScope(self.directories)
        tokens = Tokens(pool, log=log, directories=self.directories, credentials=self.credentials, clock=clock)
        keys = ApiKeys(pool, credentials=self.credentials, new_ids=new_ids, clock=clock)
        organizations = Organizations(pool, directories=self.directories, new_ids=new_ids, clock=clock)
        info = ServerInfo(version=version("directorysync"), retention_days=self.config.retention_days)
        reads = Lookups(pool, self.directories)
        history = TimeTravel(pool, self.directories, recorded)
        lookups = LookupHandlers(reads, self.directories, history, info)
        one = Ingest(pool, self.committer, new_ids, self.diagnostics)
        ingest = IngestHandlers(one, scope, self.feed.cursor_of)
        bulk = BulkHandlers(Bulk(one), scope)
        search = SearchHandlers(Search(pool), scope, ExtensionSchemas(pool, clock))
        admin = AdminHandlers(organizations, self.directories, tokens, keys, self.diagnostics)
        portal = PortalHandlers(self.portal_links)
        webhooks = WebhookHandlers(self.webhooks, self.webhook_dispatch)
        readers = Readers(self.feed, pool, self.leases, SubscribeWire())
        subscriptions = SubscriptionHandlers(Subscriptions(pool, new_ids=new_ids, clock=clock), readers)
        events = EventHandlers(self.feed, EventList(pool, EventWire().frame))
        reach = EventLogHandlers(pool, self.config.retention_days)
        handlers = (lookups, MembershipHandlers(reads, history), events, reach, admin, portal, webhooks, subscriptions)
        written = spoken([method for handler in (ingest, bulk, search) for method in handler.methods()])
        methods = [*written, *(method for handler in handlers for method in handler.methods())]
        return answered_once(methods, self.idempotency)

    async def run(self) -> None:
        """What runs beside the calls, until cancelled. Each part mends its connections itself; none may end."""
        try:
            async with asyncio.TaskGroup() as tasks:
                parts = (
                    self.committer,
                    self.sequencer,
                    self.feed,
                    self.credentials,
                    self.directories,
                    self.diagnostics,
                    self.leases,
                    self.subscription_lag,
                    self.portal_links,
                    self.idempotency,
                    self.webhook_dispatch,
                )
                for part in parts:
                    tasks.create_task(part.run())
        except* Exception as group:
            for error in group.exceptions:
                self.telemetry.unexpected("background", "", error)
        self.failed.set()

    async def ready(self) -> bool:
        """Whether calls can be served now."""
        if self.edge.draining or self.failed.is_set():
            return False
        try:
            async with asyncio.timeout(2):
                await self.pool.fetchval("SELECT 1")
        except (*BROKEN, TimeoutError):
            return False
        return True

    async def drain(self, server: GrpcServer) -> None:
        """Take nothing new, end streams so that clients resume elsewhere, finish what was taken."""
        await server.stop_intake()
        self.edge.draining = True
        self.feed.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.config.drain_seconds):
                await self.committer.drain()


@contextlib.asynccontextmanager
async def running(config: ServiceConfig) -> AsyncIterator[Service]:
    """A service that serves until the block ends. Raises SchemaUnknownError on a database it was not written for."""
    await _check(config.database_url)
    async with (
        open_pool(config.database_url, config.pool_size) as pool,
        # Planning a page of the log anew costs as much as reading it.
        open_pool(config.database_url, _LOG_READS, plan_cache_mode="force_generic_plan") as log_pool,
    ):
        parts = _Parts(config, pool, log_pool)
        server = GrpcServer(
            parts.edge,
            config.grpc_listen,
            _credentials(config.grpc_tls),
            unread_bytes=config.unread_mib * 1024 * 1024,
        )
        background = asyncio.create_task(parts.run())
        await parts.feed.ready()
        await server.start()
        drained = False

        async def drain() -> None:
            nonlocal drained
            if not drained:
                drained = True
                await parts.drain(server)

        try:
            yield Service(
                channel=LocalChannel(parts.edge),
                dispatch_channel=LocalChannel(parts.edge, DISPATCHER),
                grpc_port=server.port,
                registry=parts.telemetry.registry,
                database_state=parts.subscription_lag,
                drain=drain,
                ready=parts.ready,
                failed=parts.failed,
            )
        finally:
            await drain()
            await server.stop(_GRACE_SECONDS)
            background.cancel()
            await asyncio.gather(background, return_exceptions=True)
            with contextlib.suppress(*BROKEN, asyncpg.PostgresError):
                await parts.credentials.flush()
                await parts.diagnostics.flush()
                await parts.leases.flush()


async def _check(database_url: str) -> None:
    connection = await connect(database_url)
    try:
        await check_schema(connection)
    finally:
        await connection.close()


def _credentials(files: TlsFiles | None) -> grpc.ServerCredentials | None:
    if files is None:
        return None
    authority = files.client_ca.read_bytes() if files.client_ca else None
    return grpc.ssl_server_credentials(
        [(files.key.read_bytes(), files.certificate.read_bytes())],
        root_certificates=authority,
        require_client_auth=authority is not None,
    )


def settle_memory() -> None:
    """To be called once, after the start. What was made by now stays: looking at all of it again and again would stop
    everything for a while each time. What comes later is mostly dropped before anyone need look for it in circles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
