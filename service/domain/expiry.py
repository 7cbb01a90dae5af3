"""When a credential ends. Pure."""

from datetime import datetime

from service.domain.errors import ArgumentError


def check_expiry(expires_at: datetime | None, now: datetime) -> None:
    """Raise ArgumentError for a time that has passed: the credential would never be of use."""
    if expires_at is not None and expires_at <= now:
        raise ArgumentError("expire_time has passed already", field="expire_time")
