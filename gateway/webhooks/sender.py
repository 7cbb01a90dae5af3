"""One attempt: a POST to an address that was checked, without redirects, within bounds of time and size."""

import asyncio
import itertools
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any, Final, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from yarl import URL

from gateway.addresses import AddressRefused, literal
from gateway.webhooks.settings import WebhookSettings

MAX_BODY: Final = 1_024
"""Bytes of an answer that are kept; what follows is not read."""
_BODY_SECONDS: Final = 2.0
_IDLE_SECONDS: Final = 15.0
_DNS_SECONDS: Final = 30
_DNS_THREADS: Final = 16
_MAX_HEAD: Final = 8_190
_MAX_HOSTS: Final = 10_000
_MAX_INFORMATIONAL: Final = 16
"""Responses 1xx before the answer; a receiver sends one or two, if any."""

Resolve = Callable[[str, int], Awaitable[list[tuple[Any, ...]]]]
"""As socket.getaddrinfo: (family, type, protocol, canonical name, address)."""

_host: ContextVar[str] = ContextVar("webhook_host", default="")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt. `error` is a word of WebhookAttempt.error; `status` 0: no answer."""

    status: int
    error: str
    seconds: float
    body: bytes = b""
    retry_after: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the receiver took it: any 2xx."""
        return not self.error


class CheckedResolver(AbstractResolver):
    """Resolves a name once and gives only addresses that may be connected to."""

    def __init__(self, settings: WebhookSettings, resolve: Resolve | None = None) -> None:
        self._policy = settings.policy
        self._threads = ThreadPoolExecutor(_DNS_THREADS, "webhook-dns")
        self._resolve = resolve or self._getaddrinfo

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises AddressRefused when every address is refused."""
        found = await self._resolve(host, port)
        allowed = [entry for entry in found if self.allowed(host, entry[4][0])]
        if found and not allowed:
            raise AddressRefused("a name of addresses that are not public")
        return [
            ResolveResult(
                hostname=host,
                host=entry[4][0],
                port=port,
                family=entry[0],
                proto=entry[2],
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for entry in allowed
        ]

    def allowed(self, host: str, text: str) -> bool:
        """Whether an address may be connected to; a text that is none may not."""
        address = literal(text)
        return address is not None and self._policy.allows(host.lower().rstrip("."), address)

    async def close(self) -> None:
        """Let its threads go; one that still waits for an answer ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _getaddrinfo(self, host: str, port: int) -> list[tuple[Any, ...]]:
        # In threads of its own: names that hang must not hold up those who resolve for other reasons.
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )


class _Response(aiohttp.ClientResponse):
    """One that does not wait for its status behind informational responses (RFC 9110 section 15.2) without end."""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Raises ClientPayloadError behind too many of them."""
        protocol = connection.protocol
        assert protocol is not None  # noqa: S101 (it is connected)
        read, heads = protocol.read, itertools.count()

        async def bounded() -> Any:
            if next(heads) > _MAX_INFORMATIONAL:
                raise aiohttp.ClientPayloadError("informational responses without end")
            return await read()

        # The library reads them in a loop of its own.
        with _replaced(protocol, bounded):
            return await super().start(connection)


@contextmanager
def _replaced(protocol: Any, read: Callable[[], Awaitable[Any]]) -> Iterator[None]:
    protocol.read = read
    try:
        yield
    finally:
        del protocol.read


class Sender:
    """Use it as a context manager. `resolve` stands in for getaddrinfo."""

    def __init__(self, settings: WebhookSettings, resolve: Resolve | None = None) -> None:
        self._settings = settings
        self._resolver = CheckedResolver(settings, resolve)
        self._session: aiohttp.ClientSession | None = None
        self._hosts: dict[str, str] = {}
        self._timeout = aiohttp.ClientTimeout(total=settings.total_seconds, sock_connect=settings.connect_seconds)

    async def __aenter__(self) -> Self:
        settings = self._settings
        connector = aiohttp.TCPConnector(
            limit=settings.connections,
            resolver=self._resolver,
            ttl_dns_cache=_DNS_SECONDS,
            keepalive_timeout=_IDLE_SECONDS,
            socket_factory=self._socket,
            ssl=ssl.create_default_context(cafile=settings.ca_file),
        )
        trace = aiohttp.TraceConfig()
        trace.on_connection_reuseconn.append(_reused)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            max_line_size=_MAX_HEAD,
            max_field_size=_MAX_HEAD,
            read_bufsize=16 * 1024,
            trace_configs=[trace],
            response_class=_Response,
            headers={
                "user-agent": f"directorysync/{version('directorysync')}",
                "accept": "*/*",
                "accept-encoding": "identity",
            },
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
        await self._resolver.close()

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Never raises but when it is cancelled."""
        began = time.monotonic()
        try:
            _host.set(self._host_of(url))
            status, kept, retry_after = await self._exchange(url, body, headers)
        except Exception as error:  # whatever a receiver does belongs to its endpoint alone
            return Outcome(0, _word(error), time.monotonic() - began)
        word = "" if 200 <= status < 300 else "redirect" if 300 <= status < 400 else "status"
        return Outcome(status, word, time.monotonic() - began, kept, retry_after)

    def _host_of(self, url: str) -> str:
        """Endpoints are few and asked often. Raises AddressRefused."""
        host = self._hosts.get(url)
        if host is None:
            if len(self._hosts) >= _MAX_HOSTS:
                self._hosts.clear()
            host = self._hosts[url] = self._settings.policy.check_url(url)
        return host

    async def _exchange(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes, str | None]:
        seen = SimpleNamespace(reused=False)
        try:
            return await self._post(url, body, headers, seen)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not seen.reused:
                raise
        # The receiver closed a connection that was idle, as it may at any time; that is no failed attempt.
        return await self._post(url, body, headers, SimpleNamespace(reused=False))

    async def _post(
        self, url: str, body: bytes, headers: Mapping[str, str], seen: SimpleNamespace
    ) -> tuple[int, bytes, str | None]:
        assert self._session is not None  # noqa: S101 (a context manager)
        request = self._session.post(
            URL(url, encoded=True), data=body, headers=headers, allow_redirects=False, trace_request_ctx=seen
        )
        async with request as response:
            kept = bytearray()
            try:
                # The status is what counts: nobody waits long for the rest.
                async with asyncio.timeout(_BODY_SECONDS):
                    await _read_beginning(response, kept)
            except (aiohttp.ClientError, TimeoutError):
                response.close()
            return response.status, bytes(kept), response.headers.get("retry-after")

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        """The last look before a connection: what the resolver was not asked about ends here."""
        family, kind, protocol, _, address = info
        if not self._resolver.allowed(_host.get(), address[0]):
            raise AddressRefused("an address that is not public")
        return socket.socket(family=family, type=kind, proto=protocol)


async def _read_beginning(response: aiohttp.ClientResponse, kept: bytearray) -> None:
    """At most MAX_BODY bytes; a connection with more to come is not used again."""
    while len(kept) < MAX_BODY:
        part = await response.content.read(MAX_BODY - len(kept))
        if not part:
            return
        kept += part
    if not response.content.at_eof():
        response.close()


async def _reused(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
    context.trace_request_ctx.reused = True


def _word(error: BaseException) -> str:
    """The reason in a word of WebhookAttempt.error; looks through what libraries wrap."""
    if _is_refusal(error):
        return "address_refused"
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return "tls"
    if isinstance(error, aiohttp.ConnectionTimeoutError | TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ClientConnectorError | AddressRefused):
        return "connect"
    return "protocol"


def _is_refusal(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, AddressRefused):
            return True
        if isinstance(error, BaseExceptionGroup) and any(map(_is_refusal, error.exceptions)):
            return True
        error = getattr(error, "os_error", None) or error.__cause__ or error.__context__
    return False
