"""A small corpus: of many inputs those, shortest first, that reach lines of the engine which none before them does."""

import hashlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.targets import Target

LARGEST = 1024
"""Bytes of an input that is kept."""
MOST = 30
"""Inputs kept for one target."""

Line = tuple[str, int]


def distil(target: Target, corpus: Path, grown: Path) -> tuple[int, int]:
    """Renew `corpus` from itself and from `grown`. How many inputs are in it now, and how many lines they reach."""
    reached: set[Line] = set()
    gains: list[tuple[int, bytes]] = []
    for data in _inputs((corpus, grown)):
        lines = _lines(target, data) - reached
        if lines:
            reached |= lines
            gains.append((len(lines), data))
    kept = [data for _, data in sorted(gains, key=lambda gain: -gain[0])[:MOST]]
    corpus.mkdir(parents=True, exist_ok=True)
    names = {hashlib.sha256(data).hexdigest()[:12]: data for data in kept}
    for old in corpus.iterdir():
        if old.name not in names:
            old.unlink()
    for name, data in names.items():
        (corpus / name).write_bytes(data)
    return len(names), len(reached)


def _inputs(directories: Iterable[Path]) -> Iterator[bytes]:
    files = [file for directory in directories if directory.is_dir() for file in directory.iterdir()]
    small = {file.read_bytes() for file in files if file.stat().st_size <= LARGEST}
    yield from sorted(small, key=lambda data: (len(data), data))


def _lines(target: Target, data: bytes) -> set[Line]:
    """The lines of the service that one input reaches."""
    found: set[Line] = set()

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        name = frame.f_code.co_filename
        if "/service/" not in name:
            return None
        if event == "line":
            found.add((name, frame.f_lineno))
        return trace

    sys.settrace(trace)
    try:
        target(data)
    finally:
        sys.settrace(None)
    return found
