"""The corpus of the fuzzer, once more: what reached a line of the engine keeps the laws that targets.py checks."""

from pathlib import Path

import pytest

from tests.fuzz.run import CORPUS
from tests.fuzz.targets import TARGETS

INPUTS = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_input_keeps_the_laws(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_a_small_corpus() -> None:
    assert {path.parent.name for path in INPUTS} == set(TARGETS)
    assert len(INPUTS) <= 200
    assert all(path.stat().st_size <= 1024 for path in INPUTS)
