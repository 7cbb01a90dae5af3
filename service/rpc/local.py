"""The in-process carrier of the edge: a channel for the generated stubs that hands over the same messages.

A gRPC hop costs several times what a whole SCIM request does; the call below costs next to nothing, and everything that
decides is the same Edge. Failures arrive as grpc.aio.AioRpcError, as from a real channel.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc
from google.protobuf.message import Message

from service.rpc.edge import CallFailed, Edge, Method

_DETAILS = "grpc-status-details-bin"
Metadata = Sequence[tuple[str, str]]


class LocalChannel:
    """What generated stubs ask of a channel: `unary_unary` and `unary_stream` (`unary_…` of grpc.aio.Channel)."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    def unary_unary(self, path: str, *_: Any, **__: Any) -> Callable[..., Any]:
        """A callable like UnaryUnaryMultiCallable: `await call(request, timeout=…, metadata=…)`."""
        method = self._edge.methods.get(path)

        async def call(request: Message, *, timeout: float | None = None, metadata: Metadata = (), **_: Any) -> Message:
            if method is None:
                raise _unimplemented(path)
            try:
                return await self._edge.unary(method, request, dict(metadata), timeout)
            except CallFailed as failed:
                raise _as_rpc_error(failed) from None

        return call

    def unary_stream(self, path: str, *_: Any, **__: Any) -> Callable[..., Any]:
        """A callable like UnaryStreamMultiCallable: `async for message in call(request, metadata=…)`."""
        method = self._edge.methods.get(path)

        def call(request: Message, *, timeout: float | None = None, metadata: Metadata = (), **_: Any) -> Any:
            if method is None:
                raise _unimplemented(path)
            return _stream(self._edge, method, request, dict(metadata), timeout)

        return call


async def _stream(
    edge: Edge, method: Method, request: Message, metadata: dict[str, str], timeout: float | None
) -> AsyncIterator[Message]:
    try:
        async for data in edge.stream(method, request, metadata, timeout):
            yield method.response.FromString(data)
    except CallFailed as failed:
        raise _as_rpc_error(failed) from None


def _as_rpc_error(failed: CallFailed) -> grpc.aio.AioRpcError:
    failure = failed.failure
    trailing = grpc.aio.Metadata((_DETAILS, failure.details))
    return grpc.aio.AioRpcError(failure.code, grpc.aio.Metadata(), trailing, details=failure.message)


def _unimplemented(path: str) -> grpc.aio.AioRpcError:
    empty = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.UNIMPLEMENTED, empty, empty, details=f"no method {path}")
