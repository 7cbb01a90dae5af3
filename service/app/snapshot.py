"""Snapshots: one consistent state in parts, and the place from which the events after it follow."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from service.app.clock import Clock
from service.app.snapshot_turns import Turns
from service.app.tail_scope import Scope
from service.app.tail_start import Content, Place
from service.domain.directory import DirectorySummary
from service.domain.errors import OverloadedError, StorageUnavailableError
from service.domain.group import Group
from service.domain.user import User
from service.storage import snapshot as table
from service.storage.database import Pool
from service.storage.rows import Row, group_from_row, user_from_row
from service.storage.snapshot import Bounds, Key, Membership, Moment, Page

_PATIENCE_SECONDS = 20.0
# Transactions hold back vacuum for as long as they last.
_CEILING_SECONDS = 600.0
_DIRECTORIES = 500
_ROWS = 500
_MEMBERSHIPS = 2000
_PART_BYTES = 1024 * 1024
# What is encoded before others get their turn: a look-up needs several turns, and waits for so much before each. A
# membership is little.
_ENCODED_AT_ONCE = 20
_MEMBERSHIPS_AT_ONCE = 400

# Ids of directories and a key -> a page behind it.
Read = Callable[[Moment, Sequence[str], Key], Awaitable[Page[Any]]]
Encode = Callable[[Any], list[bytes]]


class StateWire(Protocol):
    """How a state is put into messages. Each method gives one frame, ready to send, for each thing."""

    def directories(self, values: Sequence[DirectorySummary]) -> list[bytes]:
        """Of directories."""

    def groups(self, values: Iterable[Group]) -> list[bytes]:
        """Of groups."""

    def users(self, values: Iterable[User]) -> list[bytes]:
        """Of users."""

    def memberships(self, values: Sequence[Membership]) -> list[bytes]:
        """Of memberships."""


class Snapshots:
    """Those of one process, a few at a time: others wait up to `patience` seconds. None takes longer than `ceiling`."""

    def __init__(
        self,
        database_url: str,
        pool: Pool,
        clock: Clock,
        wire: StateWire,
        *,
        patience: float = _PATIENCE_SECONDS,
        ceiling: float = _CEILING_SECONDS,
    ) -> None:
        self._database_url = database_url
        self._pool = pool
        self._clock = clock
        self._wire = wire
        self._turns = Turns()
        self._patience = patience
        self._ceiling = ceiling

    async def read(
        self, credential: str, scope: Scope, content: Content, interval: float, taken: list[Place]
    ) -> AsyncGenerator[bytes]:
        """Bodies of messages, the first one at once; empty ones, `interval` seconds apart, while it waits for its turn.

        At the end `taken` holds the place from which the events follow.
        """
        yield b""
        waited = 0.0
        while (turn := await self._turns.take(credential, min(interval, self._patience - waited))) is None:
            waited += interval
            if waited >= self._patience:
                raise OverloadedError("too many snapshots are being read; try again")
            yield b""
        try:
            async with aclosing(self._state(scope, content, taken)) as bodies:
                async for body in bodies:
                    yield body
        finally:
            turn.end()

    async def _state(self, scope: Scope, content: Content, taken: list[Place]) -> AsyncGenerator[bytes]:
        give_up = self._clock.monotonic() + self._ceiling
        today = self._clock.now().date()
        async with table.moment(self._database_url, self._pool, scope.directory_id) as at:
            async for frames in _frames(at, _bounds(scope), content, self._wire):
                for body in _bodies(frames):
                    yield body
                if self._clock.monotonic() > give_up:
                    detail = f"the snapshot took longer than {self._ceiling:g} s; start again, with a narrower filter"
                    raise StorageUnavailableError(detail)
            by_number = scope.directory_id is not None
            taken.append(Place(at.epoch, at.place, by_number=by_number, newest=at.place, day=today))


async def _frames(at: Moment, bounds: Bounds, content: Content, wire: StateWire) -> AsyncGenerator[list[bytes]]:
    """Everything in the moment, page by page."""
    after = ""
    while found := await table.directories(at, bounds, after, _DIRECTORIES):
        yield wire.directories(found)
        after = found[-1].directory.id
    kinds: tuple[tuple[bool, Read, Encode, int], ...] = (
        (content.groups, _groups, lambda rows: wire.groups(map(group_from_row, rows)), _ENCODED_AT_ONCE),
        (content.users, _users, lambda rows: wire.users(map(user_from_row, rows)), _ENCODED_AT_ONCE),
        (content.memberships, _memberships, wire.memberships, _MEMBERSHIPS_AT_ONCE),
    )
    for wanted, read, encode, at_once in kinds:
        if wanted:
            async with aclosing(_pages(at, bounds, read, encode, at_once)) as pages:
                async for frames in pages:
                    yield frames


async def _pages(at: Moment, bounds: Bounds, read: Read, encode: Encode, at_once: int) -> AsyncGenerator[list[bytes]]:
    """All of one kind, of some directories at a time."""
    behind = ""
    while ids := await table.directory_ids(at, bounds, behind, _DIRECTORIES):
        behind = ids[-1]
        async with aclosing(_read_ahead(at, ids, read)) as pages:
            async for items in pages:
                frames: list[bytes] = []
                for start in range(0, len(items), at_once):
                    frames += encode(items[start : start + at_once])
                    await asyncio.sleep(0)
                yield frames


async def _read_ahead(at: Moment, ids: Sequence[str], read: Read) -> AsyncGenerator[Sequence[Any]]:
    """Page by page; the database reads one while the one before is put into messages."""
    following = asyncio.ensure_future(read(at, ids, ()))
    try:
        while True:
            page = await following
            if page.more:
                ids = ids[ids.index(page.last[0]) :]
                following = asyncio.ensure_future(read(at, ids, page.last))
            yield page.items
            if not page.more:
                return
    finally:
        # Its connection is closed next, whatever it is doing.
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _groups(at: Moment, ids: Sequence[str], after: Key) -> Page[Row]:
    return await table.groups(at, ids, after, _ROWS, _PART_BYTES)


async def _users(at: Moment, ids: Sequence[str], after: Key) -> Page[Row]:
    return await table.users(at, ids, after, _ROWS, _PART_BYTES)


async def _memberships(at: Moment, ids: Sequence[str], after: Key) -> Page[Membership]:
    return await table.memberships(at, ids, after, _MEMBERSHIPS)


def _bodies(frames: Sequence[bytes]) -> Iterator[bytes]:
    """Bodies of messages: as many frames as fit."""
    chosen: list[bytes] = []
    size = 0
    for frame in frames:
        if chosen and size + len(frame) > _PART_BYTES:
            yield b"".join(chosen)
            chosen, size = [], 0
        chosen.append(frame)
        size += len(frame)
    if chosen:
        yield b"".join(chosen)


def _bounds(scope: Scope) -> Bounds:
    wanted = scope.wanted()
    return Bounds(wanted.directory_ids, wanted.organization_ids)
