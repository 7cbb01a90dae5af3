"""JavaScript's own word on a line of JSON, where node is installed."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

NODE = shutil.which("node")
_PROGRAM = """
const lines = require("node:readline").createInterface({ input: process.stdin });
lines.on("line", (line) => process.stdout.write(JSON.stringify(JSON.parse(line)) + "\\n"));
"""


class Node:
    """One running node; each line of JSON is parsed and written again."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def written_again(self, text: bytes) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(text + b"\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().removesuffix(b"\n")


@contextmanager
def running_node() -> Iterator[Node]:
    assert NODE is not None
    with subprocess.Popen([NODE, "-e", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Node(process)
        assert process.stdin is not None
        process.stdin.close()
