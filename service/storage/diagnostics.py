"""The table of diagnostics."""

from collections.abc import Sequence

from service.domain.diagnostic import DiagnosticCount, DiagnosticKind
from service.storage.database import Pool
from service.storage.queries import load_queries
from service.storage.transaction import transaction

SQL = load_queries("diagnostics")


async def add(pool: Pool, counts: Sequence[DiagnosticCount], most: int) -> None:
    """Add to what is stored, and keep the `most` of each directory that were seen last."""
    # In the order of the key, so that two processes cannot wait for each other.
    rows = sorted((c.kind.directory_id, c.kind.resource_type, c.kind.path, c.kind.reason, c) for c in counts)
    columns = (
        [row[0] for row in rows],
        [row[1] for row in rows],
        [row[2] for row in rows],
        [row[3] for row in rows],
        [row[4].count for row in rows],
        [row[4].first_seen_at for row in rows],
        [row[4].last_seen_at for row in rows],
        [row[4].last_request_id for row in rows],
    )
    async with transaction(pool) as connection:
        await connection.execute(SQL["add"], *columns)
        await connection.execute(SQL["trim"], sorted(set(columns[0])), most)


async def of_directory(pool: Pool, directory_id: str, most: int) -> list[DiagnosticCount]:
    """At most `most`, those seen last first."""
    return [
        DiagnosticCount(
            DiagnosticKind(directory_id, row["resource_type"], row["path"], row["reason"]),
            row["count"],
            row["first_seen_at"],
            row["last_seen_at"],
            row["last_request_id"],
        )
        for row in await pool.fetch(SQL["of_directory"], directory_id, most)
    ]
