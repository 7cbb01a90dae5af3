"""The revision that a release needs."""

import subprocess
import sys

from alembic.script import ScriptDirectory

from service.storage.migrate import script_config
from service.storage.schema import newest_revision


def test_the_newest_file_of_migrations_is_where_migrating_ends() -> None:
    assert ScriptDirectory.from_config(script_config()).get_heads() == [newest_revision()]


def test_a_worker_does_not_load_what_migrates() -> None:
    loaded = "import sys, directorysync.cli.worker; print(sorted({'alembic', 'sqlalchemy'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"
