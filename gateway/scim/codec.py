"""Media types, bodies and entity tags of SCIM over HTTP (RFC 7644 3.1, 3.8, 3.14). JSON is passed through as text."""

import re
from functools import lru_cache

from directorysync.v1.errors_pb2 import ErrorReason
from gateway.exchange import ClientDisconnected, Exchange
from gateway.problems import PLAIN_JSON, SCIM_JSON, Problem, http_problem, invalid_syntax, problem

_BOM = b"\xef\xbb\xbf"
_ENTITY_TAG = re.compile(r'(?:W/)?"[^"]*"|[^,\s]+')
_JSON_BODY = re.compile(rb"[!-~]+/(?:[!-~]+\+)?json")
_JSON_RANGE = re.compile(r"(?:application|text)/(?:.*\+)?json")


def answer_media_type(accept: bytes | None) -> bytes:
    """The media type to answer in: `application/json` only where Accept prefers it, as OneLogin's does. Raises 406."""
    chosen = SCIM_JSON if accept is None else _negotiated(accept)
    if chosen is None:
        raise http_problem(406, "Answers are application/scim+json or application/json.")
    return chosen


@lru_cache(maxsize=128)
def _negotiated(accept: bytes) -> bytes | None:
    weights: dict[str, float] = {}
    for part in accept.decode("latin-1").lower().split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        if media_range:
            weights[media_range] = max(weights.get(media_range, 0.0), _weight(parameters))
    if not weights:
        return SCIM_JSON
    anything = weights.get("application/*", weights.get("*/*", 0.0))
    scim = weights.get("application/scim+json", anything)
    plain = weights.get("application/json", anything)
    if plain > scim:
        return PLAIN_JSON
    if scim > 0 or any(weight > 0 and _JSON_RANGE.fullmatch(name) for name, weight in weights.items()):
        return SCIM_JSON
    return None


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 1.0
    return 1.0


@lru_cache(maxsize=128)
def _is_foreign(content_type: bytes) -> bool:
    media_type = content_type.partition(b";")[0].strip().lower()
    return bool(media_type) and _JSON_BODY.fullmatch(media_type) is None


def check_content(headers: dict[bytes, bytes]) -> None:
    """Refuse a body that says it is not JSON, or that is compressed. No Content-Type is fine. Raises 415."""
    content_type = headers.get(b"content-type")
    if content_type is not None and _is_foreign(content_type):
        raise http_problem(415, "The body must be application/scim+json or application/json.")
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
        raise invalid_syntax(f"The body is not UTF-8 at byte {error.start}.") from None


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


def entity_tags(header: bytes | None) -> list[str]:
    """The tags of If-Match or If-None-Match as written; `*` for any; a tag without quotes is taken as it is."""
    if header is None:
        return []
    return _ENTITY_TAG.findall(header.decode("latin-1"))


def matches_weakly(tags: list[str], etag: str) -> bool:
    """Weak comparison of RFC 9110 8.8.3.2; `*` matches anything."""
    opaque = _opaque(etag)
    return any(tag == "*" or _opaque(tag) == opaque for tag in tags)


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/").strip('"')
