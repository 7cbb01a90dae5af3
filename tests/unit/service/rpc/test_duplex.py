"""Streams of both kinds over both carriers: the same messages, the same errors, the same end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from service.app.sealed import Sealed
from service.domain.caller import Caller, Scope
from service.domain.errors import ArgumentError
from service.rpc.edge import Call, Edge, Method
from service.rpc.local import LocalChannel
from service.rpc.server import GrpcServer
from service.telemetry import Telemetry

PATH, WATCH = "/test.Test/Talk", "/test.Test/Listen"
CARRIERS = pytest.mark.parametrize("carrier", ["local", "grpc"])
KEY = (("authorization", "Bearer key"),)


class Talk:
    """Answers each number with its double; refuses 13; notes when it was left."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.callers: list[str] = []

    async def talk(self, requests: AsyncIterator[Duration], call: Call) -> AsyncGenerator[Sealed]:
        self.callers.append(call.caller.id)
        try:
            async for request in requests:
                if request.seconds == 13:
                    raise ArgumentError("unlucky", field="seconds")
                yield Sealed(Timestamp(seconds=2 * request.seconds).SerializeToString(), "")
        finally:
            self.left.set()

    async def listen(self, request: Duration, _: Call) -> AsyncGenerator[Sealed]:
        yield Sealed(Timestamp(seconds=request.seconds).SerializeToString(), "")
        await asyncio.Event().wait()


async def authenticate(secret: str) -> Caller:
    return Caller(secret, frozenset({Scope.WATCH}))


@asynccontextmanager
async def channels(talk: Talk, limit: int = 10) -> AsyncIterator[dict[str, Any]]:
    methods = [
        Method(PATH, Duration, Timestamp, (Scope.WATCH,), duplex=talk.talk),
        Method(WATCH, Duration, Timestamp, (Scope.WATCH,), stream=talk.listen),
    ]
    edge = Edge(
        methods,
        authenticate=authenticate,
        new_request_id=lambda: "req_1",
        telemetry=Telemetry(),
        streams_per_credential=limit,
    )
    server = GrpcServer(edge, "127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        own = LocalChannel(edge, Caller("part", frozenset({Scope.WATCH})))
        yield {"local": LocalChannel(edge), "grpc": channel, "own": own}
    await server.stop(0)


def method(channel: Any, kind: str, path: str) -> Any:
    return getattr(channel, kind)(
        path, request_serializer=Duration.SerializeToString, response_deserializer=Timestamp.FromString
    )


async def numbers(*values: int, then: asyncio.Event | None = None) -> AsyncIterator[Duration]:
    for value in values:
        yield Duration(seconds=value)
    if then is not None:
        await then.wait()


async def close(call: Any) -> None:
    if isinstance(call, grpc.aio.Call):
        call.cancel()
    else:
        await call.aclose()


@CARRIERS
async def test_answers_come_until_the_requests_end(carrier: str) -> None:
    talk = Talk()
    async with channels(talk) as made:
        call = method(made[carrier], "stream_stream", PATH)(numbers(1, 2, 3), metadata=KEY)
        assert [answer.seconds async for answer in call] == [2, 4, 6]
    assert talk.left.is_set()


@CARRIERS
async def test_an_error_ends_it_behind_what_was_answered(carrier: str) -> None:
    async with channels(Talk()) as made:
        call = method(made[carrier], "stream_stream", PATH)(numbers(1, 13, 2), metadata=KEY)
        answers = aiter(call)
        assert (await anext(answers)).seconds == 2
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await anext(answers)
    assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "unlucky")


@CARRIERS
async def test_a_client_that_goes_away_is_noticed(carrier: str) -> None:
    talk = Talk()
    async with channels(talk) as made:
        call = method(made[carrier], "stream_stream", PATH)(numbers(1, then=asyncio.Event()), metadata=KEY)
        assert (await anext(aiter(call))).seconds == 2
        await close(call)
        async with asyncio.timeout(10):
            await talk.left.wait()


@CARRIERS
async def test_without_a_credential_nobody_talks(carrier: str) -> None:
    talk = Talk()
    async with channels(talk) as made:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            async for _ in method(made[carrier], "stream_stream", PATH)(numbers(1)):
                pass
    assert failed.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert talk.callers == []


async def test_a_part_of_the_process_needs_no_credential_and_may_present_one() -> None:
    talk = Talk()
    async with channels(talk) as made:
        for metadata in ((), KEY):
            call = method(made["own"], "stream_stream", PATH)(iter([Duration(seconds=1)]), metadata=metadata)
            assert [answer.seconds async for answer in call] == [2]
    assert talk.callers == ["part", "key"]


async def test_requests_that_end_in_an_error_cancel_the_call() -> None:
    async def broken() -> AsyncIterator[Duration]:
        yield Duration(seconds=1)
        raise RuntimeError

    async with channels(Talk()) as made:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            async for _ in method(made["local"], "stream_stream", PATH)(broken(), metadata=KEY):
                pass
    assert failed.value.code() == grpc.StatusCode.CANCELLED


@CARRIERS
async def test_a_credential_has_so_many_streams_and_no_more(carrier: str) -> None:
    async with channels(Talk(), limit=2) as made:
        listen = method(made[carrier], "unary_stream", WATCH)
        calls = [listen(Duration(seconds=1), metadata=KEY) for _ in range(2)]
        for call in calls:
            await anext(aiter(call))
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await anext(aiter(listen(Duration(seconds=1), metadata=KEY)))
        assert failed.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        other = listen(Duration(seconds=1), metadata=(("authorization", "Bearer other"),))
        assert (await anext(aiter(other))).seconds == 1
        for _ in range(5):
            own = method(made["own"], "unary_stream", WATCH)(Duration(seconds=1))
            assert (await anext(own)).seconds == 1
            calls.append(own)
        await close(calls[0])
        async with asyncio.timeout(10):
            while True:
                try:
                    calls.append(listen(Duration(seconds=1), metadata=KEY))
                    await anext(aiter(calls[-1]))
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.02)
        for call in [*calls, other]:
            await close(call)


@CARRIERS
async def test_requests_of_open_streams_are_bounded_together(carrier: str) -> None:
    large = Duration.FromString(Duration(seconds=1).SerializeToString() + b"\xfa\x01\x80\xb5\x18" + b"x" * 400_000)
    async with channels(Talk()) as made:
        listen = method(made[carrier], "unary_stream", WATCH)
        first, second = [listen(large, metadata=KEY) for _ in range(2)]
        for call in (first, second):
            assert (await anext(aiter(call))).seconds == 1
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await anext(aiter(listen(large, metadata=KEY)))
        assert failed.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        for other in (
            listen(Duration(seconds=1), metadata=KEY),
            listen(large, metadata=(("authorization", "Bearer b"),)),
        ):
            assert (await anext(aiter(other))).seconds == 1
            await close(other)
        await close(first)
        async with asyncio.timeout(10):
            while True:
                again = aiter(listen(large, metadata=KEY))
                try:
                    assert (await anext(again)).seconds == 1
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.05)
        await close(second)
