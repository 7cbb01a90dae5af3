"""Lists of the service as one stream: pages are fetched as they are needed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

PAGE_SIZE = 1_000

_Request = TypeVar("_Request", bound=Any)
_Response = TypeVar("_Response", bound=Any)


async def every(
    method: Callable[[_Request], Awaitable[_Response]], request: _Request, field: str
) -> AsyncIterator[Any]:
    """Each element of `field` in all responses of a List method. `request` is used up: its page fields are set."""
    request.page_size = request.page_size or PAGE_SIZE
    while True:
        response = await method(request)
        for element in getattr(response, field):
            yield element
        if not response.next_page_token:
            return
        request.page_token = response.next_page_token
