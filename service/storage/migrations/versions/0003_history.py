"""Memberships with their place in the log, those that ended, and ways to find events."""

from service.storage.migrations.script import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run 0003_history.sql and 0003_time_travel.sql."""
    run_sql("0003_history.sql")
    run_sql("0003_time_travel.sql")
