"""Replicas that offer subscriptions over both carriers, and readers that speak with them message by message."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from directorysync import errors
from directorysync.v1 import directory_admin_pb2_grpc, directory_sync_pb2_grpc
from directorysync.v1 import subscriptions_pb2 as pb
from directorysync.v1.events_pb2 import EventFilter
from service.app.clock import IdSource, system_clock
from service.app.feed import Feed
from service.app.sequencer import Sequencer
from service.app.subscription_leases import Leases, Pace
from service.app.subscription_reader import Readers
from service.app.subscriptions import Subscriptions
from service.app.tail_pages import Pages
from service.domain.caller import Caller, Scope
from service.rpc.edge import Edge
from service.rpc.events import EventWire
from service.rpc.local import LocalChannel
from service.rpc.server import GrpcServer
from service.rpc.subscriptions import SubscribeWire, SubscriptionHandlers
from service.storage.database import open_pool
from service.telemetry import Telemetry
from tests.integration.feed.lab import PATIENCE

CARRIERS = ("local", "grpc")
BRISK = Pace(duration=2.0, renewal=0.5, check=0.05, saving=0.02)
DISPATCHER = Caller("dispatcher", frozenset({Scope.DELIVER}))


class Replica:
    """A process of the service. `stubs` has one stub for each carrier."""

    def __init__(self, url: str, pool: Any, pace: Pace, patience: float) -> None:
        telemetry, clock = Telemetry(), system_clock()
        self.pool = pool
        self.valid = True
        self.feed = Feed(
            url, pool, clock, telemetry, pages=Pages(pool), wire=EventWire(), still_valid=self._still_valid
        )
        self.sequencer = Sequencer(url, clock, telemetry, on_position=self.feed.hint)
        self.leases = Leases(pool, telemetry, pace)
        readers = Readers(self.feed, pool, self.leases, SubscribeWire())
        subscriptions = Subscriptions(pool, new_ids=IdSource(clock), clock=clock)
        self.callers = {"all": Caller("all", frozenset({Scope.ADMIN}))}
        self.edge = Edge(
            SubscriptionHandlers(subscriptions, readers).methods(),
            authenticate=self._authenticate,
            new_request_id=lambda: "req_1",
            telemetry=telemetry,
        )
        self.server = GrpcServer(self.edge, "127.0.0.1:0", patience=patience)
        self.stubs: dict[str, Any] = {}

    async def _authenticate(self, secret: str) -> Caller:
        return self.callers[secret]

    async def _still_valid(self, _: Caller) -> bool:
        return self.valid

    async def admin(self, method: str, request: Any, caller: str = "all") -> Any:
        """A call of DirectoryAdmin; raises the client's typed errors."""
        stub: Any = directory_admin_pb2_grpc.DirectoryAdminStub(_Partial(self.edge))
        try:
            return await getattr(stub, method)(request, metadata=_metadata(caller))
        except grpc.aio.AioRpcError as error:
            raise errors.from_rpc_error(error) from None

    async def create(self, name: str, *, caller: str = "all", position: Any = None, **wanted: Any) -> pb.Subscription:
        request = pb.CreateSubscriptionRequest(name=name, filter=EventFilter(**wanted), position=position)
        return (await self.admin("CreateSubscription", request, caller)).subscription

    async def get(self, name: str, caller: str = "all") -> pb.Subscription:
        return (await self.admin("GetSubscription", pb.GetSubscriptionRequest(subscription=name), caller)).subscription

    @asynccontextmanager
    async def reading(self, name: str, carrier: str = "local", *, caller: str = "all", **begin: Any) -> Any:
        """A reader that has said `begin`."""
        begin.setdefault("consumer", "reader")
        begin.setdefault("wait", {"seconds": 10})
        reader = Reader(self.stubs[carrier], pb.SubscribeBegin(subscription=name, **begin), _metadata(caller))
        try:
            yield reader
        finally:
            await reader.cut()


class Reader:
    """One Subscribe, message by message."""

    def __init__(self, stub: Any, begin: pb.SubscribeBegin, metadata: Any) -> None:
        self._requests: asyncio.Queue[pb.SubscribeRequest | None] = asyncio.Queue()
        self._requests.put_nowait(pb.SubscribeRequest(begin=begin))
        self._call = stub.Subscribe(self._said(), metadata=metadata)
        self._messages = aiter(self._call)

    async def _said(self) -> AsyncIterator[pb.SubscribeRequest]:
        while (request := await self._requests.get()) is not None:
            yield request

    async def next(self) -> pb.SubscribeResponse:
        """The next message; raises the client's typed errors, StopAsyncIteration at a clean end."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await anext(self._messages)
        except grpc.aio.AioRpcError as error:
            raise errors.from_rpc_error(error) from None

    async def events(self, count: int) -> list[pb.SubscribeResponse]:
        """Messages until so many events have come."""
        seen: list[pb.SubscribeResponse] = []
        while sum(len(message.events) for message in seen) < count:
            message = await self.next()
            if message.events:
                seen.append(message)
        return seen

    async def started(self) -> pb.SubscribeResponse:
        """The next message that says where reading begins."""
        while not (message := await self.next()).started:
            pass
        return message

    async def failure(self) -> errors.DirectorySyncError:
        """The error that ends it, whatever comes before."""
        try:
            while True:
                await self.next()
        except errors.DirectorySyncError as error:
            return error

    async def silent(self, seconds: float) -> bool:
        """Whether no event comes for so long. Ends the reading."""
        try:
            async with asyncio.timeout(seconds):
                return not await self.events(1)
        except TimeoutError:
            return True

    def ack(self, cursor: str) -> None:
        self._requests.put_nowait(pb.SubscribeRequest(ack=pb.SubscribeAck(cursor=cursor)))

    def nack(self, reason: str = "", delay: float = 0.0) -> None:
        nack = pb.SubscribeNack(reason=reason)
        if delay:
            nack.delay.FromNanoseconds(int(delay * 1e9))
        self._requests.put_nowait(pb.SubscribeRequest(nack=nack))

    def credit(self, events: int) -> None:
        self._requests.put_nowait(pb.SubscribeRequest(credit=pb.SubscribeCredit(events=events)))

    async def leave(self) -> None:
        """End the requests and wait for the clean end."""
        self._requests.put_nowait(None)
        try:
            while True:
                await self.next()
        except StopAsyncIteration:
            pass

    async def cut(self) -> None:
        """Go away without a word."""
        if isinstance(self._call, grpc.aio.Call):
            self._call.cancel()
        else:
            await self._call.aclose()


class _Partial:
    """A channel for stubs of a whole service, of which the edge under test has some methods."""

    def __init__(self, edge: Edge, caller: Caller | None = None) -> None:
        self._edge = edge
        self._channel = LocalChannel(edge, caller)

    def unary_unary(self, path: str, *args: Any, **more: Any) -> Any:
        return self._channel.unary_unary(path, *args, **more)

    unary_stream = unary_unary

    def stream_stream(self, path: str, *args: Any, **more: Any) -> Any:
        return self._channel.stream_stream(path, *args, **more)


def local_stub(edge: Edge, caller: Caller | None = None) -> Any:
    """A stub in the process, whose calls without a credential are the caller's."""
    return directory_sync_pb2_grpc.DirectorySyncStub(_Partial(edge, caller))


def _metadata(caller: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {caller}"),) if caller else ()


@asynccontextmanager
async def replica(url: str, *, pace: Pace = BRISK, patience: float = 30.0) -> AsyncIterator[Replica]:
    """A running replica, found its feed."""
    async with open_pool(url, 4) as pool:
        one = Replica(url, pool, pace, patience)
        parts = [asyncio.create_task(part.run()) for part in (one.sequencer, one.feed, one.leases)]
        await one.server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{one.server.port}") as channel:
            one.stubs = {
                "local": local_stub(one.edge),
                "grpc": directory_sync_pb2_grpc.DirectorySyncStub(channel),
            }
            try:
                async with asyncio.timeout(PATIENCE):
                    await one.feed.ready()
                yield one
            finally:
                one.feed.drain()
                await one.server.stop(1)
                for task in parts:
                    task.cancel()
                await asyncio.gather(*parts, return_exceptions=True)
