"""What proves that a request is ours: signatures of Standard Webhooks (standardwebhooks.com) and of WorkOS."""

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final

_PREFIX: Final = "whsec_"


def standard_key(secret: str) -> bytes:
    """The key inside a `whsec_` secret: what follows is base64. Raises ValueError for another text."""
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("not a webhook secret") from None


def standard_signature(secrets: Sequence[str], message_id: str, seconds: int, body: bytes) -> str:
    """`v1,<base64>` for each secret, separated by blanks: a receiver needs to know one of them."""
    content = b"%s.%d.%s" % (message_id.encode(), seconds, body)
    return " ".join(
        f"v1,{base64.b64encode(hmac.digest(standard_key(secret), content, 'sha256')).decode()}" for secret in secrets
    )


def workos_signature(secret: str, milliseconds: int, body: bytes) -> str:
    """`t=<ms>, v1=<hex>`. The official libraries read exactly one signature (and Python's the blank behind the comma);
    their key is the secret's text with its prefix.
    """
    content = b"%d.%s" % (milliseconds, body)
    return f"t={milliseconds}, v1={hmac.digest(secret.encode(), content, 'sha256').hex()}"


def signed_headers(
    secrets: Sequence[str], workos_secret: str, message_id: str, now: float, body: bytes
) -> dict[str, str]:
    """Headers of one attempt at `now` (seconds since 1970)."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": standard_signature(secrets, message_id, int(now), body),
        "workos-signature": workos_signature(workos_secret, int(now * 1_000), body),
    }


def workos_choice(secrets: Sequence[str], accepted: str | None, attempt: int) -> str:
    """Which of several secrets (newest first) signs for WorkOS, whose header has room for one.

    Begins with the one that the receiver last accepted, or the oldest, which it certainly has; each failed attempt
    tries the next one. So a receiver may change over at any time while both sign. `attempt` counts from 1.
    """
    first = secrets.index(accepted) if accepted in secrets else len(secrets) - 1
    return secrets[(first + attempt - 1) % len(secrets)]
