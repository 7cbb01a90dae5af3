"""One HTTP request and its answer, as every room of the gateway sees them. Knows ASGI, nothing of SCIM or gRPC."""

import asyncio
from typing import Final, NamedTuple
from urllib.parse import unquote

from starlette.types import Message, Receive, Scope, Send

SCOPE_KEY: Final = "directorysync.exchange"
UNMATCHED: Final = "unmatched"

_BODILESS = frozenset({204, 304})
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 16 * 1024 * 1024

Headers = list[tuple[bytes, bytes]]


class ClientDisconnected(Exception):
    """The client went away before the request was whole."""


class Answer(NamedTuple):
    """What to send. `content-length` is added; `close` ends the connection after it."""

    status: int
    headers: Headers
    body: bytes = b""
    close: bool = False


class Exchange:
    """The request taken apart once, and what the access log will say about it."""

    __slots__ = (
        "_receive",
        "_send",
        "body_pending",
        "directory",
        "headers",
        "method",
        "reason",
        "request_id",
        "route",
        "scope",
        "segments",
        "sent_bytes",
        "status",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes], request_id: str):
        self.scope = scope
        self._receive = receive
        self._send = send
        self.body_pending = True
        self.headers = headers
        self.request_id = request_id
        self.method: str = scope["method"]
        self.segments = path_segments(scope)
        self.route = UNMATCHED
        self.directory: str | None = None
        self.reason: str | None = None
        self.status = 0
        self.sent_bytes = 0

    async def receive(self) -> Message:
        """ASGI `receive` that notes whether more of the body is to come."""
        message = await self._receive()
        self.body_pending = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """ASGI `send` that adds `x-request-id` and notes status and size."""
        started = message["type"] == "http.response.start"
        if started:
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self.request_id.encode())]
        await self._send(message)
        if started:
            self.status = message["status"]
        else:
            self.sent_bytes += len(message.get("body", b""))

    async def answer(self, answer: Answer) -> None:
        """Send a whole answer; to HEAD only its head."""
        status, headers, body, close = answer
        headers = [*headers, (b"x-request-id", self.request_id.encode())]
        if status not in _BODILESS:
            headers.append((b"content-length", b"%d" % len(body)))
        if close:
            headers.append((b"connection", b"close"))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        self.status = status
        if self.method == "HEAD" or status in _BODILESS:
            body = b""
        self.sent_bytes = len(body)
        if close:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
            await self._linger()
            body = b""
        await self._send({"type": "http.response.body", "body": body})

    async def _linger(self) -> None:
        # Closing on unread bytes makes the kernel reset the connection, and the client loses the answer it was sent.
        left = _LINGER_BYTES
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while self.body_pending and left > 0:
                    left -= len((await self.receive()).get("body", b""))
        except TimeoutError:
            return


def exchange_of(scope: Scope) -> Exchange:
    """The exchange that the outermost layer stored in the scope."""
    exchange: Exchange = scope[SCOPE_KEY]
    return exchange


def joined_headers(scope: Scope) -> dict[bytes, bytes]:
    """Header values by lower-case name; repeated ones joined by `, ` (RFC 9110 5.3)."""
    pairs: Headers = scope["headers"]
    headers = dict(pairs)
    if len(headers) == len(pairs):
        return headers
    headers.clear()
    for name, value in pairs:
        headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


def path_segments(scope: Scope) -> list[str]:
    """Decoded segments of the path, empty ones left out: trailing and double slashes do not matter."""
    raw: bytes | None = scope.get("raw_path")
    path = scope["path"] if raw is None else raw.decode("latin-1")
    segments = [segment for segment in path.split("/") if segment]
    if raw is not None and "%" in path:
        return [unquote(segment) for segment in segments]
    return segments
