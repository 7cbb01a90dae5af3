"""Diagnostics of a directory."""

from service.storage.migrations.script import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run 0002_diagnostics.sql."""
    run_sql("0002_diagnostics.sql")
