"""One endpoint under one lease: its subscription is read into the pipeline, and acknowledged when that is recorded."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from functools import partial
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration

from directorysync.v1 import subscriptions_pb2 as subscriptions
from directorysync.v1 import webhooks_pb2 as pb
from gateway.webhooks.attempts import Endpoint, seconds
from gateway.webhooks.health import DOWN_AFTER, Health
from gateway.webhooks.lane import Lane
from gateway.webhooks.pipeline import Parts, Pipeline
from gateway.webhooks.recorder import Recorder
from gateway.webhooks.replays import Replays
from gateway.webhooks.slots import Budget

_CREDIT: Final = 500
_BATCH: Final = 50
_BOOKMARK_SECONDS: Final = 60


class GoneError(Exception):
    """The endpoint was disabled or deleted before it was taken."""


class Session:
    """`run()` ends with an error, or when `drain()` was called."""

    def __init__(self, target: pb.WebhookTarget, consumer: str, parts: Parts, budget: Budget, connections: int) -> None:
        self._endpoint = Endpoint(target.endpoint)
        self._consumer = consumer
        self._parts = parts
        self._budget = budget
        self._connections = connections
        self._held = 0
        self._outgoing: asyncio.Queue[subscriptions.SubscribeRequest | None] = asyncio.Queue()
        self._pipeline: Pipeline | None = None
        self._recorder: Recorder | None = None
        self._replays: Replays | None = None
        self.established = False

    def update(self, target: pb.WebhookTarget) -> None:
        """The endpoint's settings changed, or there is something to replay."""
        self._endpoint.message = target.endpoint
        if self._replays is not None:
            self._replays.offer(target.replays)

    def stop(self) -> None:
        """Start nothing more."""
        if self._pipeline is not None:
            self._pipeline.stop()

    async def drain(self) -> None:
        """Finish what runs, record it, give the lease back. Raises Problem."""
        if self._pipeline is not None and self._recorder is not None:
            self._pipeline.stop()
            await self._pipeline.idle()
            await self._recorder.flush()
        self._outgoing.put_nowait(None)

    async def run(self, *, takeover: bool = False) -> None:
        """Raises Problem, GoneError, NoSecretsError."""
        begin = subscriptions.SubscribeBegin(
            subscription=self._endpoint.message.subscription_id,
            consumer=self._consumer,
            credit=_CREDIT,
            max_batch_size=_BATCH,
            takeover=takeover,
            bookmark_interval=Duration(seconds=_BOOKMARK_SECONDS),
        )
        self._outgoing.put_nowait(subscriptions.SubscribeRequest(begin=begin))
        try:
            async with aclosing(self._parts.service.subscribe(self._requests())) as messages:
                first = await anext(messages)
                pipeline, others = await self._prepare(first)
                self.established = True
                await _first_end(self._read(messages, first, pipeline), pipeline.run(), *others)
        finally:
            self._budget.give(self._held)

    async def _requests(self) -> AsyncGenerator[subscriptions.SubscribeRequest]:
        while (request := await self._outgoing.get()) is not None:
            yield request

    async def _prepare(
        self, first: subscriptions.SubscribeResponse
    ) -> tuple[Pipeline, list[Coroutine[Any, Any, None]]]:
        """With the lease in hand nobody else changes what is read here."""
        found = await self._parts.service.targets(endpoint_ids=[self._endpoint.id])
        if not found.targets:
            raise GoneError(self._endpoint.id)
        target = found.targets[0]
        endpoint = self._endpoint
        endpoint.message = target.endpoint
        endpoint.secrets(self._parts.clock.now())
        health = Health(self._connections)
        if target.endpoint.HasField("failing_since_time"):
            health.failing_since = seconds(target.endpoint.failing_since_time)
            health.failures = DOWN_AFTER
        self._recorder = Recorder(self._parts.service, endpoint.id, first.lease_epoch, health, self._flushed)
        lanes = [Lane.of(lane) for lane in target.lanes]
        self._pipeline = Pipeline(endpoint, lanes, health, self._recorder, self._parts)
        self._replays = Replays(endpoint, self._pipeline, self._recorder, self._parts)
        self._replays.offer(target.replays)
        return self._pipeline, [self._recorder.run(), self._replays.run()]

    async def _read(
        self,
        messages: AsyncGenerator[subscriptions.SubscribeResponse],
        first: subscriptions.SubscribeResponse,
        pipeline: Pipeline,
    ) -> None:
        """Ends when the service has taken the lease back as asked."""
        before = first.cursor
        known = deque([before], maxlen=3 * _CREDIT)
        async for message in messages:
            if not message.events and message.cursor in known:
                # A sign of life, which repeats what was acknowledged.
                continue
            entries = await self._parts.service.resolved(message.events)
            size = message.ByteSize()
            self._hold(size)
            settled = partial(self._hold, -size)
            pipeline.offer(entries, before, message.cursor, caught_up=message.caught_up, settled=settled)
            if message.cursor:
                before = message.cursor
                known.append(before)
            await self._budget.room(self._held)

    def _hold(self, size: int) -> None:
        self._held += size
        if size > 0:
            self._budget.take(size)
        else:
            self._budget.give(-size)

    def _flushed(self, cursor: str) -> None:
        if cursor:
            ack = subscriptions.SubscribeAck(cursor=cursor)
            self._outgoing.put_nowait(subscriptions.SubscribeRequest(ack=ack))
        if self._pipeline is not None:
            self._pipeline.wake()


async def _first_end(*parts: Coroutine[Any, Any, None]) -> None:
    """Until one of them ends; then the others are cancelled. Raises what it raised."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
