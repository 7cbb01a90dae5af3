"""Named subscriptions: what is kept of one, who may see it, and what one reader was sent and has acknowledged. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from service.domain.caller import Caller
from service.domain.errors import ArgumentError
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


def check_subscription_name(name: str) -> str:
    """1 to 128 characters that cannot be taken for an id."""
    if len(name) > MAX_NAME:
        raise ArgumentError(f"name has more than {MAX_NAME} characters", field="name")
    if name.startswith(SUBSCRIPTION):
        raise ArgumentError(f"a name cannot begin with {SUBSCRIPTION!r}, as ids do", field="name")
    return check_name(name)
