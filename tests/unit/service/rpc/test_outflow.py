"""What is under way to readers that do not read is bounded, and one credential cannot spend it all."""

import asyncio
from collections.abc import AsyncGenerator

import grpc
import pytest
from google.protobuf.wrappers_pb2 import BytesValue

from service.app.sealed import Sealed
from service.domain.caller import Caller, Scope
from service.rpc.edge import Call, Edge, Method
from service.rpc.outflow import Flow, Outflow
from service.rpc.server import GrpcServer
from service.telemetry import Telemetry

MIB = 1024 * 1024


async def taken(_: bytes) -> None:
    """A reader that reads."""


async def ignored(_: bytes) -> None:
    """A reader that does not."""
    await asyncio.Event().wait()


async def stuck(outflow: Outflow, credential: str, size: int) -> Flow:
    flow = Flow(outflow, credential)
    with pytest.raises(TimeoutError):
        await flow.write(ignored, b"x" * size)
    return flow


async def test_what_is_taken_does_not_count() -> None:
    outflow = Outflow(8 * MIB, patience=0.01)
    flow = Flow(outflow, "key")
    for _ in range(20):
        await flow.room()
        await flow.write(taken, b"x" * MIB)
    assert (outflow.used, outflow.used_by) == (0, {})


async def test_what_is_not_taken_counts_until_the_call_is_over() -> None:
    outflow = Outflow(8 * MIB, patience=0.01)
    flow = await stuck(outflow, "key", MIB)
    assert outflow.used == MIB
    flow.close()
    flow.close()
    assert (outflow.used, outflow.used_by) == (0, {})


async def test_a_credential_whose_streams_are_not_read_waits_and_others_do_not() -> None:
    outflow = Outflow(8 * MIB, patience=0.01)
    flows = [await stuck(outflow, "broken", MIB) for _ in range(4)]
    with pytest.raises(TimeoutError):
        await Flow(outflow, "broken").room()
    await Flow(outflow, "whole").room()
    flows[0].close()
    await Flow(outflow, "broken").room()


async def test_with_the_whole_budget_spent_each_credential_still_has_a_little() -> None:
    outflow = Outflow(8 * MIB, patience=0.01)
    for credential in ("a", "a", "b", "b"):
        await stuck(outflow, credential, 2 * MIB)
    await Flow(outflow, "c").room()
    await stuck(outflow, "c", MIB)
    with pytest.raises(TimeoutError):
        await Flow(outflow, "c").room()


async def large(_: BytesValue, __: Call) -> AsyncGenerator[Sealed]:
    yield Sealed(BytesValue(value=b"begun").SerializeToString(), "")
    while True:
        yield Sealed(BytesValue(value=b"x" * MIB).SerializeToString(), "")


async def authenticate(secret: str) -> Caller:
    return Caller(secret, frozenset({Scope.WATCH}))


async def test_who_does_not_read_is_told_and_others_are_served() -> None:
    method = Method("/test.Test/Large", BytesValue, BytesValue, (), stream=large)
    edge = Edge([method], authenticate=authenticate, new_request_id=lambda: "req_1", telemetry=Telemetry())
    server = GrpcServer(edge, "127.0.0.1:0", patience=0.5, unread_bytes=2 * MIB)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        call = channel.unary_stream(
            method.path, request_serializer=BytesValue.SerializeToString, response_deserializer=BytesValue.FromString
        )
        broken, whole = ((("authorization", f"Bearer {name}"),) for name in ("broken", "whole"))
        unread = [call(BytesValue(), metadata=broken) for _ in range(3)]
        for one in unread:
            assert (await anext(aiter(one))).value == b"begun"
        await asyncio.sleep(1)
        refused = aiter(call(BytesValue(), metadata=broken))
        assert (await anext(refused)).value == b"begun"
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await asyncio.wait_for(anext(refused), 20)
        assert failed.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        read = aiter(call(BytesValue(), metadata=whole))
        async with asyncio.timeout(20):
            assert [len((await anext(read)).value) for _ in range(20)] == [5, *[MIB] * 19]
        for one in unread:
            one.cancel()
    await server.stop(0)
