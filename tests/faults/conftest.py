import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A directory for a server's data. Not `tmp_path`: each pytest session of a user closes the directory above those
    of all his others, and root's PostgreSQL runs as another user.
    """
    directory = Path(tempfile.mkdtemp(prefix="dirsync-test-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)
