"""Starts the bare gRPC server of bare_grpc.py and says where it is."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks import processes
from benchmarks.results import Cpu


@dataclass(frozen=True, slots=True)
class BareServer:
    """Address and process."""

    address: str
    pid: int

    def cpu(self) -> Cpu:
        """CPU seconds used so far."""
        return Cpu(processes.cpu_seconds(self.pid), 0.0)


@contextmanager
def running(*, answer: bytes = b"", event: bytes = b"") -> Iterator[BareServer]:
    """A server for as long as the block lasts."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bare_grpc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps({"answer": answer.hex(), "event": event.hex()}) + "\n")
        process.stdin.flush()
        yield BareServer(f"127.0.0.1:{int(process.stdout.readline())}", process.pid)
    finally:
        process.stdin.close()
        process.terminate()
        process.wait(10)
