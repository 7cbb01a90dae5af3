"""The gRPC carrier of the edge: generic handlers made from the method table, health and reflection."""

import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from service.app.sealed import Sealed
from service.domain.errors import ConsumerTooSlowError, LimitExceededError
from service.rpc.edge import CallFailed, Edge, Method
from service.rpc.outflow import DEFAULT_BYTES, Flow, Outflow
from service.rpc.status import Failure

# Idle streams are kept alive by pings from both sides; gRPC's defaults would cut a client that pings.
OPTIONS: list[tuple[str, int]] = [
    ("grpc.so_reuseport", 1),
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_concurrent_streams", 2_000),
]
_DETAILS = "grpc-status-details-bin"
_PATIENCE_SECONDS = 30.0


class GrpcServer:
    """Listens on one address, `port`. A stream that nobody reads is ended after `patience` seconds.

    `unread_bytes` of all streams together may be under way.
    """

    def __init__(
        self,
        edge: Edge,
        listen: str,
        credentials: grpc.ServerCredentials | None = None,
        *,
        patience: float = _PATIENCE_SECONDS,
        unread_bytes: int = DEFAULT_BYTES,
    ) -> None:
        self._edge = edge
        outflow = Outflow(unread_bytes, patience=patience)
        self._server = grpc.aio.server(options=OPTIONS)
        self._health = health.aio.HealthServicer()
        services = _group(edge.methods)
        for service, methods in services.items():
            handlers = {name: _handler(edge, method, outflow) for name, method in methods.items()}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        self._names = ("", *services)
        self.port = (
            self._server.add_secure_port(listen, credentials) if credentials else self._server.add_insecure_port(listen)
        )

    async def start(self) -> None:
        """Accept calls and report SERVING."""
        await self._server.start()
        await self._report(health_pb2.HealthCheckResponse.SERVING)

    async def stop_intake(self) -> None:
        """Report NOT_SERVING: balancers send nothing new."""
        await self._report(health_pb2.HealthCheckResponse.NOT_SERVING)

    async def stop(self, grace: float) -> None:
        """Refuse new calls, wait `grace` seconds for the open ones, then cancel them."""
        await self._server.stop(grace)

    async def _report(self, status: Any) -> None:
        for name in self._names:
            await self._health.set(name, status)


def _group(methods: Mapping[str, Method]) -> dict[str, dict[str, Method]]:
    services: dict[str, dict[str, Method]] = defaultdict(dict)
    for path, method in methods.items():
        _, service, name = path.split("/")
        services[service][name] = method
    return dict(services)


def _handler(edge: Edge, method: Method, outflow: Outflow) -> Any:
    if method.unary is not None:
        return grpc.unary_unary_rpc_method_handler(
            _unary(edge, method),
            request_deserializer=method.request.FromString,
            response_serializer=method.response.SerializeToString,
        )
    # Responses are bytes already: no serializer.
    kind = grpc.stream_stream_rpc_method_handler if method.duplex else grpc.unary_stream_rpc_method_handler
    return kind(_stream(edge, method, outflow), request_deserializer=method.request.FromString)


def _unary(edge: Edge, method: Method) -> Any:
    async def serve(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
        try:
            return await edge.unary(method, request, _metadata(context), _timeout(context))
        except CallFailed as failed:
            await _abort(context, failed.failure)
            raise

    return serve


def _stream(edge: Edge, method: Method, outflow: Outflow) -> Any:
    async def serve(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        metadata = _metadata(context)
        flow = Flow(outflow, metadata.get("authorization", ""))
        try:
            async with aclosing(edge.stream(method, request, metadata, None)) as answers:
                await _send(answers, context, flow)
        except CallFailed as failed:
            # The status waits behind what the client has not read: it gets both when it reads on, and until then, or
            # until it goes away, what it did not read counts.
            await _abort(context, failed.failure)
        finally:
            flow.close()

    return serve


async def _send(answers: AsyncGenerator[Sealed], context: grpc.aio.ServicerContext[Any, Any], flow: Flow) -> None:
    """Write until the end. A client that does not take what is sent is given up with its last cursor."""
    sent = ""
    async for message, cursor in answers:
        try:
            await flow.write(context.write, message)
        except TimeoutError:
            detail = "the stream was not read for too long; resume with the last cursor"
            await answers.athrow(ConsumerTooSlowError(detail, cursor=sent))
        sent = cursor
        try:
            await flow.room()
        except TimeoutError:
            detail = "streams of this credential are not read, and too much is under way to them; read, or close them"
            await answers.athrow(LimitExceededError(detail, limit="unread bytes", cursor=sent))


def _metadata(context: grpc.aio.ServicerContext[Any, Any]) -> dict[str, str]:
    return {str(key): value for key, value in context.invocation_metadata() or () if isinstance(value, str)}


def _timeout(context: grpc.aio.ServicerContext[Any, Any]) -> float | None:
    remaining = context.time_remaining()
    # Without a deadline gRPC reports the distance to the end of time.
    return None if remaining is None or remaining > time.monotonic() + 1e8 else remaining


async def _abort(context: grpc.aio.ServicerContext[Any, Any], failure: Failure) -> None:
    trailers: list[tuple[str, str | bytes]] = [(_DETAILS, failure.details)]
    await context.abort(failure.code, failure.message, trailing_metadata=tuple(trailers))
