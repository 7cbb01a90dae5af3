"""One worker of `dirsync serve` that notes where its CPU time goes; when it is told to stop it leaves that in a file.

The kernel interrupts it each millisecond of CPU time, and the stack at that moment is counted. Unlike cProfile this
costs next to nothing and does not make small functions look large; time inside C shows at the line that called it.
"""

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import uvloop

from directorysync.cli import worker
from service.telemetry import configure_logging

_INTERVAL_SECONDS = 0.001
_MOST_FRAMES = 200


class Sampler:
    """Counts stacks, innermost line first. Lines are (file, line, function)."""

    def __init__(self) -> None:
        self._stacks: Counter[tuple[tuple[str, int, str], ...]] = Counter()

    def start(self) -> None:
        """Begin. Only of use in the main thread."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.siginterrupt(signal.SIGPROF, False)  # noqa: FBT003 - the name of the argument is `flag`
        signal.setitimer(signal.ITIMER_PROF, _INTERVAL_SECONDS, _INTERVAL_SECONDS)

    def stop(self, path: Path) -> None:
        """End, and write what was counted."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        path.write_text(json.dumps([[count, stack] for stack, count in self._stacks.items()]))

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        stack: list[tuple[str, int, str]] = []
        while frame is not None and len(stack) < _MOST_FRAMES:
            stack.append((frame.f_code.co_filename, frame.f_lineno or 0, frame.f_code.co_qualname))
            frame = frame.f_back
        self._stacks[tuple(stack)] += 1


def main() -> None:
    """Entry of `python -m benchmarks.profiled_worker FILE`."""
    configure_logging("info")
    sampler = Sampler()
    sampler.start()
    try:
        # Not worker.main(): it leaves the process at once, and the figures would go with it.
        uvloop.run(worker.work())
    finally:
        sampler.stop(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
