"""Cursors: opaque tokens that say which event was the last one covered. Pure.

A token is base64url without padding over: version, kind, epoch, position, CRC-32. Text of numbers is varints (LEB128).
The checksum finds truncated and mistyped tokens; it is no secret, for a cursor grants nothing.
"""

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from service.domain.errors import CursorInvalidError

_VERSION = 1
_FEED = 1
_DIRECTORY = 2
_MAX_LENGTH = 512
_MAX_TEXT = 128
_MAX_FEEDS = 16
_MAX_NUMBER = (1 << 63) - 1
# The one feed of a database that is not sharded.
MAIN_FEED = 1


@dataclass(frozen=True, slots=True)
class FeedCursor:
    """Covers everything up to a position in each feed: feed id -> position. One feed today."""

    epoch: str
    positions: Mapping[int, int]

    @property
    def position(self) -> int:
        """Position in the main feed."""
        return self.positions[MAIN_FEED]


@dataclass(frozen=True, slots=True)
class DirectoryCursor:
    """Covers the events 1 to `seq` of one directory. `day` is a hint: the event `seq` was written on it or before."""

    epoch: str
    directory_id: str
    seq: int
    day: date | None = None


Cursor = FeedCursor | DirectoryCursor


def feed_cursor(epoch: str, position: int) -> str:
    """The token of a position in the main feed."""
    return encode(FeedCursor(epoch, {MAIN_FEED: position}))


def directory_cursor(epoch: str, directory_id: str, seq: int, day: date | None = None) -> str:
    """The token of a place in one directory's log."""
    return encode(DirectoryCursor(epoch, directory_id, seq, day))


def encode(cursor: Cursor) -> str:
    """Cursor -> token: ASCII letters, digits, `-` and `_`."""
    body = bytearray((_VERSION, _FEED if isinstance(cursor, FeedCursor) else _DIRECTORY))
    _put_text(body, cursor.epoch)
    if isinstance(cursor, FeedCursor):
        _put_number(body, len(cursor.positions))
        for feed_id, position in sorted(cursor.positions.items()):
            _put_number(body, feed_id)
            _put_number(body, position)
    else:
        _put_text(body, cursor.directory_id)
        _put_number(body, cursor.seq)
        _put_number(body, cursor.day.toordinal() if cursor.day else 0)
    body += zlib.crc32(body).to_bytes(4, "big")
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


def decode(token: str) -> Cursor:
    """Token -> Cursor, or CursorInvalidError for whatever this service did not make."""
    body = _checked(token)
    reader = _Reader(body)
    version, kind = reader.byte(), reader.byte()
    if version != _VERSION:
        raise CursorInvalidError("the cursor was made by a newer release of the service")
    epoch = reader.text()
    cursor: Cursor
    if kind == _FEED:
        count = reader.number()
        if not 1 <= count <= _MAX_FEEDS:
            raise _not_ours()
        positions = {reader.number(): reader.number() for _ in range(count)}
        if MAIN_FEED not in positions:
            raise _not_ours()
        cursor = FeedCursor(epoch, positions)
    elif kind == _DIRECTORY:
        directory_id, seq, ordinal = reader.text(), reader.number(), reader.number()
        cursor = DirectoryCursor(epoch, directory_id, seq, _day(ordinal))
    else:
        raise _not_ours()
    reader.end()
    return cursor


def require_scope(cursor: Cursor, directory_ids: frozenset[str] | None) -> None:
    """Raise CursorInvalidError unless the cursor says where to go on in a scope of these directories (None: all).

    A directory's cursor says nothing about any other directory; a feed cursor holds everywhere.
    """
    if isinstance(cursor, DirectoryCursor) and directory_ids != frozenset((cursor.directory_id,)):
        raise CursorInvalidError(
            "the cursor covers one directory only: use it with a filter of exactly that directory",
            directory_id=cursor.directory_id,
        )


def _checked(token: str) -> bytes:
    if not token or len(token) > _MAX_LENGTH or not token.isascii():
        raise _not_ours()
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _not_ours() from None
    body, checksum = data[:-4], data[-4:]
    if len(body) < 4 or zlib.crc32(body).to_bytes(4, "big") != checksum:
        raise _not_ours()
    return body


def _not_ours() -> CursorInvalidError:
    return CursorInvalidError("the cursor is not one that this service gave out, or it was cut or changed")


def _day(ordinal: int) -> date | None:
    # Readers look from the day before it on.
    if ordinal == date.min.toordinal() or ordinal > date.max.toordinal():
        raise _not_ours()
    return date.fromordinal(ordinal) if ordinal else None


def _put_number(body: bytearray, value: int) -> None:
    while value > 0x7F:
        body.append(value & 0x7F | 0x80)
        value >>= 7
    body.append(value)


def _put_text(body: bytearray, value: str) -> None:
    data = value.encode()
    _put_number(body, len(data))
    body += data


class _Reader:
    """Takes a checked token apart."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def byte(self) -> int:
        """Next byte."""
        if self._at >= len(self._body):
            raise _not_ours()
        self._at += 1
        return self._body[self._at - 1]

    def number(self) -> int:
        """Next varint, at most 63 bits."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if value > _MAX_NUMBER or shift > 63:
                raise _not_ours()
            if byte < 0x80:
                return value

    def text(self) -> str:
        """Next text."""
        size = self.number()
        data = self._body[self._at : self._at + size]
        if size > _MAX_TEXT or len(data) != size:
            raise _not_ours()
        self._at += size
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise _not_ours() from None

    def end(self) -> None:
        """Nothing may follow."""
        if self._at != len(self._body):
            raise _not_ours()
