"""The base URL of the gateway as its clients see it."""

import re
from functools import lru_cache
from typing import Final

from gateway.config import GatewayConfig
from gateway.exchange import Exchange
from gateway.problems import http_problem

_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")


def origin(exchange: Exchange, config: GatewayConfig) -> str:
    """The base as the client sees it: `public_url`, else the proxy's word if trusted, else Host. Raises 400."""
    if config.public_url is not None:
        return config.public_url
    headers = exchange.headers
    scheme: str = exchange.scope.get("scheme", "http")
    host = headers.get(b"host", b"")
    if not host and exchange.scope.get("http_version") == "1.0":
        host = _address(exchange.scope.get("server"))
    if config.trust_forwarded:
        host = _first(headers.get(b"x-forwarded-host", b"")) or host
        if _first(headers.get(b"x-forwarded-proto", b"")).lower() in {b"http", b"https"}:
            scheme = _first(headers[b"x-forwarded-proto"]).lower().decode()
    return f"{scheme}://{_host_name(host)}"


def _address(server: tuple[str, int | None] | None) -> bytes:
    """Where the request arrived: HTTP/1.0 asks for no Host."""
    name, port = server or ("", None)
    return (f"[{name}]:{port}" if ":" in name else f"{name}:{port}").encode()


@lru_cache(maxsize=128)
def _host_name(host: bytes) -> str:
    name = host.decode("latin-1")
    if _HOST.fullmatch(name) is None:
        raise http_problem(400, "The Host header names no host.")
    return name


def _first(value: bytes) -> bytes:
    return value.partition(b",")[0].strip()
