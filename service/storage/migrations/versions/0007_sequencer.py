"""The sequencer's call: planned once, and with the one index that it needs."""

from service.storage.migrations.script import run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run 0007_sequencer.sql."""
    run_sql("0007_sequencer.sql")
