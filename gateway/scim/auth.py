"""How SCIM clients send their token. What begins like one is one, whatever stands before it."""

import base64
import binascii
from typing import Final

from gateway.bearer import bearer_token

# Ping Identity's connectors let an administrator choose the word before the token; `OAuth` is what they suggest.
SCHEMES: Final = frozenset({b"bearer", b"oauth", b"token"})
_BEGINNING: Final = b"dst_"


def directory_token(authorization: bytes | None) -> str:
    """The token of an Authorization header. Raises 401.

    Besides a scheme and a token: the token alone (Okta's `Header Auth` sends what was pasted), a scheme twice (pasted
    with its word), quotes, and Basic with the token as password or user name (Okta's and PingFederate's `Basic Auth`).
    """
    value = (authorization or b"").strip()
    scheme, _, rest = value.partition(b" ")
    found = [value, rest.rpartition(b" ")[2], *(_basic(rest) if scheme.lower() == b"basic" else ())]
    token = next((bare for one in found if (bare := one.strip(b'"')).startswith(_BEGINNING)), None)
    return bearer_token(authorization if token is None else b"Bearer " + token, SCHEMES)


def _basic(credentials: bytes) -> tuple[bytes, ...]:
    try:
        user, _, password = base64.b64decode(credentials.strip(), validate=True).partition(b":")
    except binascii.Error:
        return ()
    return password, user
