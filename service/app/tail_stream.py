"""A stream: the messages of one watch, with its bookmarks, and the reasons to end it."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Marks:
    """What a message says besides its events and its cursor."""

    caught_up: bool
    started: bool = False
    continues: bool = False


# (body, place of the cursor, marks) -> a message, ready to send.
Seal = Callable[[bytes, int, Marks], bytes]


class Stream:
    """`still_valid` tells whether the caller's credential is still good. `interval` between bookmarks, in seconds."""

    def __init__(
        self,
        reader: Reader,
        channel: Channel,
        signs: Signs,
        *,
        seal: Seal,
        interval: float,
        still_valid: Callable[[], Awaitable[bool]],
    ) -> None:
        self._reader = reader
        self._channel = channel
        self._signs = signs
        self._generation = signs.generation
        self._seal = seal
        self._interval = interval
        self._still_valid = still_valid
        self._time = asyncio.get_running_loop().time
        self._bookmark_at = self._next_bookmark()
        self._credential_at = self._time() + random.uniform(0.5, 1) * _CREDENTIAL_SECONDS  # noqa: S311 (spreads load)

    async def messages(self, *, caught_up: bool) -> AsyncGenerator[bytes]:
        """Without end but for errors. `caught_up` of the first message."""
        reader = self._reader
        yield self._seal(b"", reader.cursor, Marks(caught_up, started=True))
        while True:
            await self._check()
            changed = self._channel.changed
            place, sent = reader.place, False
            parted = reader.inside
            async for batch in reader.step():
                # An empty batch says nothing unless it ends what was begun.
                if batch.count or parted:
                    parted, sent = batch.continues, True
                    self._bookmark_at = self._next_bookmark()
                    yield self._message(batch)
                    await self._check()
            if not sent:
                await self._wait(changed if reader.place == place else None)
                if self._time() >= self._bookmark_at and not reader.inside:
                    yield self._bookmark()

    def _message(self, batch: Batch) -> bytes:
        caught_up = self._reader.caught_up
        message = batch.messages.get(caught_up)
        if message is None:
            message = self._seal(batch.body, batch.cursor, Marks(caught_up, continues=batch.continues))
            batch.messages[caught_up] = message
        return message

    def _bookmark(self) -> bytes:
        self._bookmark_at = self._next_bookmark()
        self._reader.advance()
        return self._seal(b"", self._reader.cursor, Marks(self._reader.caught_up))

    async def _wait(self, changed: asyncio.Future[None] | None) -> None:
        """For news, the next bookmark or the next check; without a future only for the others' turn."""
        if changed is None:
            await asyncio.sleep(0)
            return
        due = min(self._bookmark_at, self._credential_at) - self._time()
        if due > 0:
            await asyncio.wait((changed,), timeout=due)

    async def _check(self) -> None:
        if self._signs.generation != self._generation:
            raise replaced()
        if self._signs.draining and not self._reader.inside:
            raise DrainingError("the server is going away; resume with the last cursor")
        if self._time() >= self._credential_at:
            self._credential_at = self._time() + _CREDENTIAL_SECONDS
            if not await self._still_valid():
                raise CredentialsInvalidError("the credential is unknown, revoked or expired")

    def _next_bookmark(self) -> float:
        # Never later than asked for: clients take longer silence for a dead connection.
        return self._time() + self._interval * random.uniform(0.85, 1)  # noqa: S311 (spreads streams)
