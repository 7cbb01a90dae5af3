"""Webhook endpoints as administrators see them: made, changed, rotated, looked into, asked to send again."""

import base64
import secrets as randomness
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from service.app import subscriptions
from service.app.clock import Clock, IdSource
from service.app.event_places import locate_event
from service.app.sealing import Sealing
from service.app.tail_scope import EventFilter, Scope
from service.app.tail_start import Place
from service.domain import ids
from service.domain.caller import Caller, not_found
from service.domain.change import ChangeType
from service.domain.cursor import feed_cursor
from service.domain.errors import AlreadyExistsError, ArgumentError, CursorInvalidError, LimitExceededError
from service.domain.stretch import Stretch
from service.domain.webhook import (
    Delivery,
    DeliveryState,
    Endpoint,
    Replay,
    Secret,
    check_description,
    check_overlap,
    check_types,
    check_url,
    rotated,
)
from service.storage import feed as feed_table
from service.storage import subscriptions as subscriptions_table
from service.storage import webhook_deliveries as deliveries_table
from service.storage import webhooks as table
from service.storage.database import Connection, Pool
from service.storage.transaction import transaction
from service.storage.violations import broken_constraint

MAX_ENDPOINTS = 10_000
MAX_UNFINISHED_REPLAYS = 100
_MAX_TYPE = 128
_KNOWN_TYPES = frozenset(kind.value for kind in ChangeType)


@dataclass(frozen=True, slots=True)
class Update:
    """What is to change of an endpoint; None: nothing."""

    url: str | None = None
    wanted: EventFilter | None = None
    enabled: bool | None = None
    description: str | None = None


class Webhooks:
    """Only an administrator without bounds handles them: an endpoint's filter may name anything."""

    def __init__(
        self, pool: Pool, *, sealing: Sealing, new_ids: IdSource, clock: Clock, http_allowed: bool = False
    ) -> None:
        self._pool = pool
        self._sealing = sealing
        self._ids = new_ids
        self._clock = clock
        self._http_allowed = http_allowed

    async def create(self, caller: Caller, url: str, wanted: EventFilter, description: str) -> Endpoint:
        """Its deliveries begin with the next event."""
        caller.require_unbounded()
        check_types(wanted.types, _KNOWN_TYPES)
        now = self._clock.now()
        endpoint = Endpoint(
            id=self._ids.new(ids.WEBHOOK_ENDPOINT),
            url=check_url(url, http_allowed=self._http_allowed),
            description=check_description(description),
            secrets=(self._new_secret(now),),
            subscription_id=self._ids.new(ids.SUBSCRIPTION),
            directory_ids=wanted.directory_ids,
            organization_ids=wanted.organization_ids,
            types=wanted.types,
            created_at=now,
            updated_at=now,
        )
        async with transaction(self._pool) as connection:
            if await table.count(connection) >= MAX_ENDPOINTS:
                detail = f"there are {MAX_ENDPOINTS} webhook endpoints already"
                raise LimitExceededError(detail, limit=str(MAX_ENDPOINTS))
            await subscriptions.create_for_webhook(
                connection, caller, wanted, subscription_id=endpoint.subscription_id, at=now
            )
            with broken_constraint(table.URL_CONSTRAINT, _taken()):
                await table.insert(connection, endpoint, await table.next_version(connection))
        return self._opened(endpoint)

    async def get(self, caller: Caller, endpoint_id: str) -> Endpoint:
        """One endpoint."""
        caller.require_unbounded()
        found = await table.get(self._pool, endpoint_id)
        if found is None:
            raise not_found("WebhookEndpoint", endpoint_id)
        return self._opened(found)

    async def page(self, caller: Caller, stretch: Stretch) -> list[Endpoint]:
        """In the order in which the stretch is read."""
        caller.require_unbounded()
        return [self._opened(endpoint) for endpoint in await table.page(self._pool, stretch)]

    async def update(self, caller: Caller, endpoint_id: str, update: Update) -> Endpoint:
        """Enabling goes on where delivery stopped, or at the oldest event that is kept."""
        caller.require_unbounded()
        url = None if update.url is None else check_url(update.url, http_allowed=self._http_allowed)
        async with transaction(self._pool) as connection:
            before = await self._locked(connection, endpoint_id)
            changed = replace(
                before,
                url=before.url if url is None else url,
                description=before.description if update.description is None else check_description(update.description),
                updated_at=self._clock.now(),
            )
            if update.wanted is not None:
                wanted = update.wanted
                # What it has may be of another release; it stays until it is taken out.
                check_types(wanted.types, _KNOWN_TYPES.union(before.types))
                await subscriptions.change_filter(connection, caller, before.subscription_id, wanted)
                changed = replace(
                    changed,
                    directory_ids=wanted.directory_ids,
                    organization_ids=wanted.organization_ids,
                    types=wanted.types,
                )
            if update.enabled is not None and update.enabled != before.enabled:
                changed = await self._switched(connection, changed, enabled=update.enabled)
            with broken_constraint(table.URL_CONSTRAINT, _taken()):
                await table.update(connection, changed, await table.next_version(connection))
        return self._opened(changed)

    async def delete(self, caller: Caller, endpoint_id: str) -> None:
        """Its reader gets LEASE_LOST; its deliveries are taken away by and by."""
        caller.require_unbounded()
        async with transaction(self._pool) as connection:
            endpoint = await self._locked(connection, endpoint_id)
            await subscriptions_table.delete(connection, endpoint.subscription_id)
            await table.bury(connection, endpoint_id, self._clock.now(), await table.next_version(connection))

    async def rotate(self, caller: Caller, endpoint_id: str, overlap: timedelta | None) -> Endpoint:
        """A new secret; the present ones go on signing beside it for a while."""
        caller.require_unbounded()
        length = check_overlap(overlap)
        now = self._clock.now()
        async with transaction(self._pool) as connection:
            before = await self._locked(connection, endpoint_id)
            secrets = rotated(before.secrets, self._new_secret(now), length)
            changed = replace(before, secrets=secrets, updated_at=now)
            await table.update(connection, changed, await table.next_version(connection))
        return self._opened(changed)

    async def deliveries(
        self,
        caller: Caller,
        endpoint_id: str,
        before: str,
        limit: int,
        *,
        state: DeliveryState | None = None,
        event_id: str = "",
    ) -> list[Delivery]:
        """Newest first, those before an id."""
        await self.get(caller, endpoint_id)
        return await deliveries_table.page(self._pool, endpoint_id, before, limit, state=state, event_id=event_id)

    async def delivery(self, caller: Caller, endpoint_id: str, delivery_id: str) -> Delivery:
        """One with its attempts."""
        await self.get(caller, endpoint_id)
        found = await deliveries_table.get(self._pool, endpoint_id, delivery_id)
        if found is None:
            raise not_found("WebhookDelivery", delivery_id)
        return found

    async def replay(self, caller: Caller, endpoint_id: str, make: Callable[[str, datetime], Replay]) -> Replay:
        """Something to be sent once more. `make` is given its id and the time. CursorExpiredError for an old event."""
        caller.require_unbounded()
        replay = make(self._ids.new(ids.WEBHOOK_REPLAY), self._clock.now())
        _check_replay(replay)
        if replay.event_id:
            place = await self._place_of(caller, replay.event_id)
            # From just before it.
            replay = replace(replay, cursor=feed_cursor(place.epoch, place.place - 1))
        async with transaction(self._pool) as connection:
            endpoint = await self._locked(connection, endpoint_id)
            if not endpoint.enabled:
                raise ArgumentError("the endpoint is disabled; enable it first", field="endpoint_id")
            if await table.count_unfinished(connection, endpoint_id) >= MAX_UNFINISHED_REPLAYS:
                detail = f"{MAX_UNFINISHED_REPLAYS} replays of this endpoint are not done yet"
                raise LimitExceededError(detail, limit=str(MAX_UNFINISHED_REPLAYS))
            await table.insert_replay(connection, replay)
            await table.touch(connection, endpoint_id, await table.next_version(connection))
        return replay

    async def replays(self, caller: Caller, endpoint_id: str) -> list[Replay]:
        """The last 100, newest first."""
        await self.get(caller, endpoint_id)
        return await table.replays(self._pool, endpoint_id)

    async def _place_of(self, caller: Caller, event_id: str) -> Place:
        try:
            return await locate_event(self._pool, caller, Scope(), event_id)
        except CursorInvalidError:
            raise not_found("Event", event_id) from None

    async def _locked(self, connection: Connection, endpoint_id: str) -> Endpoint:
        found = await table.lock(connection, endpoint_id)
        if found is None:
            raise not_found("WebhookEndpoint", endpoint_id)
        return found

    async def _switched(self, connection: Connection, endpoint: Endpoint, *, enabled: bool) -> Endpoint:
        if not enabled:
            return replace(endpoint, enabled=False, status_reason="disabled by an administrator")
        state = await feed_table.state(connection)
        found = await subscriptions_table.find(connection, endpoint.subscription_id)
        if state is not None and found is not None and found[0].place < state.oldest:
            cursor = feed_cursor(state.epoch, state.oldest)
            await subscriptions_table.move(connection, endpoint.subscription_id, cursor, state.oldest)
        await table.hasten_lanes(connection, endpoint.id, endpoint.updated_at)
        return replace(endpoint, enabled=True, status_reason="", failing_since=None)

    def _new_secret(self, now: datetime) -> Secret:
        value = "whsec_" + base64.b64encode(randomness.token_bytes(32)).decode()
        return Secret(self._sealing.seal(value), now)

    def _opened(self, endpoint: Endpoint) -> Endpoint:
        return replace(endpoint, secrets=opened(self._sealing, endpoint.secrets, self._clock.now()))


def opened(sealing: Sealing, secrets: Sequence[Secret], now: datetime) -> tuple[Secret, ...]:
    """Those that sign now and that a key here opens, as texts."""
    texts = ((sealing.open(one.value), one) for one in secrets if one.signs(now))
    return tuple(replace(one, value=text) for text, one in texts if text is not None)


def _taken() -> AlreadyExistsError:
    return AlreadyExistsError("another webhook endpoint has this URL", field="endpoint_url")


def _check_replay(replay: Replay) -> None:
    if replay.start_at is not None and replay.end_at is not None and replay.start_at >= replay.end_at:
        raise ArgumentError("range.end_time must be behind range.start_time", field="range")
    kind = replay.test_event_type
    if kind and (len(kind) > _MAX_TYPE or not kind.isascii() or not kind.isprintable() or kind.endswith("*")):
        raise ArgumentError("test_event_type is not the type of an event", field="test_event_type")
