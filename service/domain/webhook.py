"""Webhook endpoints and their deliveries as values, and what may be asked of an endpoint. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from service.domain.errors import ArgumentError
from service.domain.naming import MAX_LENGTH

MAX_URL: Final = 2_048
_HTTP_REFUSED: Final = "endpoint_url must begin with https:// (http:// only where DIRSYNC_WEBHOOK_ALLOW_HTTP is true)"
MAX_SECRETS: Final = 10
"""Secrets of one endpoint that sign at once."""
MAX_BODY: Final = 1_024
"""Bytes of an answer that are kept."""
MAX_REASON: Final = 1_000
_MAX_NAMED, _MAX_SHOWN = 10, 64
DEFAULT_OVERLAP: Final = timedelta(hours=24)
MAX_OVERLAP: Final = timedelta(days=30)
KEPT: Final = timedelta(days=30)
"""How long deliveries are kept."""


class DeliveryState(StrEnum):
    """How a delivery stands."""

    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Secret:
    """What signs deliveries, until `expires_at`. Its text is never shown in a log."""

    value: str = field(repr=False)
    created_at: datetime
    expires_at: datetime | None = None

    def signs(self, now: datetime) -> bool:
        """Whether it does so now."""
        return self.expires_at is None or self.expires_at > now


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events go. `secrets` newest first; filters as in EventFilter."""

    id: str
    url: str
    description: str
    secrets: tuple[Secret, ...]
    subscription_id: str
    directory_ids: tuple[str, ...]
    organization_ids: tuple[str, ...]
    types: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    enabled: bool = True
    status_reason: str = ""
    failing_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class DisabledEndpoint:
    """An endpoint that turned itself off, as its event tells it."""

    id: str
    reason: str
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request. `error` is empty or a word of WebhookAttempt.error."""

    number: int
    at: datetime
    duration: timedelta
    status: int
    error: str
    body: bytes
    url: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint. `error`: that of the last attempt, when it was read."""

    id: str
    event_id: str
    event_type: str
    directory_id: str
    state: DeliveryState
    attempt_count: int
    created_at: datetime
    updated_at: datetime
    next_attempt_at: datetime | None
    response_status: int
    attempts: tuple[Attempt, ...] = ()
    endpoint_id: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """A directory that waits for its event `directory_seq`."""

    directory_id: str
    directory_seq: int
    attempt_count: int
    next_attempt_at: datetime
    delivery_id: str
    cursor: str


@dataclass(frozen=True, slots=True)
class Replay:
    """Events to be sent once more: one, a stretch of time, or a made-up one."""

    id: str
    endpoint_id: str
    created_at: datetime
    event_id: str = ""
    start_at: datetime | None = None
    end_at: datetime | None = None
    test_event_type: str = ""
    completed_at: datetime | None = None
    delivered_count: int = 0
    cursor: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """What a dispatcher needs to know of an endpoint."""

    endpoint: Endpoint
    lanes: tuple[Lane, ...]
    replays: tuple[Replay, ...]
    consumer: str
    lease_until: datetime | None


@dataclass(frozen=True, slots=True)
class Record:
    """What one dispatcher did with one endpoint, fenced by its lease."""

    endpoint_id: str
    lease_epoch: int
    deliveries: Sequence[Delivery] = ()
    lanes: Sequence[Lane] = ()
    ended_lanes: Sequence[str] = ()
    cursor: str = ""
    replays: Sequence[Replay] = ()
    disable_reason: str = ""
    failing_since: datetime | None = None

    @property
    def succeeded(self) -> bool:
        """Whether anything arrived."""
        return any(delivery.state is DeliveryState.SUCCEEDED for delivery in self.deliveries)


def check_url(url: str, *, http_allowed: bool) -> str:
    """An absolute URL of ASCII characters, without credentials and fragment."""
    if not url:
        raise ArgumentError("endpoint_url is needed", field="endpoint_url")
    if len(url) > MAX_URL:
        raise ArgumentError(f"endpoint_url has more than {MAX_URL} characters", field="endpoint_url")
    if not all("!" <= character <= "~" and character != "\\" for character in url):
        detail = "endpoint_url holds a character that must be encoded: percent-encode it, write hosts in Punycode"
        raise ArgumentError(detail, field="endpoint_url")
    try:
        parts = urlsplit(url)
        port_good = parts.port != 0
    except ValueError:
        raise _no_url() from None
    if parts.scheme not in {"https", "http"} or not parts.hostname or not port_good:
        raise _no_url()
    if parts.scheme == "http" and not http_allowed:
        raise ArgumentError(_HTTP_REFUSED, field="endpoint_url")
    if "@" in parts.netloc or "#" in url:
        raise ArgumentError("endpoint_url may hold neither credentials nor a fragment", field="endpoint_url")
    return url


def check_description(text: str) -> str:
    """At most 256 characters."""
    if len(text) > MAX_LENGTH or "\0" in text:
        raise ArgumentError(f"description has more than {MAX_LENGTH} characters, or a broken one", field="description")
    return text


def check_types(types: Sequence[str], known: Collection[str]) -> None:
    """An endpoint says which types it wants: known ones, or the beginning of some (`dsync.user.*`)."""
    if not types:
        raise ArgumentError("filter.types is needed: which events are to be sent", field="filter.types")
    if unknown := [wanted for wanted in types if not _is_known(wanted, known)]:
        shown = ", ".join(f"`{wanted[:_MAX_SHOWN]}`" for wanted in unknown[:_MAX_NAMED])
        more = f" and {len(unknown) - _MAX_NAMED} more" if len(unknown) > _MAX_NAMED else ""
        raise ArgumentError(f"filter.types names no event of this release: {shown}{more}", field="filter.types")


def check_overlap(overlap: timedelta | None) -> timedelta:
    """None: a day. At most 30 days."""
    if overlap is None:
        return DEFAULT_OVERLAP
    if not timedelta() <= overlap <= MAX_OVERLAP:
        raise ArgumentError(f"overlap must be from 0 s to {MAX_OVERLAP.days} days", field="overlap")
    return overlap


def rotated(secrets: Sequence[Secret], new: Secret, overlap: timedelta) -> tuple[Secret, ...]:
    """The new one first; the others end with the overlap, or when they would have ended before."""
    end = new.created_at + overlap
    kept = [
        Secret(old.value, old.created_at, min(old.expires_at or end, end))
        for old in secrets
        if old.signs(new.created_at) and overlap
    ]
    return (new, *kept[: MAX_SECRETS - 1])


def _is_known(wanted: str, known: Collection[str]) -> bool:
    if wanted in known:
        return True
    return wanted.endswith(".*") and any(one.startswith(wanted[:-1]) for one in known)


def _no_url() -> ArgumentError:
    return ArgumentError("endpoint_url is not an absolute https URL", field="endpoint_url")
