"""One worker of `dirsync serve`: service and gateway on one uvloop loop, over ports that the workers share."""

import asyncio
import dataclasses
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
import uvloop
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.app import create_app
from gateway.config import from_environment as gateway_config
from gateway.server import serve
from gateway.webhooks.dispatcher import Dispatcher
from gateway.webhooks.settings import settings_of
from service.bootstrap import Service, running, settle_memory
from service.config import ServiceConfig
from service.telemetry import configure_logging

# In all less than what the supervisor waits before it kills.
HTTP_STOP_SECONDS = 2
SERVICE_DRAIN_SECONDS = 2.0
MAX_MESSAGE_BYTES = 64 * 1024 * 1024


async def work() -> int:
    """Serves until SIGTERM, SIGINT, or the end of standard input, which says that the supervisor is gone: 0. Returns 1
    when a part has failed and the process must be replaced.
    """
    stop = _stop_requested()
    config = dataclasses.replace(ServiceConfig.from_environment(os.environ), drain_seconds=SERVICE_DRAIN_SECONDS)
    http = dataclasses.replace(gateway_config(os.environ), stop_seconds=HTTP_STOP_SECONDS)
    async with running(config) as service, _channel(service) as channel:
        metrics_text = _metrics_text(service)
        app = create_app(channel, http, ready=service.ready, registry=service.registry, metrics_text=metrics_text)
        server = serve(app, http)
        dispatcher = Dispatcher(cast("grpc.aio.Channel", service.dispatch_channel), settings_of(http), service.registry)
        delivering = asyncio.create_task(dispatcher.run())
        serving = asyncio.create_task(server.serve())
        try:
            await _first(serving, server.started())
            if not serving.done():
                settle_memory()
                print("ready", flush=True)
                await _first(serving, stop.wait(), service.failed.wait(), _end_of(delivering))
        finally:
            app.drain()
            await asyncio.gather(server.stop(), dispatcher.drain())
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)
            await service.drain()
        await serving
    return 0 if stop.is_set() else 1


async def _first(serving: "asyncio.Task[None]", *awaited: Coroutine[Any, Any, Any]) -> None:
    tasks = [asyncio.create_task(one) for one in awaited]
    await asyncio.wait([serving, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


async def _end_of(task: "asyncio.Task[None]") -> None:
    await asyncio.wait([task])


@asynccontextmanager
async def _channel(service: Service) -> AsyncIterator[grpc.aio.Channel]:
    if os.environ.get("DIRSYNC_TRANSPORT") != "grpc":
        # It has of a channel what generated stubs use.
        yield cast("grpc.aio.Channel", service.channel)
        return
    options = [("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{service.grpc_port}", options) as channel:
        yield channel


def _metrics_text(service: Service) -> Callable[[], bytes] | None:
    """What /metrics shows: all workers as one. A worker that is alone shows its own registry."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return None

    def text() -> bytes:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        registry.register(service.database_state)
        return generate_latest(registry)

    return text


def _stop_requested() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def supervisor_said() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            stop.set()

    loop.add_reader(sys.stdin.fileno(), supervisor_said)
    return stop


def main() -> None:
    """Entry of `python -m directorysync.cli.worker`."""
    configure_logging(os.environ.get("DIRSYNC_LOG_LEVEL") or "info")
    status = uvloop.run(work())
    # Everything is closed. Taking the interpreter apart takes half a second, a tenth of what a stop may take.
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
