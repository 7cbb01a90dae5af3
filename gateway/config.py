"""Settings of the gateway, read from `DIRSYNC_*` variables. A bad value names its variable."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, TypeVar
from urllib.parse import urlsplit

from gateway.addresses import AddressPolicy

LOG_LEVELS = ("debug", "info", "warning", "error", "critical")

_T = TypeVar("_T")
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_LISTEN = re.compile(r"(?:\[([^\]]+)\]|([^:\[\]]*)):(\d{1,5})")


class ConfigurationError(ValueError):
    """A setting that cannot be used. The message names the variable."""


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """How one gateway listens, where it finds the service, and its ceilings. Times in seconds, sizes in bytes."""

    http_listen: str = "127.0.0.1:8080"
    service_target: str = "127.0.0.1:50051"
    service_ca_file: str | None = None
    service_cert_file: str | None = None
    service_key_file: str | None = None
    public_url: str | None = None
    trust_forwarded: bool = False
    tls_cert_file: str | None = None
    tls_key_file: str | None = None
    tls_client_ca_file: str | None = None
    max_body_bytes: int = 2_048_000
    max_head_bytes: int = 65_536
    max_in_flight: int = 1_000
    head_seconds: float = 30.0
    body_seconds: float = 60.0
    deadline_seconds: float = 25.0
    keep_alive_seconds: int = 75
    stop_seconds: int = 5
    drain_seconds: float = 0.0
    log_level: str = "info"
    delivery_api_key: str | None = field(default=None, repr=False)
    webhook_allow_http: bool = False
    webhook_allowed_hosts: frozenset[str] = frozenset()
    webhook_allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    webhook_ca_file: str | None = None
    webhook_connect_seconds: float = 5.0
    webhook_total_seconds: float = 15.0
    webhook_connections: int = 512
    webhook_endpoint_connections: int = 8
    webhook_disable_days: int = 5
    webhook_drain_seconds: float = 2.0

    @property
    def listen_address(self) -> tuple[str, int]:
        """`http_listen` as host and port; port 0 lets the system choose."""
        return parse_listen(self.http_listen)

    @property
    def address_policy(self) -> AddressPolicy:
        """Where deliveries may go."""
        return AddressPolicy(self.webhook_allow_http, self.webhook_allowed_hosts, self.webhook_allowed_networks)


def parse_listen(text: str) -> tuple[str, int]:
    """`HOST:PORT` or `[IPV6]:PORT`; an empty host means every address. Raises ValueError."""
    found = _LISTEN.fullmatch(text.strip())
    if found is None or int(found[3]) > 65_535:
        raise ValueError("expected HOST:PORT")
    return found[1] or found[2] or "0.0.0.0", int(found[3])  # noqa: S104 - an empty host asks for exactly this


def from_environment(environ: Mapping[str, str]) -> GatewayConfig:
    """Settings from `DIRSYNC_*`; absent or empty variables keep their default. Raises ConfigurationError."""
    settings: dict[str, Any] = {}
    for variable, (name, convert) in _VARIABLES.items():
        text = environ.get(variable, "").strip()
        if text:
            settings[name] = _converted(variable, text, convert)
    config = GatewayConfig(**settings)
    _check_pairs(config)
    return config


def _converted(variable: str, text: str, convert: Callable[[str], _T]) -> _T:
    try:
        return convert(text)
    except ValueError as error:
        raise ConfigurationError(f"{variable}: {error}") from error


def _check_pairs(config: GatewayConfig) -> None:
    pairs = (
        (config.tls_key_file, config.tls_cert_file, "DIRSYNC_HTTP_TLS_KEY", "DIRSYNC_HTTP_TLS_CERT"),
        (config.tls_cert_file, config.tls_key_file, "DIRSYNC_HTTP_TLS_CERT", "DIRSYNC_HTTP_TLS_KEY"),
        (config.tls_client_ca_file, config.tls_cert_file, "DIRSYNC_HTTP_TLS_CLIENT_CA", "DIRSYNC_HTTP_TLS_CERT"),
        (config.service_cert_file, config.service_key_file, "DIRSYNC_SERVICE_TLS_CERT", "DIRSYNC_SERVICE_TLS_KEY"),
        (config.service_key_file, config.service_cert_file, "DIRSYNC_SERVICE_TLS_KEY", "DIRSYNC_SERVICE_TLS_CERT"),
        (config.service_cert_file, config.service_ca_file, "DIRSYNC_SERVICE_TLS_CERT", "DIRSYNC_SERVICE_TLS_CA"),
    )
    for given, needed, variable, missing in pairs:
        if given and not needed:
            raise ConfigurationError(f"{variable}: is set without {missing}")


def _listen(text: str) -> str:
    parse_listen(text)
    return text


def _file(text: str) -> str:
    if not (os.path.isfile(text) and os.access(text, os.R_OK)):
        raise ValueError(f"no such file that can be read: {text}")
    return text


def _flag(text: str) -> bool:
    word = text.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("expected true or false")
    return word in _TRUE


def _document_bytes(text: str) -> int:
    # The service takes documents of up to 2 MiB.
    return int(_between(text, 1_024, 2 * 1024 * 1024, whole=True))


def _head_bytes(text: str) -> int:
    return int(_between(text, 1_024, 1024 * 1024, whole=True))


def _count(text: str) -> int:
    return int(_between(text, 1, 1_000_000, whole=True))


def _whole_seconds(text: str) -> int:
    return int(_between(text, 1, 3_600, whole=True))


def _seconds(text: str) -> float:
    return _between(text, 0.001, 3_600, whole=False)


def _connections(text: str) -> int:
    return int(_between(text, 1, 10_000, whole=True))


def _days(text: str) -> int:
    return int(_between(text, 1, 365, whole=True))


def _pause(text: str) -> float:
    return _between(text, 0, 3_600, whole=False)


def _between(text: str, least: float, most: float, *, whole: bool) -> float:
    kind = "whole number" if whole else "number"
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        raise ValueError(f"expected a {kind}") from None
    if not least <= number <= most:
        raise ValueError(f"expected a {kind} from {least} to {most}")
    return number


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
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


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("expected http:// or https:// with a host, without query or credentials")
    return text.rstrip("/")


def _level(text: str) -> str:
    if text.lower() not in LOG_LEVELS:
        raise ValueError(f"expected one of {', '.join(LOG_LEVELS)}")
    return text.lower()


_VARIABLES: dict[str, tuple[str, Callable[[str], object]]] = {
    "DIRSYNC_HTTP_LISTEN": ("http_listen", _listen),
    "DIRSYNC_SERVICE_TARGET": ("service_target", str),
    "DIRSYNC_SERVICE_TLS_CA": ("service_ca_file", _file),
    "DIRSYNC_SERVICE_TLS_CERT": ("service_cert_file", _file),
    "DIRSYNC_SERVICE_TLS_KEY": ("service_key_file", _file),
    "DIRSYNC_PUBLIC_URL": ("public_url", _url),
    "DIRSYNC_HTTP_TRUST_FORWARDED": ("trust_forwarded", _flag),
    "DIRSYNC_HTTP_TLS_CERT": ("tls_cert_file", _file),
    "DIRSYNC_HTTP_TLS_KEY": ("tls_key_file", _file),
    "DIRSYNC_HTTP_TLS_CLIENT_CA": ("tls_client_ca_file", _file),
    "DIRSYNC_HTTP_MAX_BODY_BYTES": ("max_body_bytes", _document_bytes),
    "DIRSYNC_HTTP_MAX_HEAD_BYTES": ("max_head_bytes", _head_bytes),
    "DIRSYNC_HTTP_MAX_IN_FLIGHT": ("max_in_flight", _count),
    "DIRSYNC_HTTP_HEAD_SECONDS": ("head_seconds", _seconds),
    "DIRSYNC_HTTP_BODY_SECONDS": ("body_seconds", _seconds),
    "DIRSYNC_HTTP_DEADLINE_SECONDS": ("deadline_seconds", _seconds),
    "DIRSYNC_HTTP_KEEP_ALIVE_SECONDS": ("keep_alive_seconds", _whole_seconds),
    "DIRSYNC_HTTP_STOP_SECONDS": ("stop_seconds", _whole_seconds),
    "DIRSYNC_HTTP_DRAIN_SECONDS": ("drain_seconds", _pause),
    "DIRSYNC_LOG_LEVEL": ("log_level", _level),
    "DIRSYNC_HTTP_DELIVERY_API_KEY": ("delivery_api_key", str),
    "DIRSYNC_WEBHOOK_ALLOW_HTTP": ("webhook_allow_http", _flag),
    "DIRSYNC_WEBHOOK_ALLOWED_HOSTS": ("webhook_allowed_hosts", hosts),
    "DIRSYNC_WEBHOOK_ALLOWED_NETWORKS": ("webhook_allowed_networks", networks),
    "DIRSYNC_WEBHOOK_CA": ("webhook_ca_file", _file),
    "DIRSYNC_WEBHOOK_CONNECT_SECONDS": ("webhook_connect_seconds", _seconds),
    "DIRSYNC_WEBHOOK_TOTAL_SECONDS": ("webhook_total_seconds", _seconds),
    "DIRSYNC_WEBHOOK_CONNECTIONS": ("webhook_connections", _connections),
    "DIRSYNC_WEBHOOK_ENDPOINT_CONNECTIONS": ("webhook_endpoint_connections", _connections),
    "DIRSYNC_WEBHOOK_DISABLE_DAYS": ("webhook_disable_days", _days),
    "DIRSYNC_WEBHOOK_DRAIN_SECONDS": ("webhook_drain_seconds", _pause),
}
