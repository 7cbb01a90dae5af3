"""`--profile`: what one worker spent its CPU time on, read from what profiled_worker.py left."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

_LINES = 50

Line = tuple[str, int, str]


def top(profile: Path) -> str:
    """Shares of CPU time: functions with what they call, functions alone, lines of this project with what they call."""
    samples: list[tuple[int, list[Line]]] = json.loads(profile.read_text())
    total = sum(count for count, _ in samples) or 1
    inclusive, alone, lines = Counter[str](), Counter[str](), Counter[str]()
    for count, stack in samples:
        for name in {_function(line) for line in stack}:
            inclusive[name] += count
        for name in {f"{_short(line[0])}:{line[1]} {line[2]}" for line in stack if "/lib/python3" not in line[0]}:
            lines[name] += count
        if stack:
            alone[_function(stack[0])] += count
    parts = [("with what they call", inclusive), ("alone", alone), ("lines of the project, with what they call", lines)]
    return "\n\n".join(f"{title}, of {total:,} samples\n{_table(counts, total)}" for title, counts in parts)


def _table(counts: Counter[str], total: int) -> str:
    return "\n".join(_rows(counts.most_common(_LINES), total))


def _rows(counts: Iterable[tuple[str, int]], total: int) -> Iterable[str]:
    for name, count in counts:
        yield f"{100 * count / total:6.1f} %  {name}"


def _function(line: Line) -> str:
    return f"{line[2]} ({_short(line[0])})"


def _short(path: str) -> str:
    """Without what comes before the package."""
    for mark in ("site-packages/", "/lib/python3"):
        _, found, rest = path.partition(mark)
        if found:
            return rest
    return path.removeprefix(str(Path.cwd()) + "/")
