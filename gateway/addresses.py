"""Where deliveries may go: an endpoint's URL is a wish of somebody outside and must not reach what only this host can.

Pure: names are resolved elsewhere, every address that is connected to is asked about here.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Beyond what `ipaddress` knows as private, loopback, link-local (169.254.169.254 is there), multicast or reserved:
# shared address space, translation to IPv4 and tunnels that carry IPv4 addresses, benchmarks, discarded.
_REFUSED: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "100.64.0.0/10",
            "192.0.0.0/24",
            "192.88.99.0/24",
            "198.18.0.0/15",
            "240.0.0.0/4",
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/23",
            "2002::/16",
            "3fff::/20",
            "5f00::/16",
            "fec0::/10",
        ),
    )
)
_IPV6_GLOBAL = ip_network("2000::/3")
# As in the URL standard: a host whose last label is a number is an IPv4 address, however it is written.
_NUMERIC_END = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)\.?", re.IGNORECASE)


_OPENED: Final = "DIRSYNC_WEBHOOK_ALLOWED_HOSTS or DIRSYNC_WEBHOOK_ALLOWED_NETWORKS"
_LOOPBACK: Final = (ip_address("127.0.0.1"), ip_address("::1"))


class AddressRefused(Exception):
    """The endpoint's URL, or what its host stands for, is not for deliveries. `setting`: what an operator would open
    it with, if anything does.
    """

    def __init__(self, reason: str, setting: str = "") -> None:
        super().__init__(reason)
        self.setting = setting


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """`hosts` and `networks` are those that an operator opens although they are not public."""

    allow_http: bool = False
    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    def check_url(self, url: str) -> str:
        """The host of a URL that may be requested, in lower case. Raises AddressRefused."""
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").rstrip(".")
            if parts.port == 0:
                raise AddressRefused("port 0")
        except ValueError:
            raise AddressRefused("not a URL") from None
        if parts.scheme != "https" and not (parts.scheme == "http" and self.allow_http):
            setting = "DIRSYNC_WEBHOOK_ALLOW_HTTP" if parts.scheme == "http" else ""
            raise AddressRefused(f"scheme {parts.scheme[:16]!r}", setting)
        if not host or not host.isascii():
            raise AddressRefused("no host")
        if (address := literal(host)) is not None:
            if not self.allows(host, address):
                raise AddressRefused("an address that is not public", _OPENED)
        elif _is_localhost(host):
            if not any(self.allows(host, one) for one in _LOOPBACK):
                raise AddressRefused("a name of this host itself", _OPENED)
        elif _NUMERIC_END.fullmatch(host):
            raise AddressRefused("an address in another notation")
        return host

    def allows(self, host: str, address: Address) -> bool:
        """Whether a connection to this address of the host may be made."""
        return host in self.hosts or public(address) or any(_within(address, network) for network in self.networks)


def literal(host: str) -> Address | None:
    """The address that a host is written as; None for a name."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None


def public(address: Address) -> bool:
    """Whether anybody can reach it."""
    if isinstance(address, IPv6Address) and (address.ipv4_mapped is not None or address not in _IPV6_GLOBAL):
        return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(_within(address, network) for network in _REFUSED)


def _is_localhost(host: str) -> bool:
    """RFC 6761 6.3: whatever a resolver says, these are loopback."""
    return host == "localhost" or host.endswith(".localhost")


def _within(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network
