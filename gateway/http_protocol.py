"""Uvicorn's httptools protocol with what it lacks: ceilings on sizes and times, and no ear for offers to upgrade."""

import asyncio
import re
from typing import Final, Literal, cast

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.access import request_id
from gateway.exchange import SCOPE_KEY, Exchange
from gateway.problems import error_form, http_problem

_OFFER: Final = frozenset({b"connection", b"upgrade", b"http2-settings"})
_REQUEST_ID: Final = b"x-request-id"
_NOT_ASCII: Final = re.compile(rb"[\x80-\xff]")
_REASONS: Final = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large"}


class _HeadTooLargeError(Exception):
    """Ends the parser's work on a head above the ceiling."""


class BoundedProtocol(HttpToolsProtocol):
    """Refuses heads above `max_head_bytes` (431), and heads and bodies that are not whole in their time (408)."""

    max_head_bytes: int
    head_seconds: float
    body_seconds: float

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock of the first head."""
        super().connection_made(transport)
        self._arriving: Literal["head", "body"] | None = None
        self._too_large = False
        self._upgrade_offered = False
        self._handed_on = False
        self._head_bytes = 0
        self._timer: asyncio.TimerHandle | None = self.loop.call_later(self.head_seconds, self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; a head that goes on and on is refused while it still arrives."""
        if self._arriving == "head":
            self._head_bytes += len(data)
        elif self._arriving is None and not data.isascii():
            data = _escaped(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._pass_over_offer(data[offer.args[0] :])
            return
        except httptools.HttpParserError:
            self.send_400_response("")
            return
        if self._arriving == "head" and self._head_bytes > self.max_head_bytes:
            self._too_large = True
            self.send_400_response("")
        elif self._arriving is not None and self._timer is None:
            # A request that comes in one piece, as nearly all do, never needs the clock.
            seconds = self.head_seconds if self._arriving == "head" else self.body_seconds
            self._timer = self.loop.call_later(seconds, self._late)

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._arriving = "head"
        self._handed_on = False
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """The head is whole: check its size and hand it on."""
        self._arriving = "body"
        self._stop_timer()
        size = len(self.url)
        for name, value in self.headers:
            size += len(name) + len(value) + 4
        if size > self.max_head_bytes:
            self._too_large = True
            raise _HeadTooLargeError
        self._upgrade_offered = self.parser.should_upgrade()
        if not self._upgrade_offered:
            super().on_headers_complete()
            self._handed_on = True

    def on_message_complete(self) -> None:
        """The body is whole."""
        self._arriving = None
        self._handed_on = False
        self._stop_timer()
        if not self._upgrade_offered:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, or too much of it, and close."""
        if self._too_large:
            self._refuse(431, f"The head of the request is larger than {self.max_head_bytes} bytes.")
        else:
            self._refuse(400, "This is not an HTTP request.")

    def _pass_over_offer(self, rest: bytes) -> None:
        # httptools takes what follows an offer to upgrade for the other protocol and drops the body. Java's HTTP client
        # offers h2c with every first request on plain HTTP, so the same request is read again without the offer.
        method: bytes = self.parser.get_method()
        if method == b"CONNECT":
            self.send_400_response("")
            return
        headers = [pair for pair in self.headers if pair[0] not in _OFFER]
        if not self.parser.should_keep_alive():
            headers.append((b"connection", b"close"))
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (method, self.url, version), *(b"%s: %s" % pair for pair in headers), b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(b"\r\n".join(lines) + rest)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        answering = self._arriving == "body" and self.cycle.response_started
        if self._arriving is None or answering:
            self.transport.close()
        else:
            self._refuse(408, f"The {self._arriving} of the request did not arrive in time.")

    def _refuse(self, status: int, detail: str) -> None:
        if self.transport.is_closing():
            return
        if not self._handed_on and self.cycle is not None and not self.cycle.response_complete:
            # It would be taken for the answer to the request before, which is yet to come and now the last.
            self.shutdown()
            return
        if self._handed_on and (self.pipeline or self.cycle.response_started):
            self.transport.close()
            return
        path = (getattr(self, "url", None) or b"").partition(b"?")[0].decode("latin-1")
        form = error_form([segment for segment in path.split("/") if segment])
        chosen = self._chosen_id()
        if not self._handed_on:
            structlog.get_logger().info("refused", status=status, request_id=chosen)
        _, headers, body, _ = form(http_problem(status, detail), chosen)
        headers = [
            *headers,
            (_REQUEST_ID, chosen.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        lines = [b"HTTP/1.1 %d %s" % (status, _REASONS[status].encode()), *(b"%s: %s" % pair for pair in headers)]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        self.transport.close()

    def _chosen_id(self) -> str:
        # What was handed on has a line in the log of its own, which is to bear the same id.
        exchange = cast("dict[str, Exchange]", self.scope).get(SCOPE_KEY) if self._handed_on else None
        if exchange is not None:
            return exchange.request_id
        # Between two requests the headers are those of the one before.
        arrived = self.headers if self._arriving is not None else []
        offered = [value for name, value in arrived if name == _REQUEST_ID]
        chosen = request_id(b", ".join(offered))
        if self._handed_on:
            # The application has yet to look at the headers.
            arrived[:] = [*(pair for pair in arrived if pair[0] != _REQUEST_ID), (_REQUEST_ID, chosen.encode())]
        return chosen


def _escaped(data: bytes) -> bytes:
    """The beginning of a request with what its first line must have escaped: Ping's filters hold names as they are."""
    line, end, rest = data.partition(b"\r\n")
    return _NOT_ASCII.sub(lambda found: b"%%%02X" % found[0][0], line) + end + rest


def bounded_protocol(max_head_bytes: int, head_seconds: float, body_seconds: float) -> type[BoundedProtocol]:
    """The protocol with its ceilings, in bytes and seconds."""
    ceilings = {"max_head_bytes": max_head_bytes, "head_seconds": head_seconds, "body_seconds": body_seconds}
    return type("Protocol", (BoundedProtocol,), ceilings)
