"""The Authorization header. The value goes to the service and nowhere else."""

import re
from typing import Final

from directorysync.v1.errors_pb2 import ErrorReason
from gateway.problems import problem

BEARER: Final = frozenset({b"bearer"})
_TOKEN: Final = re.compile(rb"[!-+\--~]{1,4096}")


def bearer_token(authorization: bytes | None, schemes: frozenset[bytes] = BEARER) -> str:
    """The token of `Authorization: Bearer …`, scheme in any case. Raises the problem of a missing credential (401).

    `schemes`: lower-case words that may stand before the token.
    """
    if authorization is None:
        raise problem(
            ErrorReason.ERROR_REASON_CREDENTIALS_INVALID, "An Authorization header with a bearer token is needed."
        )
    scheme, _, token = authorization.partition(b" ")
    token = token.strip(b" \t")
    if scheme.lower() not in schemes or _TOKEN.fullmatch(token) is None:
        raise problem(ErrorReason.ERROR_REASON_CREDENTIALS_INVALID, "The Authorization header holds no bearer token.")
    return token.decode("ascii")
