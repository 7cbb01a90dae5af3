"""When an attempt is made, by Standard Webhooks' schedule. Pure: time and chance are passed in."""

from email.utils import parsedate_to_datetime
from typing import Final

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0

DELAYS: Final = (5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
"""Seconds from one failed attempt to the next; the first attempt is made at once."""
ATTEMPTS: Final = len(DELAYS) + 1
JITTER: Final = 0.1
"""Part of a delay that chance may add: what failed together does not come back together."""
MAX_RETRY_AFTER: Final = DAY


def next_delay(attempts: int, chance: float, retry_after: float | None = None) -> float | None:
    """Seconds until the attempt after `attempts` failed ones; None: that was the last. `chance` is from 0 to 1."""
    if attempts >= ATTEMPTS:
        return None
    delay = DELAYS[attempts - 1] * (1 + JITTER * chance)
    return max(delay, retry_after or 0.0)


def retry_after_seconds(text: str | None, now: float) -> float | None:
    """`Retry-After` (RFC 9110 section 10.2.3): seconds or a date; at most a day; None when it says nothing."""
    if not text:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER)
    try:
        wanted = parsedate_to_datetime(text).timestamp() - now
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(wanted, 0.0), MAX_RETRY_AFTER)
