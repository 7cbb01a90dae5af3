"""Events that are sent to an endpoint once more, beside its ordinary deliveries: one replay after the other."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from directorysync.v1 import events_pb2
from directorysync.v1 import webhooks_pb2 as pb
from gateway.problems import Problem
from gateway.webhooks.attempts import FAILED, RETRYING, SUCCEEDED, Attempted, Endpoint, Tries, timestamp
from gateway.webhooks.clock import pause
from gateway.webhooks.log import Entry
from gateway.webhooks.pipeline import Parts, Pipeline
from gateway.webhooks.recorder import Recorder
from gateway.webhooks.samples import sample
from gateway.webhooks.schedule import next_delay, retry_after_seconds

_ATTEMPTS: Final = 4
"""Of each event of a stretch; one event alone and a test, whose answer somebody waits for, get one for each secret."""
_PAGE: Final = 50
_REFUSALS: Final = frozenset({400, 401, 403, 422})


class Replays:
    """Of one endpoint under one lease. `run()` must be running."""

    def __init__(self, endpoint: Endpoint, pipeline: Pipeline, recorder: Recorder, parts: Parts) -> None:
        self._endpoint = endpoint
        self._pipeline = pipeline
        self._recorder = recorder
        self._parts = parts
        self._known: set[str] = set()
        self._waiting: deque[pb.WebhookReplay] = deque()
        self._some = asyncio.Event()

    def offer(self, replays: Sequence[pb.WebhookReplay]) -> None:
        """Unfinished replays; those that are known already are passed over."""
        for replay in replays:
            if replay.id not in self._known:
                self._known.add(replay.id)
                self._waiting.append(replay)
                self._some.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            while self._waiting and not self._pipeline.stopped:
                await self._replay(self._waiting.popleft())
            self._some.clear()
            await self._some.wait()

    async def _replay(self, replay: pb.WebhookReplay) -> None:
        try:
            error = await self._sent(replay)
        except Problem as problem:
            if not problem.reason or problem.rule.status >= 500:
                raise
            error = problem.detail or problem.reason
        if error is None:
            return
        replay.complete_time.CopyFrom(timestamp(self._parts.clock.now()))
        replay.error = error
        self._recorder.replay(replay)

    async def _sent(self, replay: pb.WebhookReplay) -> str | None:
        """Why it ended before its end, or an empty text; None: it is not at its end."""
        what = replay.WhichOneof("what")
        if what == "test_event_type":
            return await self._one(replay, sample(replay.test_event_type, replay.id, replay.create_time))
        if what == "range":
            return await self._range(replay)
        page = await self._parts.service.page(events_pb2.EventFilter(), replay.cursor, 1, exact=True)
        found = next((entry for entry in page.entries if entry.event.id == replay.event_id), None)
        return "the event is no longer kept" if found is None else await self._one(replay, found)

    async def _one(self, replay: pb.WebhookReplay, entry: Entry) -> str | None:
        tries = Tries.of(entry, self._parts.clock.now())
        while True:
            tried = await self._attempt(tries)
            if tried is None:
                return None
            if not _refused(tried) or tries.made >= len(self._endpoint.secrets(tried.ended)):
                break
            # WorkOS's header has room for one signature: a receiver that refuses it may know another secret.
            self._recorder.delivery(tried.delivery(RETRYING, tried.ended))
        self._recorder.delivery(tried.delivery(SUCCEEDED if tried.ok else FAILED))
        if not tried.ok:
            return _reason(tried)
        replay.delivered_count += 1
        return ""

    async def _range(self, replay: pb.WebhookReplay) -> str | None:
        wanted, stretch = self._endpoint.message.filter, replay.range
        while True:
            page = await self._parts.service.page(
                wanted, replay.cursor, _PAGE, start=stretch.start_time, end=stretch.end_time
            )
            for entry in page.entries:
                error = await self._in_range(entry)
                if error != "":
                    return error
                replay.delivered_count += 1
            replay.cursor = page.cursor
            if not page.more:
                return ""
            progress = pb.WebhookReplay()
            progress.CopyFrom(replay)
            self._recorder.replay(progress)

    async def _in_range(self, entry: Entry) -> str | None:
        clock = self._parts.clock
        tries = Tries.of(entry, clock.now())
        while True:
            tried = await self._attempt(tries)
            if tried is None:
                return None
            if tried.ok:
                self._recorder.delivery(tried.delivery(SUCCEEDED))
                return ""
            wait = retry_after_seconds(tried.outcome.retry_after, tried.ended)
            delay = next_delay(tries.made, self._parts.chance(), wait) if tries.made < _ATTEMPTS else None
            if delay is None:
                self._recorder.delivery(tried.delivery(FAILED))
                return f"event {entry.event.id}: {_reason(tried)}"
            self._recorder.delivery(tried.delivery(RETRYING, tried.ended + delay))
            await pause(clock, delay)

    async def _attempt(self, tries: Tries) -> Attempted | None:
        pipeline = self._pipeline
        tried = await self._parts.attempts.make(
            self._endpoint, tries, suspect=bool(pipeline.health.failures), may=lambda: not pipeline.stopped
        )
        if tried is not None and tried.ok:
            pipeline.answered(tried.ended)
        return tried


def _refused(tried: Attempted) -> bool:
    """As a receiver answers that cannot verify a signature."""
    return tried.outcome.status in _REFUSALS


def _reason(tried: Attempted) -> str:
    outcome = tried.outcome
    return f"{outcome.error} {outcome.status}" if outcome.status else outcome.error
