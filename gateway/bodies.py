"""Bodies of requests: JSON as UTF-8 text, bounded, uncompressed. What the text means is the rooms' business."""

import re
from functools import lru_cache
from typing import Final

from directorysync.v1.errors_pb2 import ErrorReason
from gateway.exchange import ClientDisconnected, Exchange
from gateway.problems import Problem, http_problem, invalid_syntax, problem

_BOM: Final = b"\xef\xbb\xbf"
_JSON_BODY: Final = re.compile(rb"[!-~]+/(?:[!-~]+\+)?json")
_CHARSET: Final = re.compile(
    rb";\s*charset\s*=\s*\"?(iso-8859-1|latin-?1|windows-1252|utf-16)\"?\s*(?:;|\Z)", re.IGNORECASE
)


@lru_cache(maxsize=128)
def _is_foreign(content_type: bytes) -> bool:
    # A header that was set twice arrives as a list; one that names JSON means it.
    types = [one.partition(b";")[0].strip().lower() for one in content_type.split(b",")]
    return any(types) and not any(_JSON_BODY.fullmatch(media_type) for media_type in types)


def check_content(headers: dict[bytes, bytes], expected: str) -> None:
    """Refuse a body that says it is not JSON, or that is compressed. No Content-Type is fine. Raises 415.

    `expected` names the media types to the client.
    """
    content_type = headers.get(b"content-type")
    if content_type is not None and _is_foreign(content_type):
        raise http_problem(415, f"The body must be {expected}.")
    coding = headers.get(b"content-encoding")
    if coding is not None and coding.strip().lower() not in {b"", b"identity"}:
        raise http_problem(415, "The body must not be compressed.", [(b"accept-encoding", b"identity")])


async def read_text(exchange: Exchange, ceiling: int) -> str:
    """The body as text. Raises 413 above `ceiling` bytes, 400 when empty or not UTF-8. The listener bounds the time."""
    declared = exchange.headers.get(b"content-length", b"")
    if declared.isdigit() and (len(declared) > 18 or int(declared) > ceiling):
        raise _too_large(ceiling)
    body = await _read(exchange, ceiling)
    if body.startswith(_BOM):
        body = body[len(_BOM) :]
    if not body or body.isspace():
        raise invalid_syntax("The body is empty; a JSON object is needed.")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        other = _CHARSET.search(exchange.headers.get(b"content-type", b""))
        if other is not None:
            return _decoded(body, other[1].decode())
        raise invalid_syntax(f"The body is not UTF-8 at byte {error.start}.") from None


def _decoded(body: bytes, charset: str) -> str:
    # JSON is UTF-8 (RFC 8259 8.1); who says that it is not, and is right, is understood.
    try:
        return body.decode(charset)
    except UnicodeDecodeError:
        raise invalid_syntax(f"The body is neither UTF-8 nor {charset.lower()}.") from None


async def _read(exchange: Exchange, ceiling: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await exchange.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > ceiling:
            raise _too_large(ceiling)
        if chunk:
            chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(ceiling: int) -> Problem:
    detail = f"The body is larger than {ceiling} bytes."
    return problem(ErrorReason.ERROR_REASON_LIMIT_EXCEEDED, detail, close=True)
