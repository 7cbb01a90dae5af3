"""What must hold before workers start: good settings, the newest schema, a known admin key.

`dirsync serve` runs it as a process of its own, so that the supervisor stays small: with `worker.py` it is the only
part of the command that knows service and gateway.
"""

import asyncio
import os
import sys
from typing import Any

import asyncpg
import structlog

from directorysync import credentials
from directorysync.cli.admin_key import given_admin_key
from directorysync.cli.datadir import DataDir
from directorysync.cli.failure import USAGE, Failure
from gateway.config import ConfigurationError
from gateway.config import from_environment as gateway_config
from service import bootstrap
from service.config import ServiceConfig
from service.domain.errors import ArgumentError, SchemaUnknownError
from service.telemetry import configure_logging

PATIENCE_SECONDS = 30.0
AWAY = (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError)


def migrate(database_url: str, *, patience: float = 0) -> str:
    """Brings the database to the newest schema and returns its revision; waits up to `patience` seconds for a database
    that is not there yet. Raises Failure.
    """
    return asyncio.run(_migrated(database_url, patience))


def prepare() -> None:
    """Reads everything from the environment and prints the revision. Raises Failure."""
    try:
        config = ServiceConfig.from_environment(os.environ)
        gateway_config(os.environ)
    except (ArgumentError, ConfigurationError) as error:
        raise Failure(str(error), USAGE) from None
    given = given_admin_key(os.environ)
    configure_logging(config.log_level)
    revision = migrate(config.database_url, patience=PATIENCE_SECONDS)
    key = DataDir(credentials.data_dir()).admin_key(given)
    asyncio.run(bootstrap.ensure_admin_key(config.database_url, key))
    print(revision, flush=True)


async def _migrated(url: str, patience: float) -> str:
    log: Any = structlog.get_logger("directorysync.prepare")
    clock = asyncio.get_running_loop().time
    give_up = clock() + patience
    while True:
        try:
            return await bootstrap.migrate(url)
        except AWAY as error:
            if clock() > give_up:
                raise Failure(f"the database cannot be reached: {error or type(error).__name__}") from None
            log.warning("database_away", error=type(error).__name__)
            await asyncio.sleep(1)
        except (asyncpg.PostgresError, SchemaUnknownError, ValueError) as error:
            raise Failure(f"the database cannot be used: {error}") from None


def main() -> None:
    """Entry of `python -m directorysync.cli.prepare`."""
    try:
        prepare()
    except Failure as failure:
        print(f"dirsync: {failure}", file=sys.stderr)
        sys.exit(failure.exit_code)


if __name__ == "__main__":
    main()
