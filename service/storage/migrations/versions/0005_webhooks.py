"""Webhook endpoints and their deliveries."""

from service.storage.migrations.script import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run 0005_webhooks.sql."""
    run_sql("0005_webhooks.sql")
