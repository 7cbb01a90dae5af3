"""A dispatcher's surroundings in memory: a log, a place for records, a clock that a test moves. HTTP is real."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from directorysync.v1 import events_pb2, resources_pb2
from directorysync.v1 import subscriptions_pb2 as subscriptions
from directorysync.v1 import webhooks_pb2 as pb
from gateway.addresses import AddressPolicy
from gateway.config import networks
from gateway.problems import Problem, Rule
from gateway.webhooks.attempts import Attempts, timestamp
from gateway.webhooks.log import Entry, Page
from gateway.webhooks.metrics import WebhookMetrics
from gateway.webhooks.pipeline import Parts
from gateway.webhooks.schedule import DAY
from gateway.webhooks.sender import Sender
from gateway.webhooks.session import Session
from gateway.webhooks.settings import WebhookSettings
from gateway.webhooks.slots import Budget, Slots
from tests.support.receiver import OK, Answer, Received

BROKEN = Answer(500, body=b"no")
SECRET = "whsec_" + "bmV3" * 11
START = 1_764_000_000.0
SETTINGS = WebhookSettings(
    policy=AddressPolicy(allow_http=True, networks=networks("127.0.0.0/8")), connect_seconds=1, total_seconds=0.5
)


class ManualClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = START
        self._moved: set[asyncio.Event] = set()

    def now(self) -> float:
        return self.time

    async def wait(self, event: asyncio.Event, until: float | None) -> None:
        while not event.is_set() and (until is None or until > self.time):
            moved = asyncio.Event()
            self._moved.add(moved)
            waits = [asyncio.create_task(one.wait()) for one in (event, moved)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._moved.discard(moved)
                for task in waits:
                    task.cancel()

    def forward(self, seconds: float) -> None:
        self.time += seconds
        for moved in self._moved:
            moved.set()


@dataclass
class Kept:
    """The service's side of one endpoint."""

    message: pb.WebhookEndpoint
    cursor: int = 0
    epoch: int = 0
    lanes: dict[str, pb.WebhookLane] = field(default_factory=dict)
    deliveries: dict[str, pb.WebhookDelivery] = field(default_factory=dict)
    replays: dict[str, pb.WebhookReplay] = field(default_factory=dict)
    records: int = 0


class MemoryService:
    """As gateway.webhooks.log.Service. A cursor is the number of events it covers."""

    def __init__(self) -> None:
        self.events: list[events_pb2.Event] = []
        self.kept: dict[str, Kept] = {}
        self.more = asyncio.Event()
        self.refuse: Callable[[], Problem | None] = lambda: None
        self.reads = 0
        self._numbers: dict[str, int] = defaultdict(int)

    def endpoint(self, url: str, name: str = "we_1") -> Kept:
        message = pb.WebhookEndpoint(
            id=name,
            endpoint_url=url,
            filter=events_pb2.EventFilter(types=["dsync.*"]),
            secrets=[pb.WebhookSecret(value=SECRET)],
            subscription_id=f"subscription_{name}",
        )
        self.kept[name] = Kept(message)
        return self.kept[name]

    def happen(self, directory: str, count: int = 1) -> None:
        """More events of a directory: ids are `<directory>-<number>`."""
        for _ in range(count):
            self._numbers[directory] += 1
            number = self._numbers[directory]
            event = events_pb2.Event(
                id=f"{directory}-{number}",
                type="dsync.user.created",
                directory_id=directory,
                directory_sequence=number,
                create_time=timestamp(START),
                transaction_end=True,
                user=resources_pb2.DirectoryUser(id=f"user-{number}"),
            )
            self.events.append(event)
        self.more.set()

    async def page(self, wanted: events_pb2.EventFilter, cursor: str, size: int, **_: Any) -> Page:
        self.reads += 1
        await asyncio.sleep(0)
        at = int(cursor or 0)
        found: list[Entry] = []
        while at < len(self.events) and len(found) < size:
            event = self.events[at]
            at += 1
            if not wanted.directory_ids or event.directory_id in wanted.directory_ids:
                found.append(Entry(event, None))
        return Page(found, str(at), at < len(self.events))

    async def resolved(self, events: Sequence[events_pb2.Event]) -> list[Entry]:
        return [Entry(event, None) for event in events]

    async def targets(
        self, version: str = "", after_id: str = "", endpoint_ids: Sequence[str] = ()
    ) -> pb.ListWebhookTargetsResponse:
        wanted = endpoint_ids or [*self.kept]
        return pb.ListWebhookTargetsResponse(
            targets=[
                pb.WebhookTarget(
                    endpoint=kept.message, lanes=kept.lanes.values(), replays=_unfinished(kept.replays.values())
                )
                for kept in (self.kept[name] for name in wanted)
                if kept.message.status != pb.WEBHOOK_ENDPOINT_STATUS_DISABLED
            ],
            version="1",
        )

    async def record(self, request: pb.RecordWebhookAttemptsRequest) -> None:
        await asyncio.sleep(0.001)
        kept = self.kept[request.endpoint_id]
        if (problem := self.refuse()) is not None:
            raise problem
        if request.lease_epoch != kept.epoch:
            raise Problem(Rule(409), "lost", reason="LEASE_LOST")
        kept.records += 1
        for delivery in request.deliveries:
            before = kept.deliveries.get(delivery.id, pb.WebhookDelivery())
            stored = pb.WebhookDelivery()
            stored.CopyFrom(delivery)
            del stored.attempts[:]
            stored.attempts.extend([*before.attempts, *delivery.attempts])
            kept.deliveries[delivery.id] = stored
        kept.lanes.update({lane.directory_id: lane for lane in request.lanes})
        for directory in request.ended_lanes:
            kept.lanes.pop(directory, None)
        kept.replays.update({replay.id: replay for replay in request.replays})
        kept.cursor = max(kept.cursor, int(request.cursor or 0))
        if request.disable_reason:
            kept.message.status = pb.WEBHOOK_ENDPOINT_STATUS_DISABLED
            kept.message.status_reason = request.disable_reason
        if request.HasField("failing_since_time"):
            kept.message.failing_since_time.CopyFrom(request.failing_since_time)
        elif any(one.state == pb.WEBHOOK_DELIVERY_STATE_SUCCEEDED for one in request.deliveries):
            kept.message.ClearField("failing_since_time")

    async def subscribe(
        self, requests: AsyncIterable[subscriptions.SubscribeRequest]
    ) -> AsyncIterator[subscriptions.SubscribeResponse]:
        asked = aiter(requests)
        begin = (await anext(asked)).begin
        kept = next(one for one in self.kept.values() if one.message.subscription_id == begin.subscription)
        kept.epoch += 1
        epoch, at, acked, left = kept.epoch, kept.cursor, kept.cursor, False

        async def listen() -> None:
            nonlocal acked, left
            async for request in asked:
                acked = max(acked, int(request.ack.cursor))
                self.more.set()
            left = True
            self.more.set()

        listening = asyncio.create_task(listen())
        try:
            yield subscriptions.SubscribeResponse(cursor=str(at), started=True, lease_epoch=epoch)
            while not left:
                if kept.epoch != epoch:
                    raise Problem(Rule(409), "lost", reason="LEASE_LOST")
                size = min(begin.max_batch_size, begin.credit - (at - acked), len(self.events) - at)
                if size > 0:
                    part = self.events[at : at + size]
                    at += size
                    yield subscriptions.SubscribeResponse(
                        events=part, cursor=str(at), caught_up=at == len(self.events), lease_epoch=epoch
                    )
                else:
                    self.more.clear()
                    await self.more.wait()
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


def _unfinished(replays: Any) -> list[pb.WebhookReplay]:
    return [replay for replay in replays if not replay.HasField("complete_time")]


@dataclass
class Lab:
    """Sessions over a MemoryService."""

    service: MemoryService
    clock: ManualClock
    parts: Parts
    budget: Budget
    registry: CollectorRegistry
    running: dict[str, "tuple[Session, asyncio.Task[None]]"] = field(default_factory=dict)

    def start(self, name: str = "we_1", connections: int = 8) -> Session:
        target = pb.WebhookTarget(endpoint=self.service.kept[name].message)
        session = Session(target, "lab", self.parts, self.budget, connections)
        self.running[name] = session, asyncio.create_task(session.run())
        return session

    async def kill(self, name: str = "we_1") -> None:
        """As if the process died: nothing more is recorded."""
        _, task = self.running.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def settle(self, turns: int = 20) -> None:
        """Let everything happen that needs no time to pass."""
        for _ in range(turns):
            await asyncio.sleep(0.01)

    def sample(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def lab(settings: WebhookSettings = SETTINGS, disable_days: float = 5) -> AsyncIterator[Lab]:
    """No chance: jitter is nothing."""
    service, clock, registry = MemoryService(), ManualClock(), CollectorRegistry()
    async with Sender(settings) as sender:
        metrics = WebhookMetrics(registry)
        attempts = Attempts(sender, Slots(settings.connections), metrics, clock)
        parts = Parts(service, attempts, metrics, clock, lambda: 0.0, disable_days * DAY)  # type: ignore[arg-type]
        made = Lab(service, clock, parts, Budget(1 << 20), registry)
        try:
            yield made
        finally:
            for _, task in made.running.values():
                task.cancel()
            await asyncio.gather(*(task for _, task in made.running.values()), return_exceptions=True)


def firsts(ids: Sequence[str], directory: str) -> list[int]:
    """Numbers of a directory's events in the order of their first arrival."""
    return [int(one.split("-")[1]) for one in dict.fromkeys(ids) if one.startswith(f"{directory}-")]


def fails(*ids: str, answer: Answer = BROKEN) -> Callable[[Received], Answer]:
    return lambda request: answer if request.id in ids else OK
