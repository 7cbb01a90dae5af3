"""Named subscriptions, and those of webhook endpoints: made, found, moved, forgotten."""

from dataclasses import dataclass
from datetime import datetime

from service.app.clock import Clock, IdSource
from service.app.event_places import locate_event
from service.app.tail_scope import EventFilter, Scope, resolve_scope, scope_within
from service.app.tail_start import Edge, Point, locate
from service.domain import ids
from service.domain.caller import Caller, not_found
from service.domain.cursor import feed_cursor
from service.domain.errors import LimitExceededError
from service.domain.subscription import Bounds, Subscription, check_subscription_name, reach_of
from service.storage import feed as feed_table
from service.storage import subscriptions as table
from service.storage.database import Connection, Pool
from service.storage.feed import Source
from service.storage.transaction import transaction

MAX_SUBSCRIPTIONS = 10_000


@dataclass(frozen=True, slots=True)
class Behind:
    """A place: behind the event of this id."""

    event_id: str


Position = Point | Behind


async def reach_within(source: Source, caller: Caller, wanted: EventFilter) -> Bounds:
    """What a filter reaches for a caller. NotFoundError for what is out of the caller's reach."""
    await resolve_scope(source, caller, wanted)
    named = wanted.directory_ids or tuple(caller.directory_ids)
    organizations = await feed_table.organizations_of(source, named) if named else {}
    return reach_of(wanted, Bounds.of(caller), organizations)


async def create_for_webhook(
    connection: Connection, caller: Caller, wanted: EventFilter, *, subscription_id: str, at: datetime
) -> None:
    """The subscription of a new endpoint, from the next event on, in a transaction of the caller's own.

    It is read by Subscribe under its id with scope `deliver`; `storage.subscriptions.acknowledge` alone moves it, and
    `storage.subscriptions.delete` forgets it.
    """
    reach = await reach_within(connection, caller, wanted)
    cursor, place = await table.now(connection)
    await table.insert(
        connection,
        subscription_id=subscription_id,
        kind=table.WEBHOOK,
        name=subscription_id,
        wanted=wanted,
        bounds=Bounds.of(caller),
        reach=reach,
        cursor=cursor,
        place=place,
        at=at,
    )


async def change_filter(connection: Connection, caller: Caller, subscription_id: str, wanted: EventFilter) -> None:
    """Another filter, within the caller's bounds, from the same place, in a transaction of the caller's own.

    Its reader gets LEASE_LOST and finds the new filter when it begins again.
    """
    reach = await reach_within(connection, caller, wanted)
    changed = await table.change_filter(connection, subscription_id, wanted, bounds=Bounds.of(caller), reach=reach)
    if not changed:
        raise not_found("Subscription", subscription_id)


class Subscriptions:
    """Administrators' view of those of kind `named`. A bound caller sees and makes what lies within its bounds."""

    def __init__(self, pool: Pool, *, new_ids: IdSource, clock: Clock) -> None:
        self._pool = pool
        self._ids = new_ids
        self._clock = clock

    async def create(self, caller: Caller, name: str, wanted: EventFilter, start: Position) -> Subscription:
        """AlreadyExistsError for a name that is taken; what `locate` raises for a start that cannot be."""
        check_subscription_name(name)
        reach = await reach_within(self._pool, caller, wanted)
        if await table.count(self._pool) >= MAX_SUBSCRIPTIONS:
            detail = f"there are {MAX_SUBSCRIPTIONS} subscriptions already"
            raise LimitExceededError(detail, limit=str(MAX_SUBSCRIPTIONS))
        cursor, place = await self._place(caller, await resolve_scope(self._pool, caller, wanted), start)
        subscription_id = self._ids.new(ids.SUBSCRIPTION)
        async with transaction(self._pool) as connection:
            await table.insert(
                connection,
                subscription_id=subscription_id,
                kind=table.NAMED,
                name=name,
                wanted=wanted,
                bounds=Bounds.of(caller),
                reach=reach,
                cursor=cursor,
                place=place,
                at=self._clock.now(),
            )
            made = await table.find(connection, subscription_id)
        if made is None:
            raise not_found("Subscription", subscription_id)
        return made[0]

    async def get(self, caller: Caller, id_or_name: str) -> Subscription:
        """NotFoundError when there is none that the caller may see."""
        found = await table.find(self._pool, id_or_name)
        if found is None or found[0].kind != table.NAMED or not Bounds.of(caller).holds(found[1]):
            raise not_found("Subscription", id_or_name)
        return found[0]

    async def page(self, caller: Caller, after: str, limit: int) -> list[Subscription]:
        """Behind an id, oldest first."""
        return await table.page(self._pool, after, limit, Bounds.of(caller))

    async def reset(self, caller: Caller, id_or_name: str, start: Position) -> Subscription:
        """To another place in the log; its reader gets LEASE_LOST."""
        found = await self.get(caller, id_or_name)
        wanted = EventFilter(found.directory_ids, found.organization_ids, found.types)
        scope = scope_within(found.bounds.organization_ids, found.bounds.directory_ids, wanted)
        cursor, place = await self._place(caller, scope, start)
        if not await table.move(self._pool, found.id, cursor, place):
            raise not_found("Subscription", id_or_name)
        return await self.get(caller, found.id)

    async def delete(self, caller: Caller, id_or_name: str) -> None:
        """Its reader gets LEASE_LOST."""
        found = await self.get(caller, id_or_name)
        if not await table.delete(self._pool, found.id):
            raise not_found("Subscription", id_or_name)

    async def _place(self, caller: Caller, scope: Scope, start: Position) -> tuple[str, int]:
        """Where it begins, as a position of the feed: the cursor of a directory is good for its filter only."""
        if isinstance(start, Behind):
            start = await self._behind(caller, start.event_id)
        at = await locate(self._pool, scope, start)
        if not at.by_number:
            return feed_cursor(at.epoch, at.place), at.place
        if start is Edge.NOW:
            return await table.now(self._pool)
        position = await table.position_of(self._pool, scope.directory_id or "", at.place)
        if position is None:
            state = await feed_table.state(self._pool)
            position = 0 if state is None else state.oldest
        return feed_cursor(at.epoch, position), position

    async def _behind(self, caller: Caller, event_id: str) -> str:
        """The cursor behind an event, committed in the middle of a command or not."""
        at = await locate_event(self._pool, caller, Scope(), event_id)
        return feed_cursor(at.epoch, at.place)
