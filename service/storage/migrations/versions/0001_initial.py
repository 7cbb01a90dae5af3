"""The first schema."""

from service.storage.migrations.script import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run 0001_*.sql."""
    run_sql("0001_initial.sql")
    run_sql("0001_functions.sql")
    run_sql("0001_commit.sql")
    run_sql("0001_feed.sql")
