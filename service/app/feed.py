"""The feed of one process: who reads what, from the one tail (DESIGN section 6)."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from functools import partial
from typing import Protocol

from service.app.clock import Clock
from service.app.event_places import locate_event
from service.app.sealed import Sealed
from service.app.snapshot import Snapshots, StateWire
from service.app.tail import Tail
from service.app.tail_batches import Entry
from service.app.tail_channel import Channel, ChannelKey
from service.app.tail_pages import Pages
from service.app.tail_reader import Reader, replaced
from service.app.tail_ring import Ring
from service.app.tail_scope import EventFilter, Scope, resolve_scope
from service.app.tail_start import Content, EventId, Place, Start, expired_behind, locate
from service.app.tail_stream import Guard, Marks, Signs, Stream
from service.domain.caller import Caller
from service.domain.cursor import directory_cursor, feed_cursor
from service.domain.errors import CursorExpiredError
from service.storage.database import Pool
from service.telemetry import Telemetry


class Wire(StateWire, Protocol):
    """How events are put into messages; the only thing here that depends on the contract."""

    def frame(self, payload: bytes) -> bytes:
        """A stored event as a field of a message."""

    def message(self, body: bytes, cursor: str, *, caught_up: bool, started: bool, continues: bool) -> Sealed:
        """A message of a watch from frames and what goes with them."""

    def part(self, body: bytes, cursor: str, *, started: bool, complete: bool) -> Sealed:
        """A message of a watch with a part of a snapshot from its frames."""


class Feed:
    """`run()` must be running. `still_valid` tells whether the credential of an open stream is still good."""

    def __init__(
        self,
        database_url: str,
        pool: Pool,
        clock: Clock,
        telemetry: Telemetry,
        *,
        pages: Pages,
        wire: Wire,
        still_valid: Callable[[Caller], Awaitable[bool]],
        ring_events: int = 20_000,
        ring_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._wire = wire
        self._still_valid = still_valid
        self._ring = Ring(ring_events, ring_bytes)
        self._pages = pages
        self._snapshots = Snapshots(database_url, pool, clock, wire)
        self._tail = Tail(
            database_url,
            self._ring,
            telemetry,
            frame=wire.frame,
            deliver=self._deliver,
            reset=self._restart,
            watched=lambda: bool(self._channels),
        )
        self._signs = Signs()
        self._channels: dict[ChannelKey, Channel] = {}
        # Where the channels of bounded scopes listen; the others hear everything.
        self._by_directory: dict[str, set[Channel]] = defaultdict(set)
        self._by_organization: dict[str, set[Channel]] = defaultdict(set)
        self._unbounded: set[Channel] = set()

    @property
    def epoch(self) -> str:
        """Changes when the database is replaced or rolled back. Empty until `ready()`."""
        return self._tail.epoch

    async def run(self) -> None:
        """Until cancelled."""
        await self._tail.run()

    async def ready(self) -> None:
        """Wait until a sequencer has found the database to be the one it was, or has begun a new epoch.

        Serve nobody before: the cursors of writes would be of the wrong history.
        """
        await self._tail.started.wait()

    def hint(self, position: int) -> None:
        """There may be events up to `position`. From the loop's own thread only."""
        self._tail.hint(position)

    def drain(self) -> None:
        """End every stream behind its last whole command with DrainingError, also those that begin later."""
        self._signs.draining = True
        self._wake_all()

    def cursor_of(self, directory_id: str, seq: int) -> str:
        """The cursor that covers a directory's events up to `seq`."""
        return directory_cursor(self.epoch, directory_id, seq)

    async def watch(
        self, caller: Caller, wanted: EventFilter, start: Start, *, limit: int, interval: float
    ) -> AsyncGenerator[Sealed]:
        """Messages without end. `limit` in events a message, `interval` between bookmarks in seconds."""
        scope = await resolve_scope(self._pool, caller, wanted)
        guard = self.guard(caller)
        if isinstance(start, Content):
            taken: list[Place] = []
            async with aclosing(self._snapshots.read(caller.id, scope, start, interval, taken)) as bodies:
                started = True
                async for body in bodies:
                    await guard.check()
                    yield self._wire.part(body, "", started=started, complete=False)
                    started = False
            at = taken[0]
        elif isinstance(start, EventId):
            at = await locate_event(self._pool, caller, scope, start.value)
        else:
            at = await locate(self._pool, scope, start)
        channel = self._join(ChannelKey(scope, limit, at.by_number))
        reader = Reader(self._tail, self._ring, self._pages, channel, at)
        stream = Stream(reader, channel, guard, seal=partial(self._seal, scope, at), interval=interval)
        try:
            if at.epoch != self._tail.epoch:
                raise replaced()
            if isinstance(start, Content):
                yield self._wire.part(b"", self._token(scope, at, at.place), started=False, complete=True)
            else:
                yield stream.first(caught_up=at.place >= at.newest)
            while True:
                yield await stream.next()
        except CursorExpiredError:
            raise await expired_behind(self._pool, scope.directory_id if at.by_number else None) from None
        finally:
            stream.close()
            self._leave(channel)

    def guard(self, caller: Caller) -> Guard:
        """Knows when a stream of the caller has to end. One for each call, from its beginning on."""
        return Guard(self._signs, partial(self._still_valid, caller))

    @contextmanager
    def follow(self, guard: Guard, scope: Scope, at: Place, *, limit: int, interval: float) -> Iterator[Stream]:
        """The steps of a stream, for those who make their own messages of them."""
        channel = self._join(ChannelKey(scope, limit, at.by_number))
        reader = Reader(self._tail, self._ring, self._pages, channel, at)
        stream = Stream(reader, channel, guard, seal=partial(self._seal, scope, at), interval=interval)
        try:
            if at.epoch != self._tail.epoch:
                raise replaced()
            yield stream
        finally:
            stream.close()
            self._leave(channel)

    def _seal(self, scope: Scope, at: Place, body: bytes, place: int, marks: Marks) -> Sealed:
        cursor = self._token(scope, at, place, today=marks.caught_up)
        return self._wire.message(
            body, cursor, caught_up=marks.caught_up, started=marks.started, continues=marks.continues
        )

    def _token(self, scope: Scope, at: Place, place: int, *, today: bool = False) -> str:
        if at.by_number and scope.directory_id is not None:
            # What comes behind the newest event will be of today at the earliest.
            day = self._clock.now().date() if today else None
            return directory_cursor(at.epoch, scope.directory_id, place, day)
        return feed_cursor(at.epoch, place)

    def _join(self, key: ChannelKey) -> Channel:
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = Channel(key, None if key.by_number else self._tail.position)
            for listeners in self._listeners(key.scope):
                listeners.add(channel)
        channel.readers += 1
        return channel

    def _leave(self, channel: Channel) -> None:
        channel.readers -= 1
        if channel.readers == 0:
            channel.close()
            if self._channels.get(channel.key) is channel:
                del self._channels[channel.key]
            for listeners in self._listeners(channel.key.scope):
                listeners.discard(channel)
            for index, ids in (
                (self._by_directory, channel.key.scope.directory_ids),
                (self._by_organization, channel.key.scope.organization_ids),
            ):
                for name in ids or ():
                    if not index.get(name, True):
                        del index[name]

    def _listeners(self, scope: Scope) -> list[set[Channel]]:
        if scope.directory_ids is not None:
            return [self._by_directory[name] for name in scope.directory_ids]
        if scope.organization_ids is not None:
            return [self._by_organization[name] for name in scope.organization_ids]
        return [self._unbounded]

    def _deliver(self, entries: Sequence[Entry]) -> None:
        for channel in self._unbounded:
            channel.publish(entries)
        routed: dict[Channel, list[Entry]] = defaultdict(list)
        if self._by_directory or self._by_organization:
            for entry in entries:
                for channel in self._by_directory.get(entry.directory_id, ()):
                    routed[channel].append(entry)
                for channel in self._by_organization.get(entry.organization_id, ()):
                    routed[channel].append(entry)
        for channel, its in routed.items():
            channel.publish(its)

    def _restart(self) -> None:
        """The database is another one: streams resume, and their cursors decide."""
        self._signs.generation += 1
        self._pages.forget()
        self._wake_all()
        for channel in self._channels.values():
            channel.close()
        # Readers that leave find their channel gone from here.
        self._channels, self._unbounded = {}, set()
        self._by_directory.clear()
        self._by_organization.clear()

    def _wake_all(self) -> None:
        for channel in self._channels.values():
            channel.wake()
