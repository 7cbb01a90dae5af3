"""What was done at one endpoint, on its way to the service: many deliveries in one call, 50 ms after the first."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from directorysync.v1 import webhooks_pb2 as pb
from gateway.problems import Problem
from gateway.webhooks.attempts import timestamp
from gateway.webhooks.health import Health
from gateway.webhooks.log import Service

_LINGER: Final = 0.05
_MANY: Final = 24
_MOST: Final = 500
_RETRIES: Final = (0.1, 0.3, 1.0, 2.0)
_REPEATABLE: Final = frozenset({"STORAGE_UNAVAILABLE", "OVERLOADED", "DEADLINE_EXCEEDED", "UNAVAILABLE"})


class Recorder:
    """Of one lease. `flushed` is called each time, with the cursor that is safe now or an empty text."""

    def __init__(
        self,
        service: Service,
        endpoint_id: str,
        lease_epoch: int,
        health: Health,
        flushed: Callable[[str], None],
    ) -> None:
        self._service = service
        self._endpoint_id = endpoint_id
        self._lease_epoch = lease_epoch
        self._health = health
        self._flushed = flushed
        self._deliveries: dict[str, pb.WebhookDelivery] = {}
        self._lanes: dict[str, pb.WebhookLane] = {}
        self._ended: set[str] = set()
        self._replays: dict[str, pb.WebhookReplay] = {}
        self._cursor = ""
        self._disable = ""
        self._some, self._many = asyncio.Event(), asyncio.Event()
        self._flushing = asyncio.Lock()

    @property
    def full(self) -> bool:
        """Too much waits: the service does not take it."""
        return len(self._deliveries) >= _MOST

    def delivery(self, message: pb.WebhookDelivery) -> None:
        """An attempt; several at one event become one delivery."""
        before = self._deliveries.get(message.id)
        if before is not None:
            attempts = [*before.attempts, *message.attempts]
            message.create_time.CopyFrom(before.create_time)
            del message.attempts[:]
            message.attempts.extend(attempts)
        self._deliveries[message.id] = message
        self._note()

    def lane(self, message: pb.WebhookLane) -> None:
        """A directory waits, or waits differently."""
        self._ended.discard(message.directory_id)
        self._lanes[message.directory_id] = message
        self._note()

    def end_lane(self, directory_id: str) -> None:
        """A directory waits no more."""
        self._lanes.pop(directory_id, None)
        self._ended.add(directory_id)
        self._note()

    def done(self, cursor: str) -> None:
        """Everything up to here arrived or waits in a lane."""
        self._cursor = cursor
        self._note()

    def replay(self, message: pb.WebhookReplay) -> None:
        """How far a replay came."""
        self._replays[message.id] = message
        self._note()

    def disable(self, reason: str) -> None:
        """The endpoint is to be turned off."""
        self._disable = reason
        self._note()

    async def run(self) -> None:
        """Until cancelled. Raises Problem when the service does not take it."""
        while True:
            await self._some.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LINGER):
                    await self._many.wait()
            await self.flush()

    async def flush(self) -> None:
        """Everything up to now. Raises Problem."""
        async with self._flushing:
            if not self._some.is_set():
                return
            request = self._taken()
            await self._send(request)
        self._flushed(request.cursor)

    def _taken(self) -> pb.RecordWebhookAttemptsRequest:
        failing = self._health.failing_since
        request = pb.RecordWebhookAttemptsRequest(
            endpoint_id=self._endpoint_id,
            lease_epoch=self._lease_epoch,
            deliveries=self._deliveries.values(),
            lanes=self._lanes.values(),
            ended_lanes=self._ended,
            cursor=self._cursor,
            replays=self._replays.values(),
            disable_reason=self._disable,
            failing_since_time=None if failing is None else timestamp(failing),
        )
        self._deliveries, self._lanes, self._ended, self._replays = {}, {}, set(), {}
        self._cursor = self._disable = ""
        self._some.clear()
        self._many.clear()
        return request

    async def _send(self, request: pb.RecordWebhookAttemptsRequest) -> None:
        for pause in _RETRIES:
            try:
                await self._service.record(request)
            except Problem as problem:
                if problem.reason not in _REPEATABLE:
                    raise
                await asyncio.sleep(pause)
            else:
                return
        await self._service.record(request)

    def _note(self) -> None:
        self._some.set()
        if len(self._deliveries) >= _MANY:
            self._many.set()
