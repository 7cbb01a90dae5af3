"""The limit of everything that goes over gRPC: a grpc.aio server that does nothing but send given bytes.

Started with one line of JSON on standard input (`answer` and `event`, in hex); prints its port.

- `/bare/Get`: the answer.
- `/bare/Follow`: the event again and again at a given rate, to every reader that has come; each reader is sent what has
  come since its last message, as one message.
- `/bare/Replay`: a number of events in messages of 100.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import uvloop

from directorysync.v1 import directory_sync_pb2 as sync
from directorysync.v1 import events_pb2

_BATCH = 100
_STARTED = sync.WatchEventsResponse(started=True, caught_up=True).SerializeToString()


@dataclass(slots=True)
class _Stage:
    """Readers of one `Follow` run, and the events so far as ready bytes."""

    readers: int = 0
    events: list[bytes] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)
    publisher: asyncio.Task[None] | None = None


class Bare:
    """The three methods. Requests are JSON."""

    def __init__(self, answer: bytes, event: bytes) -> None:
        self._answer = answer
        self._event = events_pb2.Event.FromString(event)
        self._stages: dict[str, _Stage] = {}

    async def get(self, _request: bytes, _context: object) -> bytes:
        return self._answer

    async def follow(self, request: bytes, _context: object) -> AsyncIterator[bytes]:
        wanted = json.loads(request)
        stage = self._stages.setdefault(wanted["run"], _Stage())
        stage.readers += 1
        if stage.readers == wanted["readers"]:
            stage.publisher = asyncio.create_task(self._publish(stage, wanted["rate"], wanted["count"]))
        yield _STARTED
        sent = 0
        while sent < wanted["count"]:
            if sent == len(stage.events):
                await stage.more.wait()
                continue
            ready = stage.events[sent:]
            sent += len(ready)
            yield b"".join(ready)

    async def replay(self, request: bytes, _context: object) -> AsyncIterator[bytes]:
        count = json.loads(request)["count"]
        message = _entry(self._event) * _BATCH
        yield _STARTED
        for _ in range(count // _BATCH):
            yield message
        yield _entry(self._event) * (count % _BATCH)

    async def _publish(self, stage: _Stage, rate: float, count: int) -> None:
        event = events_pb2.Event()
        event.CopyFrom(self._event)
        began = time.perf_counter() + 0.3
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            now = time.time_ns()
            event.directory_sequence = number + 1
            event.create_time.FromNanoseconds(now)
            stage.events.append(_entry(event))
            stage.more.set()
            stage.more = asyncio.Event()


def _entry(event: events_pb2.Event) -> bytes:
    """One element of WatchEventsResponse.events on the wire: messages of several are made by putting them together."""
    return sync.WatchEventsResponse(events=[event]).SerializeToString()


def handlers(bare: Bare) -> list[grpc.GenericRpcHandler]:
    """Without serialisers: bytes in, bytes out."""
    method: Callable[..., Any] = grpc.unary_unary_rpc_method_handler
    stream: Callable[..., Any] = grpc.unary_stream_rpc_method_handler
    found = {"Get": method(bare.get), "Follow": stream(bare.follow), "Replay": stream(bare.replay)}
    return [grpc.method_handlers_generic_handler("bare", found)]


async def serve(settings: dict[str, str]) -> None:
    """Until standard input ends."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(handlers(Bare(bytes.fromhex(settings["answer"]), bytes.fromhex(settings["event"]))))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    ended: Awaitable[str] = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await ended
    await server.stop(0)


if __name__ == "__main__":
    uvloop.run(serve(json.loads(sys.stdin.readline())))
