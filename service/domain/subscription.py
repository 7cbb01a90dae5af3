"""Named subscriptions: what is kept of one, who may see it, and what one reader was sent and has acknowledged. Pure."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final, Protocol

from service.domain.caller import Caller
from service.domain.errors import ArgumentError, CursorInvalidError
from service.domain.ids import SUBSCRIPTION
from service.domain.naming import check_name

MAX_NAME: Final = 128
MAX_CONSUMER: Final = 256
MAX_ERROR: Final = 1_000
"""Characters of a reason that are kept."""
DEFAULT_CREDIT: Final = 500
MAX_CREDIT: Final = 10_000


class Filter(Protocol):
    """Which events; empty means every one."""

    @property
    def directory_ids(self) -> tuple[str, ...]:
        """Only these directories."""

    @property
    def organization_ids(self) -> tuple[str, ...]:
        """Only directories of these organizations."""

    @property
    def types(self) -> tuple[str, ...]:
        """Only these types; `x.*` stands for all that begin with `x.`."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Organizations and directories that something is bound to; empty: not bound."""

    organization_ids: frozenset[str] = frozenset()
    directory_ids: frozenset[str] = frozenset()

    @staticmethod
    def of(caller: Caller) -> "Bounds":
        """The bounds of a credential."""
        return Bounds(caller.organization_ids, caller.directory_ids)

    def holds(self, reach: "Bounds") -> bool:
        """Whether everything within `reach` is within these bounds."""
        return _within(reach.organization_ids, self.organization_ids) and _within(
            reach.directory_ids, self.directory_ids
        )


def _within(reach: frozenset[str], bound: frozenset[str]) -> bool:
    return not bound or (bool(reach) and reach <= bound)


def reach_of(wanted: Filter, bounds: Bounds, organization_of: Mapping[str, str]) -> Bounds:
    """What a filter reaches within its maker's bounds. `organization_of`: of the directories that the two name."""
    directories = frozenset(wanted.directory_ids) or bounds.directory_ids
    organizations = frozenset(wanted.organization_ids) or bounds.organization_ids
    if not organizations and directories <= organization_of.keys():
        organizations = frozenset(organization_of[name] for name in directories)
    return Bounds(organizations, directories)


@dataclass(frozen=True, slots=True)
class Subscription:
    """As stored. `bounds` are those of its maker. `lag` is in positions of the log, of any filter."""

    id: str
    kind: str
    name: str
    directory_ids: tuple[str, ...]
    organization_ids: tuple[str, ...]
    types: tuple[str, ...]
    bounds: Bounds
    cursor: str
    place: int
    created_at: datetime
    acked_at: datetime | None = None
    consumer: str = ""
    lease_epoch: int = 0
    lease_until: datetime | None = None
    sent_place: int | None = None
    redelivery_count: int = 0
    last_error: str = ""
    last_error_at: datetime | None = None
    lag: int = 0
    lag_time: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a subscription is behind. `id` is the endpoint's for those of webhooks. `events`: an upper bound."""

    kind: str
    id: str
    events: int
    seconds: float


def check_subscription_name(name: str) -> str:
    """1 to 128 characters that cannot be taken for an id."""
    if len(name) > MAX_NAME:
        raise ArgumentError(f"name has more than {MAX_NAME} characters", field="name")
    if name.startswith(SUBSCRIPTION):
        raise ArgumentError(f"a name cannot begin with {SUBSCRIPTION!r}, as ids do", field="name")
    return check_name(name)


@dataclass(slots=True)
class _Sent:
    """Events up to `end`, where their command ends; between `end` and `upto` there was nothing to send."""

    end: int
    upto: int
    count: int


class Window:
    """What one reader was sent and has not acknowledged. Places are positions of the feed.

    `sent_before`: what lies up to there was sent to earlier readers, `redelivered` times.
    """

    def __init__(self, place: int, *, credit: int, sent_before: int | None = None, redelivered: int = 0) -> None:
        self.credit = check_credit(credit)
        # The last acknowledged place; the last one sent, now or before.
        self.acked = place
        self.sent_to = max(place, sent_before or place)
        self._before = self.sent_to
        self._redelivered = redelivered if self._before > place else 0
        # The first one stands for what is acknowledged: bookmarks may follow it.
        self._sent = deque([_Sent(place, place, 0)])
        self._outstanding = 0
        self._part = 0

    @property
    def outstanding(self) -> int:
        """Events sent and not acknowledged."""
        return self._outstanding + self._part

    @property
    def attempts(self) -> int:
        """How often what is not acknowledged was sent by now."""
        return self._redelivered + (1 if self.outstanding else 0)

    @property
    def inside(self) -> bool:
        """Whether the next events go on with a command."""
        return self._part > 0

    def redelivered(self, first: int) -> int:
        """How often an event at a place was sent before."""
        return self._redelivered if first <= self._before else 0

    def fits(self, count: int) -> bool:
        """Whether so many events may be sent now. A command that is larger than the credit may, when it is alone."""
        return self.outstanding + count <= self.credit or self._outstanding == 0

    def send(self, count: int, end: int, *, continues: bool) -> None:
        """So many events up to a place are on their way; `continues`: the rest of their command comes next."""
        self.sent_to = max(self.sent_to, end)
        self._part += count
        if not continues:
            self._outstanding += self._part
            self._sent.append(_Sent(end, end, self._part))
            self._part = 0

    def bookmark(self, place: int) -> None:
        """There was nothing to send up to a place."""
        last = self._sent[-1]
        last.upto = max(last.upto, place)

    def acknowledge(self, place: int) -> int:
        """Everything up to a place is done; how many events that were. An older place changes nothing.

        CursorInvalidError for a place that no message since the beginning, or since `rewind`, brought.
        """
        if place <= self.acked:
            return 0
        if not any(place <= sent.upto for sent in takewhile(lambda sent: sent.end <= place, self._sent)):
            raise CursorInvalidError("the cursor is not one that this stream gave since it began or began again")
        done = 0
        while len(self._sent) > 1 and self._sent[1].end <= place:
            self._sent.popleft()
            done += self._sent[0].count
            self._sent[0].count = 0
        self._outstanding -= done
        self.acked = place
        if place >= self._before:
            self._redelivered = 0
        return done

    def rewind(self) -> None:
        """What was sent and not acknowledged is sent again."""
        if self.outstanding:
            self._redelivered += 1
            self._before = max(self._before, self.sent_to)
        self._sent = deque([_Sent(self.acked, self.acked, 0)])
        self._outstanding = self._part = 0

    def open(self, events: int) -> None:
        """More may be outstanding."""
        if events < 1:
            raise ArgumentError("credit.events must be positive", field="credit.events")
        self.credit = check_credit(self.credit + events)


def check_credit(events: int) -> int:
    """1 to 10,000."""
    if not 1 <= events <= MAX_CREDIT:
        raise ArgumentError(f"the credit is 1 to {MAX_CREDIT} events", field="credit")
    return events
