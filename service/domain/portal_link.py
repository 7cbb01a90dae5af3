"""A link with which a customer's administrator sets up one organization, and what may be in one. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from service.domain.errors import ArgumentError
from service.domain.expiry import check_expiry

DEFAULT_LIFE = timedelta(minutes=5)
MAX_LIFE = timedelta(days=30)
SESSION_LIFE = timedelta(hours=8)
MAX_CONTACTS = 20

# What the portal of WorkOS is opened for; here it is opened for the first of them.
INTENTS = (
    "dsync",
    "sso",
    "audit_logs",
    "log_streams",
    "domain_verification",
    "certificate_renewal",
    "bring_your_own_key",
)

_MAX_URL = 2_048
_MAX_PERSON = 256
_URL_TEXT = re.compile(r"[!-~]+")
_ADDRESS = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[^\s@\x00-\x1f\x7f]{1,255}")
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class PortalLink:
    """A link without its secret. Empty texts: none."""

    id: str
    organization_id: str
    intent: str
    return_url: str
    success_url: str
    external_user_id: str
    it_contact_emails: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    redeemed_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PortalSession:
    """What an opened link gave."""

    link: PortalLink
    organization_name: str
    expires_at: datetime


def check_intent(intent: str) -> str:
    """`dsync`."""
    if intent == INTENTS[0]:
        return intent
    if intent in INTENTS:
        raise ArgumentError(f"intent `{intent}` is not offered here: this portal is for `dsync`", field="intent")
    raise ArgumentError("intent is `dsync`", field="intent")


def check_url(url: str, where: str) -> str:
    """An absolute https URL without user or password; http for this machine only; empty: none."""
    if not url:
        return url
    if len(url) > _MAX_URL or not _URL_TEXT.fullmatch(url):
        raise ArgumentError(f"{where} is not a URL of at most {_MAX_URL} characters", field=where)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ArgumentError(f"{where} is not a URL", field=where) from None
    allowed = parts.scheme == "https" or (parts.scheme == "http" and host in _LOCAL)
    if not host or not allowed or "@" in parts.netloc or "\\" in url:
        raise ArgumentError(f"{where} must be an https URL; http is for localhost only", field=where)
    return url


def check_person(external_user_id: str, *, needed: bool = False) -> str:
    """The application's id of a person, at most 256 characters; empty where none is needed."""
    if needed and not external_user_id:
        raise ArgumentError("external_user_id is needed", field="external_user_id")
    if len(external_user_id) > _MAX_PERSON or "\0" in external_user_id:
        raise ArgumentError(f"external_user_id has at most {_MAX_PERSON} characters", field="external_user_id")
    return external_user_id


def check_contacts(addresses: Sequence[str]) -> tuple[str, ...]:
    """At most 20 e-mail addresses."""
    if len(addresses) > MAX_CONTACTS:
        raise ArgumentError(f"it_contact_emails has more than {MAX_CONTACTS} entries", field="it_contact_emails")
    if not all(_ADDRESS.fullmatch(address) for address in addresses):
        raise ArgumentError("it_contact_emails holds what is not an e-mail address", field="it_contact_emails")
    return tuple(addresses)


def link_expiry(expires_at: datetime | None, now: datetime) -> datetime:
    """Until when a link can be opened: five minutes if nothing was said, 30 days at most."""
    if expires_at is None:
        return now + DEFAULT_LIFE
    check_expiry(expires_at, now)
    if expires_at > now + MAX_LIFE:
        raise ArgumentError(f"expire_time is more than {MAX_LIFE.days} days away", field="expire_time")
    return expires_at
