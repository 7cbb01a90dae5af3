"""What dispatchers ask: which endpoints there are, and to keep what they did.

Records of many endpoints share a commit: those that arrive while one runs go together in the next.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from service.app.clock import Clock
from service.app.eventlog import EventLog
from service.app.sealing import Sealing
from service.app.webhooks import opened
from service.domain import ids
from service.domain.change import Change, ChangeType
from service.domain.cursor import decode, feed_cursor
from service.domain.errors import LeaseLostError
from service.domain.webhook import KEPT, DisabledEndpoint, Record
from service.storage import feed as feed_table
from service.storage import subscriptions as subscriptions_table
from service.storage import webhook_deliveries as deliveries_table
from service.storage import webhooks as table
from service.storage.credentials import CONNECTION_ERRORS
from service.storage.database import Connection, Pool
from service.storage.transaction import transaction
from service.storage.webhooks import Targets
from service.telemetry import Telemetry

MAX_TARGETS = 1_000
MAX_DELIVERIES = 1_000
_MAX_RECORDS = 200
_PURGE_SECONDS = 600.0
_PURGE_STEP = 2_000
_GRAVE = timedelta(minutes=10)


@dataclass(slots=True, eq=False)
class _Waiting:
    record: Record
    done: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class WebhookDispatch:
    """For callers of scope `deliver`. `run()` must be running: it keeps house."""

    def __init__(self, pool: Pool, *, log: EventLog, sealing: Sealing, clock: Clock, telemetry: Telemetry) -> None:
        self._pool = pool
        self._log = log
        self._sealing = sealing
        self._clock = clock
        self._telemetry = telemetry
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    async def targets(self, after: str, since: int, endpoint_ids: Sequence[str]) -> tuple[Targets, bool]:
        """One consistent view, and whether there are more behind it."""
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            found = await (
                table.targets_by_id(connection, endpoint_ids)  # type: ignore[arg-type]  # the pool's proxy
                if endpoint_ids
                else table.targets(connection, after, since, MAX_TARGETS + 1)  # type: ignore[arg-type]
            )
        now = self._clock.now()
        shown = [
            replace(
                target, endpoint=replace(target.endpoint, secrets=opened(self._sealing, target.endpoint.secrets, now))
            )
            for target in found.targets[:MAX_TARGETS]
        ]
        return replace(found, targets=shown), len(found.targets) > MAX_TARGETS

    async def record(self, record: Record) -> None:
        """Keep it, or raise LeaseLostError and keep nothing of it."""
        if record.cursor:
            decode(record.cursor)
        waiting = _Waiting(record)
        self._waiting.append(waiting)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        await waiting.done

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                # One record for an endpoint in each commit: a second one stands on the first.
                batch = list({one.record.endpoint_id: one for one in reversed(self._waiting)}.values())[-_MAX_RECORDS:]
                self._waiting = [one for one in self._waiting if one not in batch]
                await self._settle(batch)
        finally:
            self._writing = None

    async def _settle(self, batch: list[_Waiting]) -> None:
        """What breaks a commit of several does not break the others."""
        try:
            lost = await self._write([one.record for one in batch])
        except Exception as error:
            if len(batch) == 1:
                _end(batch[0], error)
                return
            for one in batch:
                await self._settle([one])
            return
        for one in batch:
            _end(one, subscriptions_table.lease_lost() if one.record.endpoint_id in lost else None)

    async def _write(self, records: Sequence[Record]) -> set[str]:
        """Ids of endpoints whose lease is another's."""
        async with transaction(self._pool) as connection:
            held = await deliveries_table.hold(connection, records)
            kept = [record for record in records if record.endpoint_id in held]
            subscriptions = {}
            if any(record.cursor for record in kept):
                subscriptions = await table.subscriptions_of(connection, [record.endpoint_id for record in kept])
            for record in kept:
                if record.cursor:
                    subscription_id = subscriptions[record.endpoint_id]
                    await subscriptions_table.acknowledge(
                        connection, subscription_id, record.lease_epoch, record.cursor
                    )
            await deliveries_table.write(connection, kept)
            appended = await self._disable(connection, [record for record in kept if record.disable_reason])
        if appended:
            self._log.committed()
        return {record.endpoint_id for record in records} - held

    async def _disable(self, connection: Connection, records: Sequence[Record]) -> bool:
        """Turn endpoints off and tell it in the log; whether anything was told."""
        told: list[tuple[tuple[str, str], DisabledEndpoint]] = []
        for record in records:
            version = await table.next_version(connection)
            off = await deliveries_table.disable(
                connection, record.endpoint_id, record.disable_reason, self._clock.now(), version
            )
            if off is None:
                continue
            place = await deliveries_table.longest_waiting(connection, record.endpoint_id)
            if place is not None:
                told.append((place, off))
        # Heads of several directories are taken in the order in which every writer takes them.
        for (directory_id, organization_id), off in sorted(told, key=lambda one: one[0]):
            change = Change(ChangeType.WEBHOOK_ENDPOINT_DISABLED, off)
            await self._log.append(connection, directory_id, organization_id, [change], "")
        return bool(told)

    async def run(self) -> None:
        """Until cancelled: what is past its time is taken away in small steps."""
        while True:
            await asyncio.sleep(_PURGE_SECONDS)
            try:
                await self.keep_house()
            except CONNECTION_ERRORS as error:
                self._telemetry.storage_failed("webhooks.keep_house", error)

    async def keep_house(self) -> None:
        """Old deliveries, deleted endpoints, and endpoints that retention has overtaken."""
        await self._skip_lost_events()
        now = self._clock.now()
        floor = ids.ulid(int((now - KEPT).timestamp() * 1000), 0)
        after = ""
        while page := await table.all_ids(self._pool, after):
            after = page[-1]
            for endpoint_id in page:
                await self._purge(endpoint_id, ids.WEBHOOK_DELIVERY + floor)
                await deliveries_table.purge_replays(self._pool, endpoint_id, ids.WEBHOOK_REPLAY + floor)
        for endpoint_id in await table.graves(self._pool, now - _GRAVE):
            await self._purge(endpoint_id, "~")
            await table.remove(self._pool, endpoint_id)

    async def _purge(self, endpoint_id: str, before: str) -> None:
        while await deliveries_table.purge(self._pool, endpoint_id, before, _PURGE_STEP) == _PURGE_STEP:
            await asyncio.sleep(0.05)

    async def _skip_lost_events(self) -> None:
        """What retention has dropped can be sent no more: go on with the oldest event there is."""
        state = await feed_table.state(self._pool)
        if state is None:
            return
        for endpoint_id, subscription_id in await table.expired(self._pool, state.oldest):
            self._telemetry.log.warning("webhook_events_expired", endpoint_id=endpoint_id)
            cursor = feed_cursor(state.epoch, state.oldest)
            await subscriptions_table.move(self._pool, subscription_id, cursor, state.oldest)


def _end(waiting: _Waiting, error: Exception | None) -> None:
    if waiting.done.done():
        return
    if error is None:
        waiting.done.set_result(None)
    elif isinstance(error, LeaseLostError):
        waiting.done.set_exception(subscriptions_table.lease_lost())
    else:
        waiting.done.set_exception(error)
