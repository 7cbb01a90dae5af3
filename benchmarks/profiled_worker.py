"""One worker of `dirsync serve` under cProfile; when it is told to stop it leaves its figures in a file."""

import cProfile
import sys

from directorysync.cli import worker


def main() -> None:
    """Entry of `python -m benchmarks.profiled_worker FILE`."""
    profile = cProfile.Profile()
    try:
        profile.runcall(worker.main)
    finally:
        profile.dump_stats(sys.argv[1])


if __name__ == "__main__":
    main()
