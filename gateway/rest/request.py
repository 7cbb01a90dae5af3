"""A request after the checks that all routes share: credential, parameters, body, the way to the service."""

import re
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import grpc

from gateway.bearer import bearer_token
from gateway.bodies import check_content, read_text
from gateway.config import GatewayConfig
from gateway.exchange import Answer, Exchange
from gateway.origin import origin
from gateway.problems import PLAIN_JSON
from gateway.rest.body import Body, parse_body
from gateway.rest.errors import invalid
from gateway.rest.parameters import Parameters
from gateway.upstream import Caller, Upstream
from gateway.workos import json

_Q = TypeVar("_Q")
_R = TypeVar("_R")

_MAX_BODY_BYTES: Final = 256 * 1024
_KEY: Final = re.compile(rb"[ -~]{1,255}")


@dataclass(slots=True)
class RestRequest:
    """What a handler needs: where, what, by whom, and how to answer. `path`: what stands for `{…}` in the route."""

    exchange: Exchange
    upstream: Upstream
    config: GatewayConfig
    caller: Caller
    path: Mapping[str, str]

    def parameters(self) -> Parameters:
        """The query. Raises 422."""
        return Parameters(self.exchange.scope.get("query_string", b""))

    async def body(self, *, optional: bool = False) -> Body:
        """The body; `optional`: none at all is an empty object. Raises 400, 413, 415."""
        if optional and not _announced(self.exchange):
            return Body({})
        check_content(self.exchange.headers, "application/json")
        return parse_body(await read_text(self.exchange, _MAX_BODY_BYTES))

    def call(self, method: grpc.aio.UnaryUnaryMultiCallable[_Q, _R], message: _Q) -> Awaitable[_R]:
        """Call the service in the caller's name. Raises Problem."""
        return self.upstream.call(method, message, self.caller)

    @property
    def base_url(self) -> str:
        """The gateway as the client sees it. Raises 400."""
        return origin(self.exchange, self.config)


def accept_request(
    exchange: Exchange, upstream: Upstream, config: GatewayConfig, path: Mapping[str, str], *, public: bool = False
) -> RestRequest:
    """Check what every request must have; `public`: without a credential. Raises 401, 422."""
    token = "" if public else bearer_token(exchange.headers.get(b"authorization"))
    key = exchange.headers.get(b"idempotency-key", b"").strip() if exchange.method == "POST" else b""
    if key and _KEY.fullmatch(key) is None:
        raise invalid("Idempotency-Key", "Idempotency-Key is 1 to 255 printable ASCII characters.")
    return RestRequest(exchange, upstream, config, Caller(token, exchange.request_id, key.decode("ascii")), path)


def _announced(exchange: Exchange) -> bool:
    headers = exchange.headers
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers


def json_answer(status: int, value: Any) -> Answer:
    """A JSON answer."""
    return Answer(status, [(b"content-type", PLAIN_JSON)], json.encode(value))


def no_content() -> Answer:
    """204."""
    return Answer(204, [])
