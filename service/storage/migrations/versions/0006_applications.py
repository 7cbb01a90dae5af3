"""Domains and metadata of organizations, portal links, idempotency keys."""

from service.storage.migrations.script import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run 0006_applications.sql."""
    run_sql("0006_applications.sql")
