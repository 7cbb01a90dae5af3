"""The schema that this release needs. Without the tools that migrate, which take each worker half a second to load."""

import re
from importlib import resources

import asyncpg

from service.domain.errors import SchemaUnknownError

_REVISION = re.compile(r"(\d{4})_\w+\.py")


def newest_revision() -> str:
    """The revision this release was written for: the number of its newest file of migrations."""
    files = resources.files("service.storage.migrations.versions").iterdir()
    return max(found[1] for file in files if (found := _REVISION.fullmatch(file.name)))


async def check_schema(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Raise SchemaUnknownError unless the database is at exactly the newest revision."""
    table = await connection.fetchval("SELECT to_regclass('alembic_version')")
    found = await connection.fetchval("SELECT version_num FROM alembic_version") if table else None
    wanted = newest_revision()
    if found is not None and found > wanted:
        raise newer_release(found)
    if found != wanted:
        state = "has no schema" if found is None else f"is at schema {found}"
        raise SchemaUnknownError(f"the database {state}, this release needs {wanted}: run `dirsync migrate`")


def newer_release(found: str) -> SchemaUnknownError:
    """The error for a database at a revision that this release does not know."""
    return SchemaUnknownError(
        f"the database is at schema {found} of a newer release, this one knows {newest_revision()}: upgrade it"
    )
