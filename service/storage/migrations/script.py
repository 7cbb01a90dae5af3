"""What a revision needs to run its SQL file."""

from importlib import resources

from alembic import op
from sqlalchemy.util import await_only


def run_sql(name: str) -> None:
    """Run a file of `versions/` as one script: the driver's simple protocol takes many statements at once."""
    sql = resources.files("service.storage.migrations.versions").joinpath(name).read_text()
    driver = op.get_bind().connection.driver_connection
    await_only(driver.execute(sql))  # type: ignore[union-attr]
