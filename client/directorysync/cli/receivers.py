"""URLs of receivers. Where deliveries may go is for the service to say, once it sends one; what is plainly not for
everybody to reach is told at once.
"""

import sys
from ipaddress import ip_address
from urllib.parse import urlsplit

_ALLOWED = "DIRSYNC_WEBHOOK_ALLOWED_HOSTS or DIRSYNC_WEBHOOK_ALLOWED_NETWORKS"


def warn_if_inward(url: str | None) -> None:
    """One line on standard error when the host is `localhost` or an address that is not public."""
    host = _host(url or "")
    if _inward(host):
        print(
            f"dirsync: {host} is not public: deliveries are refused (`address_refused`) unless the server is started"
            f" with {_ALLOWED} that open it.",
            file=sys.stderr,
        )


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _inward(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return not address.is_global or address.is_multicast
