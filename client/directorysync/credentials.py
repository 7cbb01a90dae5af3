"""Where the service is, and what to present to it: arguments first, then the environment, then the local defaults."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc

DEFAULT_ADDRESS = "127.0.0.1:50051"
DEFAULT_DATA_DIR = Path(".dirsync")
ADMIN_KEY_FILE = "admin.key"


@dataclass(frozen=True, slots=True)
class Tls:
    """Settings of an encrypted connection. Without `ca_file` the system's authorities are trusted; `cert_file` and
    `key_file`, PEM, identify the client (mTLS).
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Reads the files. OSError when one cannot be read."""
        return grpc.ssl_channel_credentials(
            root_certificates=_read(self.ca_file),
            private_key=_read(self.key_file),
            certificate_chain=_read(self.cert_file),
        )


@dataclass(frozen=True, slots=True)
class Connection:
    """What it takes to reach the service. `tls` is None for plaintext, `api_key` None for no credential."""

    address: str
    api_key: str | None
    tls: Tls | None


def resolve(
    address: str | None = None,
    api_key: str | None = None,
    tls: Tls | bool | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Connection:
    """Fills what was not given from DIRSYNC_ADDRESS, DIRSYNC_API_KEY and DIRSYNC_TLS (`on` or `off`, with
    the files DIRSYNC_TLS_CA, DIRSYNC_TLS_CERT and DIRSYNC_TLS_KEY).

    Without a setting, other machines are reached with TLS and this one without. The admin key that `dirsync serve`
    left in its data directory is presented to this machine only.
    """
    address = address or environ.get("DIRSYNC_ADDRESS") or DEFAULT_ADDRESS
    local = is_local(address)
    key = api_key or environ.get("DIRSYNC_API_KEY")
    if not key and local:
        key = _admin_key(data_dir(environ))
    return Connection(address, key or None, _tls(tls, environ, local=local))


def data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Data directory of `dirsync serve`: DIRSYNC_DATA_DIR, else `.dirsync` in the current directory."""
    return Path(environ.get("DIRSYNC_DATA_DIR") or DEFAULT_DATA_DIR)


def is_local(address: str) -> bool:
    """Whether a gRPC target names this machine: a loopback address, `localhost` or a unix socket."""
    if address.startswith("unix:"):
        return True
    host = address.removeprefix("dns:///").rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _tls(tls: Tls | bool | None, environ: Mapping[str, str], *, local: bool) -> Tls | None:
    if isinstance(tls, Tls):
        return tls
    if tls is None:
        setting = environ.get("DIRSYNC_TLS", "").lower()
        if setting not in {"", "on", "off"}:
            raise ValueError(f"DIRSYNC_TLS is `on` or `off`, not `{setting}`")
        tls = setting == "on" or (setting == "" and not local)
    if not tls:
        return None
    ca_file, cert_file, key_file = (
        Path(path) if (path := environ.get(f"DIRSYNC_TLS_{name}")) else None for name in ("CA", "CERT", "KEY")
    )
    return Tls(ca_file, cert_file, key_file)


def _admin_key(directory: Path) -> str | None:
    try:
        return (directory / ADMIN_KEY_FILE).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _read(path: Path | None) -> bytes | None:
    return path.read_bytes() if path else None
