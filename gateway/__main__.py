"""`python -m gateway`: the gateway alone, in front of a service that is reached over gRPC."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator

import grpc
import uvloop
from prometheus_client import CollectorRegistry

from gateway.app import create_app
from gateway.config import ConfigurationError, GatewayConfig, from_environment
from gateway.health import grpc_probe
from gateway.logs import configure_logging
from gateway.server import HttpServer, serve
from gateway.upstream import open_channel
from gateway.webhooks.dispatcher import Dispatcher
from gateway.webhooks.settings import settings_of


async def run(config: GatewayConfig) -> None:
    """Serve until SIGTERM or SIGINT; then be not ready for `drain_seconds` or until a second signal, finish, close."""
    signals: asyncio.Queue[None] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, signals.put_nowait, None)
    channel = open_channel(config)
    try:
        registry = CollectorRegistry()
        app = create_app(channel, config, ready=grpc_probe(channel), registry=registry)
        server = serve(app, config)
        async with _delivering(channel, config, registry):
            serving = asyncio.create_task(server.serve())
            await _until_signal(server, config, serving, signals)
            app.drain()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(config.drain_seconds):
                    await signals.get()
            await server.stop()
            await serving
    finally:
        await channel.close()


@contextlib.asynccontextmanager
async def _delivering(
    channel: grpc.aio.Channel, config: GatewayConfig, registry: CollectorRegistry
) -> AsyncIterator[None]:
    """Webhooks are delivered while the block lasts, if there is a key for it."""
    if config.delivery_api_key is None:
        yield
        return
    dispatcher = Dispatcher(channel, settings_of(config), registry, api_key=config.delivery_api_key)
    delivering = asyncio.create_task(dispatcher.run())
    try:
        yield
    finally:
        await dispatcher.drain()
        delivering.cancel()
        await asyncio.gather(delivering, return_exceptions=True)


async def _until_signal(
    server: HttpServer, config: GatewayConfig, serving: asyncio.Task[None], signals: "asyncio.Queue[None]"
) -> None:
    await _first_of(asyncio.create_task(server.started()), serving)
    scheme = "https" if config.tls_cert_file else "http"
    host = f"[{server.host}]" if ":" in server.host else server.host
    sys.stdout.write(f"gateway ready on {scheme}://{host}:{server.port}\n")
    sys.stdout.flush()
    await _first_of(asyncio.create_task(signals.get()), serving)


async def _first_of(awaited: asyncio.Task[None], serving: asyncio.Task[None]) -> None:
    await asyncio.wait({awaited, serving}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        awaited.cancel()
        serving.result()
        raise RuntimeError("the listener ended by itself")


def main() -> int:
    """Exit code: 0 after a signal, 1 when the address is taken or a certificate is none, 2 for a bad setting."""
    try:
        config = from_environment(os.environ)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    configure_logging(config.log_level)
    try:
        uvloop.run(run(config))
    except OSError as error:
        sys.stderr.write(f"gateway at {config.http_listen}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
