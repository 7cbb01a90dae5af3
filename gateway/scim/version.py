"""The versions of SCIM that are spoken over HTTP, as data: what differs before a request reaches its handler."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from directorysync.v1 import directory_ingest_pb2 as pb
from gateway.exchange import Exchange
from gateway.problems import PLAIN_JSON
from gateway.scim.codec import answer_media_type

_OVERRIDES: Final = {b"put": "PUT", b"patch": "PATCH", b"delete": "DELETE"}


@dataclass(frozen=True, slots=True)
class Version:
    """One version: its segment of the base URL, its name in the contract, and how a request is read.

    ``suffix`` may stand behind the last segment of a path. ``method`` is what a request means to do; ``media_type``
    what its answer is written in, by its Accept header, or 406.
    """

    segment: str
    number: pb.ScimVersion.ValueType
    method: Callable[[Exchange], str]
    media_type: Callable[[bytes | None], bytes]
    suffix: str = ""


def _method_as_sent(exchange: Exchange) -> str:
    return exchange.method


def _method_overridden(exchange: Exchange) -> str:
    """POST with X-HTTP-Method-Override is what the header says (SCIM 1.1 protocol 3.4)."""
    override = exchange.headers.get(b"x-http-method-override", b"").strip().lower()
    return _OVERRIDES.get(override, exchange.method) if exchange.method == "POST" else exchange.method


def _plain_json(accept: bytes | None) -> bytes:
    """1.1 knows no media type of its own. Raises 406."""
    answer_media_type(accept)
    return PLAIN_JSON


SCIM_2_0: Final = Version("v2", pb.SCIM_VERSION_UNSPECIFIED, _method_as_sent, answer_media_type)
SCIM_1_1: Final = Version("v1", pb.SCIM_VERSION_1_1, _method_overridden, _plain_json, suffix=".json")
VERSIONS: Final[Mapping[str, Version]] = {version.segment: version for version in (SCIM_2_0, SCIM_1_1)}
