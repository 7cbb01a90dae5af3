"""Every named statement is understood by the database as it is now, and used by the module beside it."""

import ast
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import asyncpg
import pytest

from service.storage.queries import load_queries

STORAGE = Path(__file__).resolve().parents[2] / "service" / "storage"
TABLES = sorted(
    entry.name.removesuffix(".sql")
    for entry in resources.files("service.storage.sql").iterdir()
    if entry.name.endswith(".sql")
)


def names_used(table: str) -> Iterator[str]:
    """Texts in the modules that load the statements of a table."""
    for path in STORAGE.rglob("*.py"):
        text = path.read_text()
        if f'load_queries("{table}")' in text:
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


@pytest.mark.parametrize("table", TABLES)
async def test_statements_prepare(table: str, database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        for name, statement in load_queries(table).items():
            try:
                await connection.prepare(statement)
            except asyncpg.PostgresError as error:
                pytest.fail(f"{table}.{name}: {error}")
    finally:
        await connection.close()


@pytest.mark.parametrize("table", TABLES)
def test_statements_are_used_and_explained(table: str) -> None:
    used = set(names_used(table))
    for name, statement in load_queries(table).items():
        assert name in used, f"{table}.{name} is used by no module"
        assert statement.startswith("-- "), f"{table}.{name} has no comment"
