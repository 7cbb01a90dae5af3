"""A port that the workers will share, held so that nobody else takes it meanwhile."""

import errno
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from directorysync.cli.failure import Failure

_LISTEN = re.compile(r"(?:\[(?P<literal>[^\]]+)\]|(?P<name>[^:\[\]]*)):(?P<port>\d{1,5})")
_ANY = {"": "0.0.0.0", "0.0.0.0": "0.0.0.0", "::": "::"}  # noqa: S104 - these are what the user asked for


class PortError(Failure):
    """The address cannot be listened on; the message names it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and a port to listen on."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """`HOST:PORT` or `[IPV6]:PORT`; without a host, every address. ValueError otherwise."""
        found = _LISTEN.fullmatch(text.strip())
        if found is None or int(found["port"]) > 65_535:
            raise ValueError(f"`{text}` is not HOST:PORT")
        host = found["literal"] or found["name"]
        return cls(_ANY.get(host, host), int(found["port"]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def reachable(self) -> "Endpoint":
        """The same for somebody on this machine who wants to connect."""
        return Endpoint({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host), self.port)  # noqa: S104


@contextmanager
def reserved(wanted: Endpoint, *, patience: float) -> Iterator[Endpoint]:
    """Holds the port (0: a free one) while the block lasts, by a bound socket that never listens: only sockets with
    SO_REUSEPORT of the same user can join it. Waits `patience` seconds for workers of a killed supervisor to leave.
    """
    give_up = time.monotonic() + patience
    while True:
        try:
            holder = _hold(wanted)
            break
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > give_up:
                raise PortError(f"cannot listen on {wanted}: {error.strerror or error}") from None
            time.sleep(0.1)
    try:
        yield Endpoint(wanted.host, holder.getsockname()[1])
    finally:
        holder.close()


def _hold(wanted: Endpoint) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(wanted.host, wanted.port, type=socket.SOCK_STREAM)[0]
    # Another program that allows sharing, a second `dirsync serve` first of all, would silently get half of the
    # connections. A bind without SO_REUSEPORT finds it.
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
    holder = socket.socket(family, kind, protocol)
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(address)
    except OSError:
        holder.close()
        raise
    return holder
