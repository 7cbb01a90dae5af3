"""An organization: a company, its domains and the application's own notes on it. Values and their checks; pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from service.domain.errors import ArgumentError

MAX_DOMAINS = 100
MAX_METADATA = 50
MAX_METADATA_KEY = 40
MAX_METADATA_VALUE = 600

_MAX_DOMAIN = 253
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# The two versions of IDNA make different names of these: which one is meant cannot be told (UTS 46 section 7).
_AMBIGUOUS = frozenset("\u00df\u03c2\u200c\u200d")


@dataclass(frozen=True, slots=True)
class OrganizationDomain:
    """A domain of an organization. `verified`: the application vouches for it."""

    id: str
    organization_id: str
    domain: str
    verified: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Organization:
    """A company."""

    id: str
    name: str
    external_id: str | None
    created_at: datetime
    updated_at: datetime
    domains: tuple[OrganizationDomain, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


def check_domain(domain: str, where: str = "domains") -> str:
    """A DNS name of two labels or more, as it stands in DNS: lower-case ASCII, without a dot at the end (RFC 1123
    section 2.1). A name in other letters becomes its `xn--` form (RFC 3490).
    """
    refused = ArgumentError(f"{where}: {domain[:_MAX_DOMAIN]!r} is not the name of a domain", field=where)
    if len(domain) > _MAX_DOMAIN + 1:
        raise refused
    if not _AMBIGUOUS.isdisjoint(domain):
        raise ArgumentError(f"{where}: {domain!r} can be read as two names; give its xn-- form", field=where)
    try:
        name = domain.lower().encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        raise refused from None
    labels = name.split(".")
    if len(name) > _MAX_DOMAIN or len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise refused
    if labels[-1].isdigit():
        raise refused  # an IPv4 address
    return name


def check_domains(domains: Iterable[tuple[str, bool]]) -> dict[str, bool]:
    """Each domain as `check_domain` makes it, and whether it is verified. At most 100, none twice."""
    found: dict[str, bool] = {}
    for domain, verified in domains:
        name = check_domain(domain)
        if name in found:
            raise ArgumentError(f"domains names {name!r} twice", field="domains")
        found[name] = verified
    if len(found) > MAX_DOMAINS:
        raise ArgumentError(f"domains has more than {MAX_DOMAINS} entries", field="domains")
    return found


def with_metadata(before: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """The notes with these set; an empty value removes its key. At most 50 keys of 40 characters, values of 600."""
    for key, value in changes.items():
        if not 0 < len(key) <= MAX_METADATA_KEY or "\0" in key:
            raise ArgumentError(f"a key of metadata has 1 to {MAX_METADATA_KEY} characters", field="metadata")
        if len(value) > MAX_METADATA_VALUE or "\0" in value:
            raise ArgumentError(f"a value of metadata has at most {MAX_METADATA_VALUE} characters", field="metadata")
    after = {key: value for key, value in {**before, **changes}.items() if value}
    if len(after) > MAX_METADATA:
        raise ArgumentError(f"metadata has more than {MAX_METADATA} keys", field="metadata")
    return after
