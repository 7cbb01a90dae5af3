"""Bring a database to the newest schema, and refuse one that is not there. Migrations only go forward."""

from importlib import resources

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from service.domain.errors import SchemaUnknownError

# Any constant does; it keeps two migrating processes apart.
_LOCK = 7_214_600_391


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("service.storage.migrations")))
    config.set_main_option("path_separator", "os")
    return config


def newest_revision() -> str:
    """The revision this release was written for."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise SchemaUnknownError("this release has no migrations")
    return head


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found > newest_revision():
        raise _newer(found, newest_revision())
    command.upgrade(config, "head")


async def migrate(database_url: str) -> str:
    """Run what is missing, in one transaction; returns the revision. Safe to call from many processes."""
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(database_url), poolclass=NullPool
    )
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()
    return newest_revision()


async def check_schema(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Raise SchemaUnknownError unless the database is at exactly the newest revision."""
    table = await connection.fetchval("SELECT to_regclass('alembic_version')")
    found = await connection.fetchval("SELECT version_num FROM alembic_version") if table else None
    wanted = newest_revision()
    if found is not None and found > wanted:
        raise _newer(found, wanted)
    if found != wanted:
        state = "has no schema" if found is None else f"is at schema {found}"
        raise SchemaUnknownError(f"the database {state}, this release needs {wanted}: run `dirsync migrate`")


def _newer(found: str, wanted: str) -> SchemaUnknownError:
    return SchemaUnknownError(
        f"the database is at schema {found} of a newer release, this one knows {wanted}: upgrade it"
    )
