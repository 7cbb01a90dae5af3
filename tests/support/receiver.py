"""A real HTTP server that receives webhooks, well or badly, as each test says."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request that arrived whole."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass(frozen=True)
class Answer:
    """How a request is answered. `hang`: not at all. `cut`: the connection ends in the middle of the head.
    `slow`: seconds before the answer. `endless`: the body never ends. `informational`: responses 102 before it.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b"ok"
    hang: bool = False
    cut: bool = False
    slow: float = 0.0
    endless: bool = False
    close: bool = False
    informational: int = 0


OK = Answer()
HANG = Answer(hang=True)
CUT = Answer(cut=True)
Decide = Callable[[Received], Answer]


@dataclass
class Receiver:
    """Keeps what arrived, and answers by path: `answers["/a"]` is one answer for all or decides on each request."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    answers: dict[str, Answer | Decide] = field(default_factory=dict)
    otherwise: Answer | Decide = OK
    connections: int = 0
    open_requests: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    most_open: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def at(self, path: str) -> list[Received]:
        return [one for one in self.received if one.path == path]

    def ids(self, path: str = "/hook") -> list[str]:
        return [one.id for one in self.at(path)]

    async def until(self, holds: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait until something holds that arriving requests bring about."""
        async with asyncio.timeout(seconds):
            while not holds():
                self.arrived.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await self.arrived.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while (request := await _read(reader)) is not None:
                self.open_requests[request.path] += 1
                most = max(self.most_open[request.path], self.open_requests[request.path])
                self.most_open[request.path] = most
                try:
                    if not await self._answer(request, reader, writer):
                        return
                finally:
                    self.open_requests[request.path] -= 1
            writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """False when the connection ends."""
        chosen = self.answers.get(request.path, self.otherwise)
        answer = chosen if isinstance(chosen, Answer) else chosen(request)
        self.received.append(request)
        self.arrived.set()
        if answer.hang:
            await reader.read()
            return False
        if answer.slow:
            await asyncio.sleep(answer.slow)
        if answer.cut:
            writer.write(b"HTTP/1.1 200 O")
            await writer.drain()
            return False
        for _ in range(answer.informational):
            writer.write(_head(102, []))
            await writer.drain()
        length = [] if answer.endless else [("content-length", str(len(answer.body)))]
        writer.write(_head(answer.status, [*answer.headers, *length]) + answer.body)
        await writer.drain()
        while answer.endless:
            writer.write(b"x" * 4_096)
            await writer.drain()
        return not answer.close


def _head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _read(reader: asyncio.StreamReader) -> Received | None:
    begin = await reader.read(1)
    if not begin.isalpha():
        # The end, or a client that speaks TLS.
        return None
    head = (begin + await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(first.split()[1], headers, body)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free port of the loopback interface."""
    receiver = Receiver()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(receiver.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
