"""The lightest HTTP/1.1 client that is right for this server: keep-alive, one request at a time, `content-length`."""

import asyncio
from typing import cast


class Connection(asyncio.Protocol):
    """Bytes out, status and body in. A broken or unreadable answer raises ConnectionError."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._need = 0  # bytes of the answer, head and body; 0 while the head is not whole
        self._head = 0
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> "Connection":
        """A connection that is open."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    async def exchange(self, request: bytes) -> tuple[int, bytes]:
        """Send one request, return status and body."""
        if self._transport is None:
            raise ConnectionError("the connection is closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._need:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._head = end + 4
            self._need = self._head + self._body_length(bytes(self._buffer[:end]).lower())
        if len(self._buffer) < self._need or self._answer is None:
            return
        status, body = int(self._buffer[9:12]), bytes(self._buffer[self._head : self._need])
        del self._buffer[: self._need]
        self._need = 0
        answer, self._answer = self._answer, None
        answer.set_result((status, body))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server closed the connection"))

    def close(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.close()

    def _body_length(self, head: bytes) -> int:
        _, found, rest = head.partition(b"\r\ncontent-length:")
        if found:
            return int(rest.partition(b"\r\n")[0])
        if head[9:12] in {b"204", b"304"}:
            return 0
        if self._answer is not None:
            self._answer.set_exception(ConnectionError("an answer without content-length"))
        return 0
