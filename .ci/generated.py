"""Fail when the generated code is not what the protos say."""

import filecmp
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
KINDS = ("--python_out", "--grpc_python_out", "--mypy_out", "--mypy_grpc_out=only_async:")


def main() -> int:
    """Generate anew beside the tree and compare file by file."""
    with tempfile.TemporaryDirectory() as scratch:
        outputs = [kind + scratch if kind.endswith(":") else f"{kind}={scratch}" for kind in KINDS]
        plugins = [f"--plugin=protoc-gen-{name}={BIN / f'protoc-gen-{name}'}" for name in ("mypy", "mypy_grpc")]
        protos = sorted(str(path) for path in (ROOT / "protos").rglob("*.proto"))
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'protos'}", *plugins, *outputs, *protos]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        fresh = Path(scratch) / "directorysync" / "v1"
        kept = ROOT / "client" / "directorysync" / "v1"
        names = {path.name for path in fresh.iterdir()} | {path.name for path in kept.glob("*_pb2*")}
        stale = [
            name
            for name in sorted(names)
            if not (fresh / name).exists()
            or not (kept / name).exists()
            or not filecmp.cmp(fresh / name, kept / name, shallow=False)
        ]
    if stale:
        print("generated code differs from the protos, run `make proto`:", *stale, sep="\n  ")
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
