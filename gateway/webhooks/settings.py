"""How deliveries are made."""

from dataclasses import dataclass, field

from gateway.addresses import AddressPolicy
from gateway.config import GatewayConfig


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


def settings_of(config: GatewayConfig) -> WebhookSettings:
    """Those among the gateway's settings that are about deliveries."""
    return WebhookSettings(
        policy=config.address_policy,
        connect_seconds=config.webhook_connect_seconds,
        total_seconds=config.webhook_total_seconds,
        connections=config.webhook_connections,
        endpoint_connections=config.webhook_endpoint_connections,
        disable_days=config.webhook_disable_days,
        drain_seconds=config.webhook_drain_seconds,
        ca_file=config.webhook_ca_file,
    )
