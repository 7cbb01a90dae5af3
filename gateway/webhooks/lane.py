"""A directory that waits at one endpoint for an event that fails. What comes behind it waits in the log."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from directorysync.v1 import events_pb2
from directorysync.v1 import webhooks_pb2 as pb
from gateway.webhooks.attempts import Endpoint, Tries, seconds, timestamp
from gateway.webhooks.log import Entry, Page, Service, cursor_lost

_PAGE: Final = 20
_QUICK: Final = 2


@dataclass(slots=True, eq=False)
class Lane:
    """Its next event is the first one of number `sequence` or more behind `cursor`.

    `seen`: highest number that the subscription sent meanwhile. `read_seen`: the same when the log was last read to its
    end; None: it was not. `attempts` of the next event failed, under `delivery_id`, and the next is due at `due`.
    `not_before`: until then the receiver asked to be left alone. `woken`: it was once tried ahead of its schedule.
    """

    directory_id: str
    sequence: int
    cursor: str
    due: float
    attempts: int = 0
    delivery_id: str = ""
    seen: int = 0
    busy: bool = False
    woken: bool = False
    not_before: float = 0.0
    read_seen: int | None = None
    _buffer: deque[Entry] = field(default_factory=deque)
    _behind: str = ""

    @staticmethod
    def of(message: pb.WebhookLane) -> "Lane":
        """As it was recorded."""
        return Lane(
            directory_id=message.directory_id,
            sequence=message.directory_sequence,
            cursor=message.cursor,
            due=seconds(message.next_attempt_time),
            attempts=message.attempt_count,
            delivery_id=message.delivery_id,
        )

    def message(self) -> pb.WebhookLane:
        """What is recorded."""
        return pb.WebhookLane(
            directory_id=self.directory_id,
            directory_sequence=self.sequence,
            attempt_count=self.attempts,
            next_attempt_time=timestamp(self.due),
            delivery_id=self.delivery_id,
            cursor=self.cursor,
        )

    async def next(self, service: Service, endpoint: Endpoint) -> Entry | None:
        """The event that is to be sent; None: there is none, and the subscription sends what comes."""
        while not self._buffer:
            if self.read_seen is not None and self.seen <= self.read_seen:
                return None
            await self._read(service, endpoint)
        return self._buffer[0]

    @property
    def sleeps(self) -> bool:
        """The quick second attempt failed too: a sign of life of the endpoint is a reason for one ahead of time."""
        return self.attempts >= _QUICK and not self.woken

    def tries(self, entry: Entry, now: float) -> Tries:
        """The attempts at its next event so far."""
        return Tries(entry, self.delivery_id, self.attempts) if self.delivery_id else Tries.of(entry, now)

    def passed(self, now: float) -> None:
        """The next event is done, well or not."""
        entry = self._buffer.popleft()
        self.sequence = entry.event.directory_sequence + 1
        self.attempts, self.delivery_id, self.due = 0, "", now
        self.woken = False
        if not self._buffer:
            self.cursor = self._behind

    def failed(self, tries: Tries, due: float, not_before: float = 0.0) -> None:
        """Another attempt failed. What was read is let go: it may be long until the next one."""
        self.attempts, self.delivery_id, self.due = tries.made, tries.id, due
        self.not_before = not_before
        self._buffer.clear()
        self.read_seen = None

    async def _read(self, service: Service, endpoint: Endpoint) -> None:
        seen = self.seen
        page = await self._page(service, endpoint)
        self._behind = page.cursor
        self._buffer.extend(entry for entry in page.entries if entry.event.directory_sequence >= self.sequence)
        if not self._buffer:
            self.cursor = page.cursor
        self.read_seen = None if page.more else seen

    async def _page(self, service: Service, endpoint: Endpoint) -> Page:
        wanted = events_pb2.EventFilter(directory_ids=[self.directory_id], types=endpoint.message.filter.types)
        try:
            return await service.page(wanted, self.cursor, _PAGE)
        except Exception as error:
            if not cursor_lost(error) or not self.cursor:
                raise
        # Retention or a restored database took the place; the numbers still tell what was sent.
        self.cursor = ""
        return await service.page(wanted, "", _PAGE)
