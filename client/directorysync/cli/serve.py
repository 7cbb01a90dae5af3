"""`dirsync serve`: the supervisor. It and `worker.py` are the only places that know service, gateway and client."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from directorysync.cli.databases import Database, ExternalDatabase, KeptPostgres
from directorysync.cli.datadir import DataDir
from directorysync.cli.embedded import EmbeddedPostgres
from directorysync.cli.failure import USAGE, Failure
from directorysync.cli.first_steps import first_steps
from directorysync.cli.ports import Endpoint, reserved
from directorysync.cli.supervisor import Workers
from gateway.config import ConfigurationError
from gateway.config import from_environment as gateway_config
from service import bootstrap
from service.config import ServiceConfig
from service.domain.errors import ArgumentError
from service.telemetry import configure_logging

PORT_PATIENCE_SECONDS = 6.0
DATABASE_PATIENCE_SECONDS = 30.0
CONNECTIONS_PER_WORKER = 12
DATABASE_AWAY = (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError)


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What `dirsync serve` was told. Without a database URL it runs its own PostgreSQL."""

    data_dir: Path
    database_url: str | None
    grpc_listen: Endpoint
    http_listen: Endpoint
    workers: int
    transport: str


def serve(options: ServeOptions) -> None:
    """Runs until SIGTERM, SIGINT or SIGHUP; a second one ends it at once. Raises Failure."""
    _check_settings(options)
    configure_logging(os.environ.get("DIRSYNC_LOG_LEVEL") or "info")
    data = DataDir(options.data_dir.absolute())
    with (
        data.owned(),
        reserved(options.grpc_listen, patience=PORT_PATIENCE_SECONDS) as grpc,
        reserved(options.http_listen, patience=PORT_PATIENCE_SECONDS) as http,
    ):
        asyncio.run(_until_signal(options, data, grpc, http))


def migrate(database_url: str) -> str:
    """Brings the database to the newest schema and returns its revision. Raises Failure."""
    return asyncio.run(_migrate(database_url, patience=0))


def _check_settings(options: ServeOptions) -> None:
    """A worker would fail over a bad variable again and again; the supervisor says it once."""
    environ = os.environ | {"DIRSYNC_DATABASE_URL": options.database_url or "postgresql://"}
    try:
        ServiceConfig.from_environment(environ)
        gateway_config(environ)
    except (ArgumentError, ConfigurationError) as error:
        raise Failure(str(error), USAGE) from None


async def _until_signal(options: ServeOptions, data: DataDir, grpc: Endpoint, http: Endpoint) -> None:
    work = asyncio.create_task(_supervise(options, data, grpc, http))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    with suppress(asyncio.CancelledError):
        await work


async def _supervise(options: ServeOptions, data: DataDir, grpc: Endpoint, http: Endpoint) -> None:
    async with _database(options, data) as database:
        revision = await _migrate(database.url, patience=DATABASE_PATIENCE_SECONDS)
        _say(f"postgres ready {database.where} (schema {revision})")
        await bootstrap.ensure_admin_key(database.url, data.admin_key())
        http_url = _http_url(http, os.environ)
        data.set_http_url(http_url)
        workers = Workers(
            [sys.executable, "-m", "directorysync.cli.worker"],
            _worker_environment(options, database.url, grpc, http),
            options.workers,
        )
        async with workers.running():
            _say(f"grpc ready {grpc}", f"http ready {http_url}", first_steps(options.data_dir, grpc))
            await _first_failure(workers, database)


async def _first_failure(workers: Workers, database: Database) -> None:
    tasks = {asyncio.create_task(workers.failed()), asyncio.create_task(database.failed())}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _database(options: ServeOptions, data: DataDir) -> AsyncIterator[Database]:
    if options.database_url:
        yield ExternalDatabase(options.database_url)
        return
    connections = max(100, CONNECTIONS_PER_WORKER * options.workers + 20)
    async with KeptPostgres(EmbeddedPostgres(data.postgres, max_connections=connections)).running() as kept:
        yield kept


async def _migrate(url: str, *, patience: float) -> str:
    """An external database may start later than we do; `patience` is how many seconds to wait for it."""
    log: Any = structlog.get_logger("directorysync.supervisor")
    clock = asyncio.get_running_loop().time
    give_up = clock() + patience
    while True:
        try:
            return await bootstrap.migrate(url)
        except DATABASE_AWAY as error:
            if clock() > give_up:
                raise Failure(f"the database cannot be reached: {error or type(error).__name__}") from None
            log.warning("database_away", error=type(error).__name__)
            await asyncio.sleep(1)
        except asyncpg.PostgresError as error:
            raise Failure(f"the database refused: {error}") from None


def _worker_environment(options: ServeOptions, url: str, grpc: Endpoint, http: Endpoint) -> Mapping[str, str]:
    return os.environ | {
        "DIRSYNC_DATABASE_URL": url,
        "DIRSYNC_GRPC_LISTEN": str(grpc),
        "DIRSYNC_HTTP_LISTEN": str(http),
        "DIRSYNC_TRANSPORT": options.transport,
    }


def _http_url(http: Endpoint, environ: Mapping[str, str]) -> str:
    scheme = "https" if environ.get("DIRSYNC_HTTP_TLS_CERT") else "http"
    return (environ.get("DIRSYNC_PUBLIC_URL") or f"{scheme}://{http.reachable()}").rstrip("/")


def _say(*lines: str) -> None:
    """Standard output is for people and scripts; that nobody reads it any more is no reason to stop serving."""
    with suppress(OSError):
        print(*lines, sep="\n", flush=True)
