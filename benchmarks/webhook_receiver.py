"""A receiver of webhooks that does as little as one can: reads the request, answers 204, counts.

Lines on standard input: `reset` forgets; each is answered with the count and the seconds from the first request to the
last.
"""

import asyncio
import json
import sys
import time
from typing import ClassVar

import uvloop

_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_LENGTH = b"content-length:"


class Receiver(asyncio.Protocol):
    """One connection."""

    counts: ClassVar[list[float]] = [0, 0.0, 0.0]

    def __init__(self) -> None:
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            at = head.index(_LENGTH) + len(_LENGTH)
            whole = end + 4 + int(head[at:].split(b"\r\n", 1)[0])
            if len(self._data) < whole:
                return
            self._data = self._data[whole:]
            now = time.perf_counter()
            counts = Receiver.counts
            counts[0] += 1
            counts[1] = counts[1] or now
            counts[2] = now
            self._transport.write(_ANSWER)  # type: ignore[attr-defined]


async def serve() -> None:
    """Until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Receiver, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.strip() == "reset":
            Receiver.counts = [0, 0.0, 0.0]
        count, first, last = Receiver.counts
        print(json.dumps({"count": count, "seconds": last - first}), flush=True)
    server.close()


if __name__ == "__main__":
    uvloop.run(serve())
