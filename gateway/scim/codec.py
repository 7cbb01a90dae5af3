"""Media types and entity tags of SCIM over HTTP (RFC 7644 3.1, 3.8, 3.14). JSON is passed through as text."""

import re
from functools import lru_cache

from gateway.problems import PLAIN_JSON, SCIM_JSON, http_problem

_ENTITY_TAG = re.compile(r'(?:W/)?"[^"]*"|[^,\s]+')
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
        if media_range == "*":
            media_range = "*/*"  # as old Java clients write it
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
