"""Coverage-guided fuzzing of the SCIM engine with atheris: ``python -m tests.fuzz [--seconds N] [TARGET …]``.

Every target gets the same share of the time, in a process of its own. An input that breaks a law, fails with anything
but an error of the engine, or costs too much is written to the findings and the fuzzing goes on. The corpus grows in a
work directory; ``--distil`` takes from there what reaches lines that the committed corpus does not.
"""

import argparse
import hashlib
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random
from time import process_time
from types import ModuleType

CORPUS = Path(__file__).parent / "corpus"
LARGEST = 4096
"""Bytes of an input of the fuzzer."""
_SECONDS = 0.3
_SECONDS_PER_BYTE = 0.000_05
_GROWN_EVERY = 400
_TEXTS = frozenset({"filter", "path"})


def main() -> int:
    """The exit status: 1 when something was found."""
    arguments = _arguments()
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - the children instrument it first

    names = arguments.targets or list(TARGETS)
    if arguments.child:
        _fuzz(names[0], arguments)
    if arguments.distil:
        from tests.fuzz.distil import distil  # noqa: PLC0415

        for name in names:
            kept, reached = distil(TARGETS[name], CORPUS / name, Path(arguments.work) / name)
            print(f"{name}: {kept} inputs reach {reached} lines", flush=True)
        return 0
    share = max(1, arguments.seconds // len(names))
    for name in names:
        command = [
            sys.executable,
            "-m",
            "tests.fuzz",
            "--child",
            "--seconds",
            str(share),
            "--work",
            arguments.work,
            name,
        ]
        subprocess.run(command, check=False)
    found = sorted((Path(arguments.work) / "findings").glob("*.txt"))
    for report in found:
        print(f"== {report}\n{report.read_text()}", flush=True)
    print(f"{len(found)} findings", flush=True)
    return 1 if found else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=int, default=3600, help="of all targets together")
    parser.add_argument("--work", default=".fuzz", help="where the corpus grows and findings are written")
    parser.add_argument("--distil", action="store_true", help="renew the committed corpus instead of fuzzing")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*")
    return parser.parse_args()


def _fuzz(name: str, arguments: argparse.Namespace) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris  # noqa: PLC0415 - only here is it needed

    for module in [loaded for loaded in sys.modules if loaded.partition(".")[0] in {"service", "tests"}]:
        del sys.modules[module]
    with atheris.instrument_imports(include=["service"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415

    work = Path(arguments.work)
    grown, findings = work / name, work / "findings"
    for directory in (grown, findings):
        directory.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={arguments.seconds}", f"-max_len={LARGEST}", "-print_final_stats=1", "-timeout=60"]
    options += ["-rss_limit_mb=2048", f"-artifact_prefix={findings}/{name}-", "-verbosity=1", "-report_slow_units=1000"]
    atheris.Setup(
        [name, *options, str(grown), str(CORPUS / name)],
        _recording(TARGETS[name], name, findings),
        custom_mutator=_mutator(name, atheris),
    )
    atheris.Fuzz()


def _recording(target: Callable[[bytes], None], name: str, findings: Path) -> Callable[[bytes], None]:
    from tests.fuzz.growth import check_growth  # noqa: PLC0415

    runs = 0

    def run(data: bytes) -> None:
        nonlocal runs
        runs += 1
        try:
            begin = process_time()
            target(data)
            if process_time() - begin > _ceiling(data):
                _check_cost(target, data)
            if runs % _GROWN_EVERY == 0:
                check_growth(target, data, Random(runs), seconds=_SECONDS)
        except Exception as error:
            _record(error, data, findings, name)

    return run


def _ceiling(data: bytes) -> float:
    return _SECONDS + len(data) * _SECONDS_PER_BYTE


def _check_cost(target: Callable[[bytes], None], data: bytes) -> None:
    costs = []
    for _ in range(3):
        begin = process_time()
        target(data)
        costs.append(process_time() - begin)
    assert min(costs) <= _ceiling(data), f"{min(costs):.2f} s of CPU for {len(data)} bytes"


def _record(error: Exception, data: bytes, findings: Path, name: str) -> None:
    """One report for each place where something fails, with the smallest input."""
    frames = traceback.extract_tb(error.__traceback__)
    place = "".join(f"{frame.filename}:{frame.lineno}" for frame in frames[-3:]) + type(error).__name__
    stem = f"{name}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"
    kept = findings / f"{stem}.bin"
    if not kept.exists() or kept.stat().st_size > len(data):
        kept.write_bytes(data)
        report = "".join(traceback.format_exception(error))
        (findings / f"{stem}.txt").write_text(f"{data!r}\n{report}")


def _mutator(name: str, atheris: ModuleType) -> Callable[[bytes, int, int], bytes]:
    from tests.fuzz.mutations import mutate_json, mutate_text  # noqa: PLC0415

    def mutate(data: bytes, largest: int, seed: int) -> bytes:
        random = Random(seed)
        if random.random() < 0.8:
            changed = mutate_text(data, random) if name in _TEXTS else mutate_json(data, random)
            if changed is not None and len(changed) <= largest:
                return changed
        return bytes(atheris.Mutate(data, largest))

    return mutate
