"""A SCIM request after the checks that all of them share: credential, directory, base URL, media type."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

import grpc

from directorysync.v1.directory_ingest_pb2 import IngestContext, Projection, ResourceType
from directorysync.v1.errors_pb2 import ErrorReason
from gateway.bodies import check_content, read_text
from gateway.config import GatewayConfig
from gateway.exchange import Exchange
from gateway.origin import origin
from gateway.problems import problem
from gateway.scim.auth import directory_token
from gateway.scim.queries import Query, parse_query
from gateway.scim.version import Version
from gateway.upstream import Caller, Upstream

_Q = TypeVar("_Q")
_R = TypeVar("_R")


@dataclass(slots=True)
class ScimRequest:
    """What a handler needs: where, what, by whom, and how to answer."""

    exchange: Exchange
    upstream: Upstream
    config: GatewayConfig
    caller: Caller
    context: IngestContext
    media_type: bytes
    resource_type: ResourceType.ValueType
    id: str

    def query(self) -> Query:
        """The parameters of the URL. Raises 400."""
        return parse_query(self.exchange.scope.get("query_string", b""))

    def projection(self) -> Projection | None:
        """What the URL leaves of the resource in the answer; None for all. Raises 400."""
        return self.query().projection() if self.exchange.scope.get("query_string") else None

    async def text(self) -> str:
        """The body. Raises 400, 413, 415."""
        check_content(self.exchange.headers, "application/scim+json or application/json")
        return await read_text(self.exchange, self.config.max_body_bytes)

    def call(self, method: grpc.aio.UnaryUnaryMultiCallable[_Q, _R], message: _Q) -> Awaitable[_R]:
        """Call the service in the caller's name. Raises Problem."""
        return self.upstream.call(method, message, self.caller)


def accept_request(
    exchange: Exchange,
    upstream: Upstream,
    config: GatewayConfig,
    *,
    version: Version,
    resource_type: ResourceType.ValueType,
    resource_id: str,
) -> ScimRequest:
    """Check what every SCIM request must have. Raises 400, 401, 406."""
    token = directory_token(exchange.headers.get(b"authorization"))
    if exchange.directory is None:
        # No directory has such a key; it is refused as any unknown one is.
        raise problem(ErrorReason.ERROR_REASON_CREDENTIALS_INVALID, "The bearer token is not valid here.")
    # DELETE answers without a body, so any Accept suits it.
    accept = None if exchange.method == "DELETE" else exchange.headers.get(b"accept")
    base_url = f"{origin(exchange, config)}/scim/{version.segment}/{exchange.directory}"
    return ScimRequest(
        exchange=exchange,
        upstream=upstream,
        config=config,
        caller=Caller(token, exchange.request_id),
        context=IngestContext(directory=exchange.directory, base_url=base_url, scim_version=version.number),
        media_type=version.media_type(accept),
        resource_type=resource_type,
        id=resource_id,
    )
