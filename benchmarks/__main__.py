"""`make bench`, that is `python -m benchmarks`: every benchmark, or those that are asked for."""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import (
    engine,
    fanout,
    listing,
    load,
    lookups,
    membership,
    mirror,
    profiling,
    provisioning,
    unary,
    updates,
    webhooks,
)
from benchmarks.bench import FULL, QUICK, Bench
from benchmarks.deployment import running_postgres, running_product, workspace
from benchmarks.results import Row, below_floor, show, write_json

REGISTRY: dict[str, Callable[[Bench], list[Row]]] = {
    module.NAME: module.run
    for module in (provisioning, updates, lookups, listing, membership, unary, engine, fanout, mirror, webhooks)
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 1 when an answer was wrong, or, with --check, when a ratio missed its floor."""
    options = _parser().parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 200)
    names = options.only or ([provisioning.NAME] if options.profile else list(REGISTRY))
    rows = _run(names, options, console)
    show(rows, console)
    if options.json:
        write_json(rows, options.json, _about(options))
    faults = [f"{row.key}: {fault}" for row in rows for fault in row.wrong]
    complaints = below_floor(rows) if options.check else []
    for line in [*faults, *complaints]:
        console.print(line, style="red", markup=False, highlight=False)
    return 1 if faults or complaints else 0


def _run(names: Sequence[str], options: argparse.Namespace, console: Console) -> list[Row]:
    rows: list[Row] = []
    with ExitStack() as stack:
        directory = stack.enter_context(workspace())
        profile = directory / "profile" if options.profile else None
        postgres = stack.enter_context(running_postgres(directory))
        generator = stack.enter_context(load.generator())
        with running_product(postgres, directory, workers=options.workers, profile=profile) as deployment:
            bench = Bench(deployment, generator, QUICK if options.quick else FULL)
            for name in names:
                began = time.perf_counter()
                rows += REGISTRY[name](bench)
                console.print(f"{name}: {time.perf_counter() - began:.0f} s", style="dim")
        if profile is not None:
            console.print(profiling.top(profile), markup=False, highlight=False)
    return rows


def _about(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "system": platform.system(),
        "workers": options.workers or os.cpu_count(),
        "quick": options.quick,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ratios against limits of the same run.")
    parser.add_argument("--quick", action="store_true", help="about a minute: fewer rounds, smaller directories")
    parser.add_argument("--only", action="append", choices=list(REGISTRY), metavar="NAME", help=", ".join(REGISTRY))
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures, round by round")
    parser.add_argument("--check", action="store_true", help="fail when a ratio misses its floor (floors.toml)")
    parser.add_argument("--workers", type=int, default=0, help="of `dirsync serve`; 0: one per core")
    parser.add_argument(
        "--profile", action="store_true", help="one worker under cProfile; tells where its time goes, not how much"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
