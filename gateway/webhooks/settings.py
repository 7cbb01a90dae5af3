"""How deliveries are made. Read with the gateway's other settings (gateway.config)."""

from dataclasses import dataclass, field
from ipaddress import ip_network

from gateway.webhooks.addresses import AddressPolicy, Network


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """Times in seconds. `connections`: of all endpoints together; `endpoint_connections`: of one."""

    policy: AddressPolicy = field(default_factory=AddressPolicy)
    connect_seconds: float = 5.0
    total_seconds: float = 15.0
    connections: int = 512
    endpoint_connections: int = 8
    disable_days: float = 5.0
    drain_seconds: float = 2.0
    ca_file: str | None = None


def networks(text: str) -> tuple[Network, ...]:
    """Networks in CIDR notation, separated by commas or blanks. Raises ValueError."""
    found = []
    for word in text.replace(",", " ").split():
        try:
            found.append(ip_network(word))
        except ValueError:
            raise ValueError(f"{word!r} is not a network as in 10.1.0.0/16") from None
    return tuple(found)


def hosts(text: str) -> frozenset[str]:
    """Host names, separated by commas or blanks."""
    return frozenset(word.lower().rstrip(".") for word in text.replace(",", " ").split())
