"""A TCP proxy on a free port that a test can cut, to see what a broken network does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Forwards `127.0.0.1:port` to `target`."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._stalled = asyncio.Event()
        self._stalled.set()
        self._refusing = False
        self.port = 0
        self.connections = 0
        self.allowances: list[int] = []
        """For each of the next connections, how many bytes from the target come through before it is reset."""

    @property
    def address(self) -> str:
        """HOST:PORT to connect to."""
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Resets every connection; new ones are accepted."""
        for writer in list(self._writers):
            writer.transport.abort()

    def stall(self) -> None:
        """Keeps connections open and forwards nothing from the target."""
        self._stalled.clear()

    def flow(self) -> None:
        """Ends `stall`."""
        self._stalled.set()

    def refuse(self) -> None:
        """Ends new connections at once, as a server that is away does."""
        self._refusing = True

    def accept(self) -> None:
        """Ends `refuse`."""
        self._refusing = False

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._refusing:
            writer.transport.abort()
            return
        allowance = self.allowances.pop(0) if self.allowances else None
        with suppress(OSError):
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._target)
            ends = {writer, upstream_writer}
            self._writers |= ends
            try:
                await asyncio.gather(
                    self._pump(reader, upstream_writer), self._pump_back(upstream_reader, writer, allowance)
                )
            finally:
                self._writers -= ends
                for end in ends:
                    end.transport.abort()
        writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError

    async def _pump_back(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, allowance: int | None
    ) -> None:
        while data := await reader.read(65536):
            await self._stalled.wait()
            writer.write(data[:allowance])
            await writer.drain()
            if allowance is not None:
                allowance -= len(data)
                if allowance <= 0:
                    break
        raise ConnectionResetError


@asynccontextmanager
async def tcp_proxy(host: str, port: int) -> AsyncIterator[Proxy]:
    """A proxy in front of HOST:PORT for as long as the block lasts."""
    proxy = Proxy(host, port)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        await server.wait_closed()
