"""Pages of a list: `page_size`, `page_token` and, where a list has it, `window`, the same way everywhere.

A token is the id behind which to go on, under a checksum over it and the request's other arguments: one that was cut,
changed or taken to another list is refused instead of answered with the wrong page.
"""

import base64
import binascii
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from service.domain.errors import ArgumentError
from service.domain.stretch import Stretch
from service.rpc.arguments import optional_id

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1_000
_CHECKSUM_BYTES = 9
_MAX_TOKEN = 1_024

T = TypeVar("T")


async def page_of(
    request: Any, fetch: Callable[[str, int], Awaitable[Sequence[T]]], key: Callable[[T], str]
) -> tuple[Sequence[T], str]:
    """The page that a request asks for, and the token of the next one (empty at the end).

    `fetch(after, limit)` reads at most `limit` items whose `key` is behind `after`, in the order of `key`.
    """
    size = page_size(request.page_size)
    found = await fetch(_after(request), size + 1)
    if len(found) <= size:
        return found, ""
    page = found[:size]
    return page, _token(key(page[-1]), request)


async def stretch_of(
    request: Any, fetch: Callable[[Stretch], Awaitable[Sequence[T]]], key: Callable[[T], str]
) -> tuple[Sequence[T], str]:
    """As `page_of`, of a list whose requests have a `window`; the token goes on in the direction of reading.

    `fetch` reads a stretch in the order in which the stretch is read.
    """
    size = page_size(request.page_size)
    stretch = _stretch(request, size + 1)
    found = await fetch(stretch)
    page = found[:size]
    token = _token(key(page[-1]), request) if len(found) > size else ""
    return (page if stretch.backward == request.window.descending else page[::-1]), token


def refuse_window(request: Any, reason: str) -> None:
    """Raise ArgumentError when there is a window."""
    if request.HasField("window"):
        raise ArgumentError(f"window cannot be combined with {reason}", field="window")


def page_size(asked: int) -> int:
    """0 means 100; more than 1,000 is taken as 1,000."""
    if asked < 0:
        raise ArgumentError("page_size cannot be negative", field="page_size")
    return min(asked, MAX_PAGE_SIZE) or DEFAULT_PAGE_SIZE


def _stretch(request: Any, limit: int) -> Stretch:
    """A page ahead of an id is read from that id backwards, against the order asked for."""
    window = request.window
    after, before = optional_id(window.after_id, "window"), optional_id(window.before_id, "window")
    low, high = (before, after) if window.descending else (after, before)
    stretch = Stretch(limit, low, backward=window.descending != bool(before))
    if high:
        stretch = replace(stretch, high=high)
    place = _after(request)
    return stretch.behind(place) if place else stretch


def _after(request: Any) -> str:
    token = request.page_token
    if not token:
        return ""
    try:
        data = (
            base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True) if len(token) <= _MAX_TOKEN else b""
        )
        after = data[_CHECKSUM_BYTES:].decode()
    except (binascii.Error, UnicodeError):
        raise _refused() from None
    if not after or data[:_CHECKSUM_BYTES] != _checksum(after, request):
        raise _refused()
    return after


def _token(after: str, request: Any) -> str:
    return base64.urlsafe_b64encode(_checksum(after, request) + after.encode()).decode()


def _checksum(after: str, request: Any) -> bytes:
    """Over the position, the kind of request and its arguments; the size of pages may change on the way."""
    arguments = type(request)()
    arguments.CopyFrom(request)
    arguments.ClearField("page_token")
    arguments.ClearField("page_size")
    digest = hashlib.blake2b(digest_size=_CHECKSUM_BYTES, person=b"page_token")
    digest.update(request.DESCRIPTOR.full_name.encode() + b"\0" + after.encode() + b"\0")
    digest.update(arguments.SerializeToString(deterministic=True))
    return digest.digest()


def _refused() -> ArgumentError:
    return ArgumentError("page_token is not one that an earlier page of this list gave", field="page_token")
