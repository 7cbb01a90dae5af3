"""CPU time of running processes, from /proc. Where there is no /proc, nothing is known and 0 is said."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(root: int) -> float:
    """CPU time of a process, of its living descendants, and of the dead ones that their parents took note of."""
    stats = _stats()
    waiting, total = [root], 0
    while waiting:
        pid = waiting.pop()
        waiting += [child for child, (parent, _) in stats.items() if parent == pid]
        total += stats.get(pid, (0, 0))[1]
    return total / _TICKS


def _stats() -> dict[int, tuple[int, int]]:
    """Parent and clock ticks (own, and of children that were waited for) of every process."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[int(entry.name)] = (int(fields[1]), sum(int(ticks) for ticks in fields[11:15]))
    return found
