"""The Authorization header of a SCIM request. The value goes to the service and nowhere else."""

import re
from typing import Final

from directorysync.v1.errors_pb2 import ErrorReason
from gateway.problems import problem

# Ping Identity's connectors let an administrator choose the word before the token; `OAuth` is what they suggest.
_SCHEMES: Final = frozenset({b"bearer", b"oauth", b"token"})
_TOKEN: Final = re.compile(rb"[!-+\--~]{1,4096}")


def bearer_token(authorization: bytes | None) -> str:
    """The token of `Authorization: Bearer …`, scheme in any case. Raises the problem of a missing credential (401)."""
    if authorization is None:
        raise problem(
            ErrorReason.ERROR_REASON_CREDENTIALS_INVALID, "An Authorization header with a bearer token is needed."
        )
    scheme, _, token = authorization.partition(b" ")
    token = token.strip(b" \t")
    if scheme.lower() not in _SCHEMES or _TOKEN.fullmatch(token) is None:
        raise problem(ErrorReason.ERROR_REASON_CREDENTIALS_INVALID, "The Authorization header holds no bearer token.")
    return token.decode("ascii")
