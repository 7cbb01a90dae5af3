"""The outermost layer: request id, one log line and one count per request, and an answer to whatever nobody foresaw."""

import asyncio
import re
import secrets
import traceback
from functools import cached_property
from time import perf_counter
from typing import Any, Final

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from directorysync.v1.errors_pb2 import ErrorReason
from gateway.exchange import SCOPE_KEY, ClientDisconnected, Exchange, joined_headers
from gateway.metrics import GatewayMetrics
from gateway.problems import Problem, error_form, internal_problem, problem

CLIENT_CLOSED_REQUEST: Final = 499

_REQUEST_ID: Final = re.compile(rb"[!-~]{1,128}")
_FRAMES: Final = 12
_SECRETS: Final = ("dst_", "sk_")
_QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})


def request_id(offered: bytes | None) -> str:
    """The caller's id if it is 1 to 128 visible ASCII characters, else a new one."""
    if offered is not None and _REQUEST_ID.fullmatch(offered):
        return offered.decode("ascii")
    return "req_" + secrets.token_hex(16)


class AccessLayer:
    """ASGI wrapper. Lines hold ids, route templates and codes; no path, query, body, header or error text."""

    def __init__(self, app: ASGIApp, metrics: GatewayMetrics) -> None:
        self._app = app
        self._metrics = metrics

    @cached_property
    def _log(self) -> Any:
        # Bound at the first request, when logging is configured: a lazy logger costs as much again on every line.
        return structlog.get_logger().bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; never raises but when it is cancelled."""
        if scope["type"] != "http":
            await _other_protocol(scope, receive, send)
            return
        started = perf_counter()
        headers = joined_headers(scope)
        exchange = Exchange(scope, receive, send, headers, request_id(headers.get(b"x-request-id")))
        scope[SCOPE_KEY] = exchange
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except ClientDisconnected:
            exchange.status = CLIENT_CLOSED_REQUEST
        except asyncio.CancelledError:
            detail = "The server is going away. The request may or may not have been carried out."
            await _answer(exchange, problem(ErrorReason.ERROR_REASON_SERVER_DRAINING, detail))
            raise
        except Exception as error:
            self._log_fault(exchange, error)
            await _answer(exchange, internal_problem())
        finally:
            self._record(exchange, perf_counter() - started)

    def _log_fault(self, exchange: Exchange, error: Exception) -> None:
        # The text of an error may quote what was sent, so only its type and place are kept.
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        self._log.error("fault", request_id=exchange.request_id, error=type(error).__qualname__, where=where)

    def _record(self, exchange: Exchange, seconds: float) -> None:
        self._metrics.observe(exchange.method, exchange.route, exchange.status, seconds)
        write = self._log.debug if exchange.route in _QUIET else self._log.info
        fields: dict[str, object] = {} if exchange.reason is None else {"reason": exchange.reason}
        write(
            "request",
            method=exchange.method,
            route=exchange.route,
            status=exchange.status,
            ms=round(seconds * 1000, 2),
            bytes=exchange.sent_bytes,
            directory=None if _is_secret(exchange.directory) else exchange.directory,
            request_id=exchange.request_id,
            **fields,
        )


def _is_secret(segment: str | None) -> bool:
    # Of the base URL and the token that an administrator copies, the token may land where the key belongs.
    return segment is not None and segment.startswith(_SECRETS)


async def _answer(exchange: Exchange, failure: Problem) -> None:
    exchange.reason = failure.reason
    if exchange.status:
        return  # a head is out, so nothing can be said any more; the server ends the connection
    try:
        await exchange.answer(error_form(exchange.segments)(failure, exchange.request_id))
    except Exception:
        # The server took no answer at all, perhaps because it is what failed. It ends the connection.
        exchange.status = failure.rule.status


async def _other_protocol(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1002})
        return
    while True:
        phase = (await receive())["type"].removeprefix("lifespan.")
        await send({"type": f"lifespan.{phase}.complete"})
        if phase == "shutdown":
            return
