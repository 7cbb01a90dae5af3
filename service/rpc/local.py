"""The in-process carrier of the edge: a channel for the generated stubs that hands over the same messages.

A gRPC hop costs several times what a whole SCIM request does; the call below costs next to nothing, and everything that
decides is the same Edge. Failures arrive as grpc.aio.AioRpcError, as from a real channel.
"""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf.message import Message

from service.domain.caller import Caller
from service.rpc.edge import CallFailed, Edge, Method
from service.rpc.status import Failure

_DETAILS = "grpc-status-details-bin"
Metadata = Sequence[tuple[str, str]]


class LocalChannel:
    """What generated stubs ask of a channel: `unary_unary`, `unary_stream` and `stream_stream` of grpc.aio.Channel.

    `caller` is whose calls without a credential are: a part of this process, which needs no secret.
    """

    def __init__(self, edge: Edge, caller: Caller | None = None) -> None:
        self._edge = edge
        self._caller = caller

    def unary_unary(self, path: str, *_: Any, **__: Any) -> Callable[..., Any]:
        """A callable like UnaryUnaryMultiCallable: `await call(request, timeout=…, metadata=…)`."""
        method = self._edge.methods.get(path)

        async def call(request: Message, *, timeout: float | None = None, metadata: Metadata = (), **_: Any) -> Message:
            if method is None:
                raise _unimplemented(path)
            try:
                return await self._edge.unary(method, request, dict(metadata), timeout, self._caller)
            except CallFailed as failed:
                raise _as_rpc_error(failed) from None

        return call

    def unary_stream(self, path: str, *_: Any, **__: Any) -> Callable[..., Any]:
        """A callable like UnaryStreamMultiCallable: `async for message in call(request, metadata=…)`."""
        method = self._edge.methods.get(path)

        def call(request: Message, *, timeout: float | None = None, metadata: Metadata = (), **_: Any) -> Any:
            if method is None:
                raise _unimplemented(path)
            return self._messages(method, request, dict(metadata), timeout)

        return call

    def stream_stream(self, path: str, *_: Any, **__: Any) -> Callable[..., Any]:
        """A callable like StreamStreamMultiCallable: `async for message in call(requests, metadata=…)`.

        `requests` are an iterator of either kind. When they end, the method is told, and ends.
        """
        method = self._edge.methods.get(path)

        def call(
            requests: AsyncIterable[Message] | Iterable[Message],
            *,
            timeout: float | None = None,
            metadata: Metadata = (),
            **_: Any,
        ) -> Any:
            if method is None:
                raise _unimplemented(path)
            return self._messages(method, _requests(requests), dict(metadata), timeout)

        return call

    async def _messages(
        self,
        method: Method,
        request: Message | AsyncIterator[Message],
        metadata: dict[str, str],
        timeout: float | None,
    ) -> AsyncGenerator[Message]:
        try:
            async with aclosing(self._edge.stream(method, request, metadata, timeout, self._caller)) as answers:
                async for message, _ in answers:
                    yield method.response.FromString(message)
        except CallFailed as failed:
            raise _as_rpc_error(failed) from None
        finally:
            if isinstance(request, AsyncGenerator):
                # The requests that nobody reads any more.
                await request.aclose()


async def _requests(given: AsyncIterable[Message] | Iterable[Message]) -> AsyncGenerator[Message]:
    try:
        if isinstance(given, AsyncIterable):
            async for request in given:
                yield request
        else:
            for request in given:
                yield request
    except Exception as error:
        # As grpc.aio does it: the call is cancelled by the side that cannot go on.
        raise CallFailed(
            Failure(grpc.StatusCode.CANCELLED, "CANCELLED", "the requests ended in an error", {})
        ) from error


def _as_rpc_error(failed: CallFailed) -> grpc.aio.AioRpcError:
    failure = failed.failure
    trailing = grpc.aio.Metadata((_DETAILS, failure.details))
    return grpc.aio.AioRpcError(failure.code, grpc.aio.Metadata(), trailing, details=failure.message)


def _unimplemented(path: str) -> grpc.aio.AioRpcError:
    empty = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.UNIMPLEMENTED, empty, empty, details=f"no method {path}")
