"""Assembles the service: the only module that knows every part. Start in one order, stop in the other."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import grpc
from prometheus_client import CollectorRegistry

from service.app import credentials as credentials_app
from service.app.clock import IdSource, system_clock
from service.app.commit import Committer, Limits
from service.app.credentials import Credentials
from service.app.directories import Directories
from service.app.eventlog import EventLog
from service.app.ingest import Ingest
from service.config import ServiceConfig, TlsFiles
from service.rpc.convert import event_bytes
from service.rpc.directory_ingest import IngestHandlers
from service.rpc.edge import Edge, Method
from service.rpc.ingest_scope import IngestScope
from service.rpc.local import LocalChannel
from service.rpc.server import GrpcServer
from service.storage.database import BROKEN, Connection, Pool, connect, open_pool
from service.storage.migrate import check_schema
from service.storage.migrate import migrate as migrate_schema
from service.telemetry import Telemetry, configure_logging


async def migrate(database_url: str) -> str:
    """Bring the schema to this release's revision and return it."""
    return await migrate_schema(database_url)


async def ensure_admin_key(database_url: str, secret: str) -> None:
    """Make an unbounded admin key of this secret unless it exists."""
    clock = system_clock()
    connection = await connect(database_url)
    try:
        await credentials_app.ensure_admin_key(connection, secret, new_ids=IdSource(clock), clock=clock)
    finally:
        await connection.close()


@dataclass(slots=True)
class Service:
    """A running service. `channel` is for the generated stubs, in this process."""

    channel: LocalChannel
    grpc_port: int
    registry: CollectorRegistry
    drain: Callable[[], Awaitable[None]]
    ready: Callable[[], Awaitable[bool]]
