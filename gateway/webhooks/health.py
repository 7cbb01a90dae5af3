"""How an endpoint does, and how much may be asked of it. Pure: times are passed in, in seconds since 1970."""

from dataclasses import dataclass
from typing import Final

DOWN_AFTER: Final = 3
"""So many failures without a success between them: it is down."""
_FIRST_PROBE: Final = 5.0
_LONGEST_PROBE: Final = 60.0
_LONGEST_QUIET: Final = 3_600.0


@dataclass(slots=True)
class Health:
    """Requests that may run at once begin at one and double with each success, up to `most`; a failure leaves one."""

    most: int
    failing_since: float | None = None
    failures: int = 0
    allowed: int = 1
    quiet_until: float = 0.0
    probe_at: float = 0.0

    @property
    def down(self) -> bool:
        """It is asked one thing at a time, and new directories only now and then."""
        return self.failures >= DOWN_AFTER

    @property
    def limit(self) -> int:
        """Requests that may run at once."""
        return 1 if self.failures else self.allowed

    def succeeded(self) -> bool:
        """Note a success; True when it had been down."""
        was_down = self.down
        # What the endpoint asked to be left alone for stays: a request under way then may still succeed.
        self.failures, self.failing_since = 0, None
        self.allowed = min(self.most, self.allowed * 2)
        return was_down

    def failed(self, now: float, retry_after: float | None) -> None:
        """Note a failure. `retry_after`: seconds for which the endpoint asked to be left alone."""
        self.failures += 1
        self.allowed = 1
        if self.failing_since is None:
            self.failing_since = now
        if retry_after:
            self.quiet_until = now + min(retry_after, _LONGEST_QUIET)
        if self.down:
            probes = min(self.failures - DOWN_AFTER, 10)
            self.probe_at = now + min(_FIRST_PROBE * 2**probes, _LONGEST_PROBE)

    def failing_for(self, now: float) -> float:
        """Seconds without a success."""
        return 0.0 if self.failing_since is None else now - self.failing_since
