"""The listener: uvicorn on httptools with ceilings on heads and times. Signals belong to whoever starts it."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from gateway.config import GatewayConfig
from gateway.http_protocol import bounded_protocol

_BACKLOG: Final = 2_048
_SETTLE_SECONDS: Final = 0.5
_UNREAD_MILLISECONDS: Final = 60_000


class _Listener(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets=sockets)
        # Requests that outlived the grace period were just cancelled; let them say so before the loop ends.
        if tasks := set(self.server_state.tasks):
            await asyncio.wait(tasks, timeout=_SETTLE_SECONDS)
        for connection in list(self.server_state.connections):
            connection.transport.abort()


class HttpServer:
    """One listening socket and the application behind it. `port` is known before it serves."""

    def __init__(self, app: ASGIApp, config: GatewayConfig, sock: socket.socket) -> None:
        self._sock = sock
        self._listener = _Listener(_uvicorn_config(app, config))
        self._ended = asyncio.Event()
        self._serving = False
        self.host, self.port = sock.getsockname()[:2]

    async def serve(self) -> None:
        """Serve until `stop`."""
        self._serving = True
        try:
            await self._listener.serve(sockets=[self._sock])
        finally:
            self._ended.set()

    async def started(self) -> None:
        """Wait until connections are accepted."""
        await self._listener.listening.wait()

    async def stop(self) -> None:
        """Accept no more, let running requests end for `stop_seconds`, then cancel them. Returns when all is closed."""
        self._listener.should_exit = True
        if self._serving:
            await self._ended.wait()
        else:
            self._sock.close()


def serve(app: ASGIApp, config: GatewayConfig, *, sock: socket.socket | None = None) -> HttpServer:
    """A server on `sock`, else on a new SO_REUSEPORT socket at `http_listen`. Raises OSError when that is taken."""
    sock = sock or bind(*config.listen_address)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Connections inherit it: a client that stops reading cannot hold an answer in memory for ever.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MILLISECONDS)
    return HttpServer(app, config, sock)


def bind(host: str, port: int) -> socket.socket:
    """A bound socket that other processes of ours can share. Port 0: the system chooses."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _uvicorn_config(app: ASGIApp, config: GatewayConfig) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=bounded_protocol(config.max_head_bytes, config.head_seconds, config.body_seconds),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=config.keep_alive_seconds,
        timeout_graceful_shutdown=config.stop_seconds,
        ssl_certfile=config.tls_cert_file,
        ssl_keyfile=config.tls_key_file,
        ssl_ca_certs=config.tls_client_ca_file,
        ssl_cert_reqs=ssl.CERT_REQUIRED if config.tls_client_ca_file else ssl.CERT_NONE,
    )
