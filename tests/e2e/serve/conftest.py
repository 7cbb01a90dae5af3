import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import RunningServe


@pytest.fixture(scope="module")
def _serve(server_dirs: Path) -> Iterator[RunningServe]:
    server = RunningServe(Path(tempfile.mkdtemp(dir=server_dirs)) / "data", workers=2)
    yield server
    server.close()


@pytest.fixture
def server(_serve: RunningServe) -> Iterator[RunningServe]:
    """A `dirsync serve` with two workers that runs. Its data lasts for the module; a test may stop and kill it. What it
    logged is shown when the test fails.
    """
    if not _serve.running:
        _serve.start()
    yield _serve
    print(*_serve.logs, sep="\n")
