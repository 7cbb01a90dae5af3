"""The cursors of queries (RFC 9865): opaque, made of the characters that need no escaping in a URL.

A cursor is a position under a checksum over it and over what was asked, so that one that was changed, cut, or taken to
another directory, filter or order is refused instead of answered with the wrong page. It holds all there is to know:
the service keeps nothing for it, so it never expires.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from service.scim.errors import InvalidCursor

_CHECKSUM_BYTES: Final = 9
_MAX_CURSOR: Final = 8_192


@dataclass(frozen=True, slots=True)
class Position:
    """The last resource of a page: its type, id, and the text of its sort key (None when it has none or none is asked).

    `total` is how many resources matched when the first page was read.
    """

    resource_type: str
    id: str
    key: str | None
    total: int


def encode(position: Position, asked: Sequence[str]) -> str:
    """The cursor of a position in the answer to what was asked."""
    fields = [position.resource_type, str(position.total), position.id]
    if position.key is not None:
        fields.append(position.key)
    data = "\0".join(fields).encode()
    return base64.urlsafe_b64encode(_checksum(data, asked) + data).decode().rstrip("=")


def decode(cursor: str, asked: Sequence[str]) -> Position:
    """The position of a cursor. Raises InvalidCursor unless it was made for what is asked."""
    try:
        given = cursor.encode("ascii") if len(cursor) <= _MAX_CURSOR else b""
        whole = base64.b64decode(given + b"=" * (-len(given) % 4), altchars=b"-_", validate=True)
        data = whole[_CHECKSUM_BYTES:]
        if whole[:_CHECKSUM_BYTES] != _checksum(data, asked):
            raise _refused()
        resource_type, total, resource_id, *key = data.decode().split("\0")
        return Position(resource_type, resource_id, key[0] if key else None, int(total))
    except (binascii.Error, ValueError):
        raise _refused() from None


def _checksum(data: bytes, asked: Sequence[str]) -> bytes:
    digest = hashlib.blake2b(digest_size=_CHECKSUM_BYTES, person=b"search_cursor")
    for text in asked:
        part = text.encode()
        digest.update(len(part).to_bytes(8) + part)
    digest.update(data)
    return digest.digest()


def _refused() -> InvalidCursor:
    return InvalidCursor("the cursor is not one that an earlier page of this query gave; begin with an empty one")
