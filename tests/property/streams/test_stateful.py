"""Writers, a watch, a subscription and kills in any order, against a model that is a list of numbers.

Two replicas read one database. Whatever happens to readers and replicas, a watch goes on with exactly the events behind
its cursor, and a subscription with exactly those behind what was acknowledged.
"""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from directorysync import errors
from directorysync.v1 import directory_sync_pb2_grpc
from directorysync.v1 import subscriptions_pb2 as pb
from service.storage.database import open_pool
from tests.integration.feed import lab as feed_lab
from tests.integration.feed.lab import PATIENCE, USER, Log
from tests.integration.subscriptions.lab import BRISK, CARRIERS, Reader, Replica, local_stub
from tests.support.postgres import TEMPLATE, Server

_names = itertools.count(1)


class Life:
    """A replica that can be killed: nothing is drained, nothing is written, its connections are gone."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def begin(self) -> None:
        self._stack = AsyncExitStack()
        pool = await self._stack.enter_async_context(open_pool(self._url, 4))
        self.one = one = Replica(self._url, pool, BRISK, 30.0)
        self.watcher = feed_lab.Process(self._url, pool, ring_events=50, patience=30.0)
        # Watches read through the feed of the same replica.
        parts = (one.sequencer, one.feed, one.leases, self.watcher.feed)
        self._parts = [asyncio.create_task(part.run()) for part in parts]
        await one.server.start()
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{one.server.port}")
        self._channel = await self._stack.enter_async_context(channel)
        stub = directory_sync_pb2_grpc.DirectorySyncStub(self._channel)
        one.stubs = {"local": local_stub(one.edge), "grpc": stub}
        await one.feed.ready()
        await self.watcher.feed.ready()

    async def kill(self) -> None:
        for part in self._parts:
            part.cancel()
        await asyncio.gather(*self._parts, return_exceptions=True)
        await self.one.server.stop(0)
        self.one.pool.terminate()
        await self._stack.aclose()


class World:
    """A loop, two replicas and a log, kept through all runs of the machine."""

    def __init__(self, url: str) -> None:
        self.runner = asyncio.Runner()
        self.lives = [Life(url), Life(url)]
        self._stack = AsyncExitStack()
        self.run(self._begin(url))

    async def _begin(self, url: str) -> None:
        for life in self.lives:
            await life.begin()
        self.log = Log(await self._stack.enter_async_context(open_pool(url, 2)))

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(asyncio.wait_for(coroutine, 2 * PATIENCE))

    def close(self) -> None:
        for life in self.lives:
            self.run(life.kill())
        self.run(self._stack.aclose())
        self.runner.close()


WORLD: list[World] = []
WHICH = st.integers(0, 1)


class Streams(RuleBasedStateMachine):
    """`head`: events written. `watched` and `cursors`: what the watch has, and each cursor it was given. `acked`: the
    least and the most that the subscription may begin behind; `place`: what its reader has, -1 before its first event.
    `given`: cursors and places that the reader can acknowledge.
    """

    @initialize()
    def begin(self) -> None:
        self.world = WORLD[0]
        self.head = self.watched = self.place = 0
        self.ends = {0}
        self.cursors: dict[int, str] = {}
        self.acked = (0, 0)
        self.given: list[tuple[str, int]] = []
        self.reader: Reader | None = None
        self.at = self.kills = self.resets = 0
        self.do(self._begin(f"{next(_names)}"))

    async def _begin(self, name: str) -> None:
        self.name = name
        self.directory = await self.world.log.directory(f"directory_{name}")
        await self.world.lives[0].one.create(name, directory_ids=[self.directory])

    def do(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.world.run(coroutine)

    @rule(events=st.integers(1, 4), times=st.integers(1, 5), which=WHICH)
    def write(self, events: int, times: int, which: int) -> None:
        async def written() -> None:
            for _ in range(times):
                self.head = await self.world.log.append(self.directory, [USER] * events)
                self.ends.add(self.head)
            self.world.lives[which].one.sequencer.hint()

        self.do(written())

    @rule(which=WHICH)
    def watch_up_to_the_end(self, which: int) -> None:
        """A watch from where the last one was cut has everything behind it, once, in order, in whole commands."""
        cursor = self.cursors.get(self.watched)
        start: dict[str, Any] = {"beginning": True} if cursor is None else {"cursor": cursor}
        missing = self.head - self.watched
        watcher = self.world.lives[which].watcher
        seen = self.do(watcher.collect(missing, directory_ids=[self.directory], interval=1.0, batch=2, **start))
        assert seen.error is None
        assert [number for _, number in seen.numbers] == list(range(self.watched + 1, self.head + 1))
        for message in seen.messages:
            if message.events:
                self.watched = message.events[-1].directory_sequence
                assert self.watched in self.ends
                self.cursors[self.watched] = message.cursor

    @precondition(lambda self: self.cursors)
    @rule(data=st.data())
    def forget_what_was_watched(self, data: st.DataObject) -> None:
        self.watched = data.draw(st.sampled_from(sorted(self.cursors)))

    @rule(which=WHICH, carrier=st.sampled_from(CARRIERS), credit=st.integers(1, 6))
    def take_the_subscription(self, which: int, carrier: str, credit: int) -> None:
        """Whoever had it loses it; what was acknowledged does not come again, everything else does."""
        begin = pb.SubscribeBegin(subscription=self.name, consumer="c", takeover=True, credit=credit, max_batch_size=2)
        loser, self.at = self.reader, which
        self.reader = Reader(self.world.lives[which].one.stubs[carrier], begin, (("authorization", "Bearer all"),))
        self.do(self.reader.started())
        if loser is not None:
            assert self.do(loser.failure()).reason == "LEASE_LOST"
        self.given, self.place = [], -1

    @rule(data=st.data(), messages=st.integers(1, 4), which=WHICH, carrier=st.sampled_from(CARRIERS))
    def read_and_acknowledge(self, data: st.DataObject, messages: int, which: int, carrier: str) -> None:
        """What comes is what follows, in whole commands. Some of it is acknowledged, all of it or nothing."""
        if self.reader is None:
            self.take_the_subscription(which, carrier, credit=6)
        if self.head <= max(self.place, self.acked[1]):
            self.write(events=2, times=2, which=which)
        for _ in range(messages):
            message = self.do(self._next(sure=not self.given and self.head > max(self.place, self.acked[1])))
            if message is None:
                return
            self._take(message)
            if cursor := data.draw(st.sampled_from([None, *self.given])):
                self._acknowledge(*cursor)

    def _take(self, message: pb.SubscribeResponse) -> None:
        numbers = [event.directory_sequence for event in message.events]
        if self.place < 0:
            assert self.acked[0] <= numbers[0] - 1 <= self.acked[1]
            self.place = numbers[0] - 1
            self.acked = (self.place, self.place)
        assert numbers == list(range(self.place + 1, numbers[-1] + 1))
        assert numbers[-1] in self.ends
        self.place = numbers[-1]
        self.given.append((message.cursor, self.place))

    def _acknowledge(self, cursor: str, place: int) -> None:
        assert self.reader is not None
        self.reader.ack(cursor)
        self.acked = (self.acked[0], max(self.acked[1], place))
        self.given = [given for given in self.given if given[1] > self.acked[1]]

    async def _next(self, sure: bool) -> pb.SubscribeResponse | None:
        """The next message with events; None when none comes and none has to, for want of credit or of events."""
        assert self.reader is not None
        try:
            async with asyncio.timeout(PATIENCE if sure else 0.2):
                while not (message := await self.reader.next()).events:
                    pass
                return message
        except TimeoutError:
            assert not sure
            # The call was cancelled with the wait.
            await self.reader.cut()
            self.reader = None
            return None

    @precondition(lambda self: self.reader is not None and self.place >= 0)
    @rule()
    def not_acknowledge(self) -> None:
        """Everything sent and not acknowledged comes again. What was acknowledged need not be written yet."""
        assert self.reader is not None
        self.reader.nack("the model says so")
        self.do(self.reader.started())
        self.given, self.place = [], self.acked[1]

    @precondition(lambda self: self.reader is not None)
    @rule()
    def leave(self) -> None:
        """What was acknowledged is written before the call ends."""
        assert self.reader is not None
        self.do(self.reader.leave())
        self.reader = None
        if self.place >= 0:
            self.acked = (self.acked[1], self.acked[1])

    @precondition(lambda self: self.reader is not None)
    @rule()
    def cut(self) -> None:
        assert self.reader is not None
        self.do(self.reader.cut())
        self.reader = None

    @precondition(lambda self: self.kills < 2)
    @rule(which=WHICH)
    def kill(self, which: int) -> None:
        """A replica dies; its reader with it. What it had acknowledged and not written yet may come again."""

        async def killed() -> None:
            await self.world.lives[which].kill()
            if self.reader is not None and self.at == which:
                await self.reader.cut()
                self.reader = None
            await self.world.lives[which].begin()

        self.kills += 1
        self.do(killed())

    @precondition(lambda self: self.resets < 2)
    @rule()
    def reset(self) -> None:
        """To the beginning; the reader is told."""
        self.resets += 1
        request = pb.ResetSubscriptionRequest(subscription=self.name, position={"beginning": True})
        self.do(self.world.lives[0].one.admin("ResetSubscription", request))
        if self.reader is not None:
            failure: errors.DirectorySyncError = self.do(self.reader.failure())
            assert failure.reason == "LEASE_LOST"
        self.reader, self.acked = None, (0, 0)

    def teardown(self) -> None:
        if getattr(self, "reader", None) is not None:
            self.cut()


@pytest.fixture
def world(postgres_server: Server) -> Iterator[None]:
    """Not on the loop of the tests: hypothesis calls rules one by one, outside of any loop."""
    with asyncio.Runner() as runner:
        databases = AsyncExitStack()
        runner.run(postgres_server.make_template())
        url = runner.run(databases.enter_async_context(postgres_server.database(template=TEMPLATE)))
        WORLD.append(World(url))
        try:
            yield
        finally:
            WORLD.pop().close()
            runner.run(databases.aclose())


def test_streams_keep_to_the_model(world: None) -> None:
    slow = settings(
        max_examples=12,
        stateful_step_count=40,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a shorter run would take minutes to find
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    machine: Callable[[], RuleBasedStateMachine] = Streams
    run_state_machine_as_test(machine, settings=slow)
