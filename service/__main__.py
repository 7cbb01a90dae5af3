"""`python -m service`: the service alone, over a database that `dirsync migrate` has prepared."""

import asyncio
import os
import signal
import sys

import asyncpg
import uvloop

from service.bootstrap import running, settle_memory
from service.config import ServiceConfig
from service.domain.errors import ArgumentError, SchemaUnknownError
from service.telemetry import configure_logging


async def serve(config: ServiceConfig) -> int:
    """Serve until SIGTERM or SIGINT: 0; 1 when a part has failed and the process must be replaced."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(config) as service:
        settle_memory()
        host = config.grpc_listen.rpartition(":")[0]
        sys.stdout.write(f"service ready on {host}:{service.grpc_port}\n")
        sys.stdout.flush()
        ends = [asyncio.create_task(stop.wait()), asyncio.create_task(service.failed.wait())]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
    return 0 if stop.is_set() else 1


def main() -> int:
    """Exit code: 0 after a signal, 1 when the database or the address cannot be used, 2 for a bad setting."""
    try:
        config = ServiceConfig.from_environment(os.environ)
    except ArgumentError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    configure_logging(config.log_level)
    try:
        return uvloop.run(serve(config))
    except (OSError, RuntimeError, asyncpg.PostgresError, SchemaUnknownError) as error:
        sys.stderr.write(f"service: {error or type(error).__name__}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
