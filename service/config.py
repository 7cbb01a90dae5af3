"""Settings of the service. Read here and in bootstrap only; everything else is handed values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from service.domain.errors import ArgumentError

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of a listener. With `client_ca` only clients with a certificate of that authority may connect."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """Everything the service can be told."""

    database_url: str
    grpc_listen: str = "127.0.0.1:50051"
    grpc_tls: TlsFiles | None = None
    lanes: int = 2
    pool_size: int = 6
    batch_commands: int = 128
    queue_commands: int = 4_000
    ring_events: int = 20_000
    retention_days: int = 30
    drain_seconds: float = 4.0
    streams_per_key: int = 1_000
    unread_mib: int = 128
    log_level: str = "info"
    encryption_keys: tuple[str, ...] = field(default=(), repr=False)
    webhook_allow_http: bool = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "ServiceConfig":
        """Read DIRSYNC_DATABASE_URL, DIRSYNC_GRPC_LISTEN, DIRSYNC_LANES … ; a bad value names its variable."""
        url = environ.get("DIRSYNC_DATABASE_URL", "")
        if not url:
            raise ArgumentError("DIRSYNC_DATABASE_URL is not set", field="DIRSYNC_DATABASE_URL")
        cert, key = environ.get("DIRSYNC_GRPC_TLS_CERT"), environ.get("DIRSYNC_GRPC_TLS_KEY")
        client_ca = environ.get("DIRSYNC_GRPC_TLS_CLIENT_CA")
        if bool(cert) != bool(key):
            field = "DIRSYNC_GRPC_TLS_KEY"
            raise ArgumentError(f"DIRSYNC_GRPC_TLS_CERT and {field} go together", field=field)
        tls = TlsFiles(Path(cert), Path(key), Path(client_ca) if client_ca else None) if cert and key else None
        return cls(
            database_url=url,
            grpc_listen=environ.get("DIRSYNC_GRPC_LISTEN") or "127.0.0.1:50051",
            grpc_tls=tls,
            lanes=_integer(environ, "DIRSYNC_LANES", 2, 1, 64),
            pool_size=_integer(environ, "DIRSYNC_POOL_SIZE", 6, 2, 200),
            batch_commands=_integer(environ, "DIRSYNC_BATCH_COMMANDS", 128, 1, 1_000),
            queue_commands=_integer(environ, "DIRSYNC_QUEUE_COMMANDS", 4_000, 1, 100_000),
            ring_events=_integer(environ, "DIRSYNC_RING_EVENTS", 20_000, 100, 1_000_000),
            retention_days=_integer(environ, "DIRSYNC_RETENTION_DAYS", 30, 1, 3_650),
            drain_seconds=_integer(environ, "DIRSYNC_DRAIN_SECONDS", 4, 0, 600),
            streams_per_key=_integer(environ, "DIRSYNC_STREAMS_PER_KEY", 1_000, 1, 100_000),
            unread_mib=_integer(environ, "DIRSYNC_UNREAD_MIB", 128, 8, 65_536),
            log_level=environ.get("DIRSYNC_LOG_LEVEL", "info"),
            encryption_keys=tuple(environ.get("DIRSYNC_ENCRYPTION_KEYS", "").replace(",", " ").split()),
            webhook_allow_http=_flag(environ, "DIRSYNC_WEBHOOK_ALLOW_HTTP"),
        )


def _flag(environ: Mapping[str, str], name: str) -> bool:
    word = environ.get(name, "").strip().lower()
    if word not in {"", *_TRUE, *_FALSE}:
        raise ArgumentError(f"{name} must be true or false", field=name)
    return word in _TRUE


def _integer(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    raw = environ.get(name)
    if raw is None or raw == "":
        return default
    try:
        value = int(raw)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise ArgumentError(f"{name} must be a whole number from {low} to {high}", field=name)
    return value
