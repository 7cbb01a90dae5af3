"""Where time and ids come from. Everything else is handed one of these."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from service.domain.ids import ulid


@dataclass(frozen=True, slots=True)
class Clock:
    """`now()` is aware and UTC; `monotonic()` is in seconds and never steps back."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]


def system_clock() -> Clock:
    """The machine's own clock."""
    return Clock(now=lambda: datetime.now(UTC), monotonic=time.monotonic)


class IdSource:
    """Ids whose text order is the order in which this process made them, also within one millisecond."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_ms = 0
        self._bits = 0

    def new(self, prefix: str) -> str:
        """`<prefix><ULID>`."""
        ms = int(self._clock.now().timestamp() * 1000)
        if ms <= self._last_ms:
            self._bits += 1 + secrets.randbits(24)
        else:
            self._last_ms = ms
            # The top bit stays free, so that counting up within a millisecond cannot wrap.
            self._bits = secrets.randbits(79)
        return prefix + ulid(self._last_ms, self._bits)
