"""The one interceptor: identity, scope, deadline, errors, metrics and access log of every call, whatever carried it.

gRPC (service.rpc.server) and the in-process channel (service.rpc.local) both end here, so nothing else can differ.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from google.protobuf.message import Message

from service.app.sealed import Sealed
from service.domain.caller import Caller, Scope
from service.domain.errors import (
    ArgumentError,
    ConsumerTooSlowError,
    CredentialsInvalidError,
    DrainingError,
    LimitExceededError,
    StorageUnavailableError,
)
from service.rpc.status import Failure, failure_of, internal
from service.storage.database import BROKEN, NOT_STORABLE, PASSING
from service.telemetry import Telemetry


class Authenticate(Protocol):
    """Turns a secret into a Caller or raises CredentialsInvalidError."""

    async def __call__(self, secret: str) -> Caller:
        """The caller of a secret."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler may know about the call besides its request. `deadline` is on the monotonic clock, in seconds."""

    caller: Caller
    request_id: str
    deadline: float | None
    idempotency_key: str | None = None


UnaryHandler = Callable[[Any, Call], Awaitable[Message]]
StreamHandler = Callable[[Any, Call], AsyncGenerator[Sealed]]
DuplexHandler = Callable[[AsyncIterator[Any], Call], AsyncGenerator[Sealed]]


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC, of one kind: `unary`, `stream` (of responses) or `duplex` (streams of both).

    Handlers of streams yield serialised responses, so that equal readers share their bytes.
    """

    path: str
    request: type[Message]
    response: type[Message]
    scopes: tuple[Scope, ...]
    unary: UnaryHandler | None = None
    stream: StreamHandler | None = None
    duplex: DuplexHandler | None = None


class CallFailed(Exception):
    """Carries a Failure to whatever carried the call."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


# The id of the request being served, for log lines written deeper down.
request_id_var: ContextVar[str] = ContextVar("request_id", default="")

_MAX_REQUEST_ID = 128
# An idle stream costs about 20 KiB; what its reader does not read is bounded elsewhere (service.rpc.outflow).
STREAMS_PER_CREDENTIAL = 1_000
# Of the requests of open streams, for each that a credential may have: a filter is kept as long as its stream, several
# times over. A few may be as large as filters can be.
_REQUEST_BYTES = 16 * 1024
_LEAST_REQUEST_BYTES = 1024 * 1024


class Edge:
    """Runs methods for a carrier. `draining` makes new calls fail with SERVER_DRAINING.

    Where a carrier names a `caller`, it is the one of calls without a credential: a part of this process.
    """

    def __init__(
        self,
        methods: Iterable[Method],
        *,
        authenticate: Authenticate,
        new_request_id: Callable[[], str],
        telemetry: Telemetry,
        streams_per_credential: int = STREAMS_PER_CREDENTIAL,
    ) -> None:
        self.methods: Mapping[str, Method] = {method.path: method for method in methods}
        self.draining = False
        self._streams_per_credential = streams_per_credential
        self._streams: Counter[str] = Counter()
        self._most_request_bytes = max(_LEAST_REQUEST_BYTES, streams_per_credential * _REQUEST_BYTES)
        self._request_bytes: Counter[str] = Counter()
        self._authenticate = authenticate
        self._new_request_id = new_request_id
        self._telemetry = telemetry

    async def unary(
        self,
        method: Method,
        request: Message,
        metadata: Mapping[str, str],
        timeout: float | None,
        caller: Caller | None = None,
    ) -> Message:
        """Answer or raise CallFailed. `timeout` is in seconds."""
        assert method.unary is not None  # noqa: S101 (carriers register by kind)
        started = time.monotonic()
        request_id = self._request_id(metadata)
        token = request_id_var.set(request_id)
        code = "OK"
        try:
            call = await self._admit(method, metadata, request_id, timeout, caller)
            if timeout is None:
                return await method.unary(request, call)
            async with asyncio.timeout(timeout):
                return await method.unary(request, call)
        except BaseException as error:
            failure = self._failure(error, method, request_id)
            code = failure.code.name
            raise CallFailed(failure) from error
        finally:
            request_id_var.reset(token)
            self._telemetry.rpc_done(method.path, code, time.monotonic() - started, request_id)

    async def stream(
        self,
        method: Method,
        request: Message | AsyncIterator[Message],
        metadata: Mapping[str, str],
        timeout: float | None,
        caller: Caller | None = None,
    ) -> AsyncGenerator[Sealed]:
        """Yield responses or raise CallFailed. `request`: of a duplex method, the requests as they come."""
        handler: Any = method.stream or method.duplex
        started = time.monotonic()
        request_id = self._request_id(metadata)
        code = "OK"
        self._telemetry.stream_opened(method.path)
        try:
            call = await self._admit(method, metadata, request_id, timeout, caller)
            # Closed here and not by the collector: what a reader holds is given back at once.
            size = request.ByteSize() if isinstance(request, Message) else 0
            with self._counted(call.caller, caller, size):
                async with aclosing(handler(request, call)) as messages:
                    async for message in messages:
                        try:
                            yield message
                        except (ConsumerTooSlowError, LimitExceededError) as error:
                            # The handler is told why it ends.
                            await messages.athrow(error)
        except GeneratorExit:
            code = "CANCELLED"
            raise
        except BaseException as error:
            failure = self._failure(error, method, request_id)
            code = failure.code.name
            raise CallFailed(failure) from error
        finally:
            self._telemetry.stream_closed(method.path)
            self._telemetry.rpc_done(method.path, code, time.monotonic() - started, request_id)

    @contextmanager
    def _counted(self, caller: Caller, own: Caller | None, size: int) -> Iterator[None]:
        """One more stream of a credential, within the ceilings; parts of this process have none. `size` in bytes."""
        if caller is own:
            yield
            return
        if self._streams[caller.id] >= self._streams_per_credential:
            limit = self._streams_per_credential
            raise LimitExceededError(f"this credential has {limit} streams open here already", limit=str(limit))
        if self._request_bytes[caller.id] + size > self._most_request_bytes:
            detail = "the filters of this credential's open streams are too large together"
            raise LimitExceededError(detail, limit=str(self._most_request_bytes))
        self._streams[caller.id] += 1
        self._request_bytes[caller.id] += size
        try:
            yield
        finally:
            self._streams[caller.id] -= 1
            self._request_bytes[caller.id] -= size
            if not self._streams[caller.id]:
                del self._streams[caller.id], self._request_bytes[caller.id]

    async def _admit(
        self,
        method: Method,
        metadata: Mapping[str, str],
        request_id: str,
        timeout: float | None,
        caller: Caller | None,
    ) -> Call:
        if self.draining:
            raise DrainingError("the server is going away; try another or try again")
        if caller is None or "authorization" in metadata:
            scheme, _, secret = metadata.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not secret:
                raise CredentialsInvalidError("a bearer credential is needed")
            caller = await self._authenticate(secret.strip())
        for scope in method.scopes:
            caller.require(scope)
        deadline = None if timeout is None else time.monotonic() + timeout
        return Call(caller, request_id, deadline, metadata.get("idempotency-key"))

    def _request_id(self, metadata: Mapping[str, str]) -> str:
        given = metadata.get("x-request-id", "")
        if 0 < len(given) <= _MAX_REQUEST_ID and given.isascii() and given.isprintable():
            return given
        return self._new_request_id()

    def _failure(self, error: BaseException, method: Method, request_id: str) -> Failure:
        if isinstance(error, CallFailed):
            return error.failure
        if isinstance(error, TimeoutError):
            return Failure(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "the deadline passed", {})
        if not isinstance(error, Exception):
            raise error
        if isinstance(error, (*BROKEN, *PASSING)):
            self._telemetry.storage_failed(method.path, error)
            away, passing = "the database cannot be reached", "the database could not carry this out now; try again"
            error = StorageUnavailableError(away if isinstance(error, BROKEN) else passing)
        if isinstance(error, NOT_STORABLE):
            error = ArgumentError("the request holds a character that cannot be stored (NUL)")
        found = failure_of(error)
        if found is not None:
            return found
        self._telemetry.unexpected(method.path, request_id, error)
        return internal(request_id)
