"""`dirsync serve`: the supervisor. It knows processes, ports and a directory, and nothing of what the workers do."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from directorysync.cli.databases import Database, ExternalDatabase, KeptPostgres
from directorysync.cli.datadir import DataDir
from directorysync.cli.embedded import EmbeddedPostgres
from directorysync.cli.failure import Failure
from directorysync.cli.first_steps import first_steps
from directorysync.cli.ports import Endpoint, reserved
from directorysync.cli.supervisor import Workers

PORT_PATIENCE_SECONDS = 6.0


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
    _configure_logging()
    data = DataDir(options.data_dir.absolute())
    with (
        data.owned(),
        reserved(options.grpc_listen, patience=PORT_PATIENCE_SECONDS) as grpc,
        reserved(options.http_listen, patience=PORT_PATIENCE_SECONDS) as http,
    ):
        asyncio.run(_until_signal(options, data, grpc, http))


async def _until_signal(options: ServeOptions, data: DataDir, grpc: Endpoint, http: Endpoint) -> None:
    work = asyncio.create_task(_supervise(options, data, grpc, http))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    with suppress(asyncio.CancelledError):
        await work


async def _supervise(options: ServeOptions, data: DataDir, grpc: Endpoint, http: Endpoint) -> None:
    async with _database(options, data) as database:
        environ = os.environ | {
            "DIRSYNC_DATABASE_URL": database.url,
            "DIRSYNC_DATA_DIR": str(data.path),
            "DIRSYNC_GRPC_LISTEN": str(grpc),
            "DIRSYNC_HTTP_LISTEN": str(http),
            "DIRSYNC_TRANSPORT": options.transport,
        }
        data.admin_key()
        revision = await _prepare(environ)
        _say(f"postgres ready {database.where} (schema {revision})")
        http_url = _http_url(http, os.environ)
        data.set_http_url(http_url)
        workers = Workers(
            [sys.executable, "-m", "directorysync.cli.worker"],
            environ | _metrics_environment(options, data),
            options.workers,
            ended=partial(_forget_gauges, data.metrics),
        )
        async with workers.running():
            _say(f"grpc ready {grpc}", f"http ready {http_url}", first_steps(options.data_dir, grpc))
            await _first_failure(workers, database)


async def _prepare(environ: Mapping[str, str]) -> str:
    """Returns the revision of the schema. The process has said itself what is wrong when something is."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "directorysync.cli.prepare"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        env=environ,
        start_new_session=True,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise Failure("", abs(process.returncode))
    return said.decode().strip()


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
    connections = max(100, _connections_per_worker(os.environ) * options.workers + 20)
    async with KeptPostgres(EmbeddedPostgres(data.postgres, max_connections=connections)).running() as kept:
        yield kept


def _connections_per_worker(environ: Mapping[str, str]) -> int:
    """The service's pool and lanes, and a few for listening and background work."""
    sizes = [environ.get(name, "") for name in ("DIRSYNC_POOL_SIZE", "DIRSYNC_LANES")]
    return 6 + sum(int(size) if size.isdecimal() else 4 for size in sizes)


def _metrics_environment(options: ServeOptions, data: DataDir) -> dict[str, str]:
    """Several workers count in files, so that each can show the sum."""
    shutil.rmtree(data.metrics, ignore_errors=True)
    data.metrics.mkdir()
    return {"PROMETHEUS_MULTIPROC_DIR": str(data.metrics)} if options.workers > 1 else {}


def _forget_gauges(metrics: Path, pid: int) -> None:
    """Counters of a worker that ended still count; what it measured about itself does not
    (prometheus_client.multiprocess.mark_process_dead).
    """
    for path in metrics.glob(f"gauge_live*_{pid}.db"):
        path.unlink(missing_ok=True)


def _http_url(http: Endpoint, environ: Mapping[str, str]) -> str:
    scheme = "https" if environ.get("DIRSYNC_HTTP_TLS_CERT") else "http"
    return (environ.get("DIRSYNC_PUBLIC_URL") or f"{scheme}://{http.reachable()}").rstrip("/")


def _configure_logging() -> None:
    """JSON lines on standard error, as the workers write them."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )


def _say(*lines: str) -> None:
    """Standard output is for people and scripts; that nobody reads it any more is no reason to stop serving."""
    with suppress(OSError):
        print(*lines, sep="\n", flush=True)
