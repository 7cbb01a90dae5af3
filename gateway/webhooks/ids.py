"""Ids of deliveries: the prefix and a ULID (github.com/ulid/spec)."""

import secrets

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Two characters at once: ten bits.
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]


def delivery_id(now: float) -> str:
    """`webhook_delivery_` and a ULID of this time (seconds since 1970)."""
    value = int(now * 1_000) << 80 | secrets.randbits(80)
    return "webhook_delivery_" + "".join([_PAIRS[value >> shift & 1023] for shift in range(120, -1, -10)])
