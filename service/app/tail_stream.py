"""A stream: the messages of one watch, with its bookmarks, and the reasons to end it."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from service.app.sealed import Sealed
from service.app.tail_batches import Batch
from service.app.tail_channel import Channel
from service.app.tail_reader import Reader, replaced
from service.domain.errors import CredentialsInvalidError, DrainingError

_CREDENTIAL_SECONDS = 4.0


@dataclass(slots=True)
class Signs:
    """What ends every stream of the process: `draining`, and another `generation` than the one it began in."""

    draining: bool = False
    generation: int = 0


class Guard:
    """Knows when a watch has to end. `still_valid` tells whether the caller's credential is still good."""

    def __init__(self, signs: Signs, still_valid: Callable[[], Awaitable[bool]]) -> None:
        self._signs = signs
        self._generation = signs.generation
        self._still_valid = still_valid
        self._loop = asyncio.get_running_loop()
        # When to look at the credential again, on the loop's clock. Streams are spread.
        self.due = self._loop.time() + random.uniform(0.5, 1) * _CREDENTIAL_SECONDS  # noqa: S311 (spreads load)

    async def check(self, *, inside: bool = False) -> None:
        """Raises what ends the watch. `inside`: in the middle of a command, which is to be finished."""
        if self._signs.generation != self._generation:
            raise replaced()
        if self._signs.draining and not inside:
            raise DrainingError("the server is going away; resume with the last cursor")
        if self._loop.time() >= self.due:
            self.due = self._loop.time() + _CREDENTIAL_SECONDS
            if not await self._still_valid():
                raise CredentialsInvalidError("the credential is unknown, revoked or expired")


@dataclass(frozen=True, slots=True)
class Marks:
    """What a message says besides its events and its cursor."""

    caught_up: bool
    started: bool = False
    continues: bool = False


# (body, place of the cursor, marks) -> a message.
Seal = Callable[[bytes, int, Marks], Sealed]


class Stream:
    """`interval` between bookmarks, in seconds."""

    def __init__(self, reader: Reader, channel: Channel, guard: Guard, *, seal: Seal, interval: float) -> None:
        self._reader = reader
        self._channel = channel
        self._guard = guard
        self._seal = seal
        # Never later than asked for: clients take longer silence for a dead connection. Streams are spread.
        self._interval = interval * random.uniform(0.85, 1)  # noqa: S311 (spreads load)
        self._loop = asyncio.get_running_loop()
        self._sent_at = self._loop.time()
        self._told_caught_up = False
        self._waiter: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None

    def first(self, *, caught_up: bool) -> Sealed:
        """The message that says where the watch began."""
        self._told_caught_up = caught_up
        return self._seal(b"", self._reader.cursor, Marks(caught_up, started=True))

    async def next(self) -> Sealed:
        """The next message, however long it takes; an error ends the watch."""
        batch = await self.step()
        return self._bookmark() if batch is None else self._message(batch)

    async def step(self) -> Batch | None:
        """What the next message is to hold, None for a bookmark, however long it takes; an error ends the watch.

        To be followed by `sent`. Once cancelled it must not be called again.
        """
        reader, channel = self._reader, self._channel
        while True:
            await self._guard.check(inside=self._reader.inside)
            version, place, parted = channel.version, reader.place, reader.inside
            batch = await reader.next()
            # An empty batch says nothing unless it ends what was begun.
            if batch is not None and (batch.count or parted):
                return batch
            if reader.caught_up and not self._told_caught_up:
                return None
            if reader.place != place or channel.version != version:
                await asyncio.sleep(0)
            else:
                await self._wait()
            if self._loop.time() >= self._bookmark_at():
                return None

    def close(self) -> None:
        """Nobody asks for another message."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._reader.close()

    def sent(self, batch: Batch | None) -> bool:
        """Take note that a batch or a bookmark is on its way; whether it reaches the newest event."""
        self._sent_at = self._loop.time()
        if batch is None:
            self._reader.advance()
        self._told_caught_up = self._reader.caught_up
        return self._told_caught_up

    @property
    def cursor(self) -> int:
        """The place to resume from."""
        return self._reader.cursor

    async def check(self) -> None:
        """Raise what ends the watch, for those who do not ask for the next step yet."""
        await self._guard.check()

    def _message(self, batch: Batch) -> Sealed:
        caught_up = self.sent(batch)
        message = batch.messages.get(caught_up)
        if message is None:
            message = self._seal(batch.body, batch.cursor, Marks(caught_up, continues=batch.continues))
            batch.messages[caught_up] = message
        return message

    def _bookmark(self) -> Sealed:
        caught_up = self.sent(None)
        return self._seal(b"", self._reader.cursor, Marks(caught_up))

    def _bookmark_at(self) -> float:
        # Between the parts of a command there is no bookmark: it would have to be both before and behind it.
        return math.inf if self._reader.inside else self._sent_at + self._interval

    async def _wait(self) -> None:
        """For a change, the next bookmark or the next check."""
        self._waiter = self._loop.create_future()
        if self._alarm is None:
            self._ring()
        await self._channel.change(self._waiter)

    def _ring(self) -> None:
        """The alarm: it goes off when something may be due, and not at each message anew."""
        due, now = min(self._bookmark_at(), self._guard.due), self._loop.time()
        if due <= now:
            self._alarm = None
            if self._waiter is not None and not self._waiter.done():
                self._waiter.set_result(None)
        else:
            self._alarm = self._loop.call_at(due, self._ring)
