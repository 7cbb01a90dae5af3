"""Ids: a readable prefix and a ULID. Pure: time and random bits are passed in."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Two characters at once: ten bits.
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]


def ulid(milliseconds: int, random_bits: int) -> str:
    """26 characters of Crockford base32: 48 bits of time, 80 bits of `random_bits`. Text order is time order."""
    value = ((milliseconds & 0xFFFFFFFFFFFF) << 80) | (random_bits & ((1 << 80) - 1))
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in range(120, -1, -10)])


ORGANIZATION = "org_"
ORGANIZATION_DOMAIN = "org_domain_"
DIRECTORY = "directory_"
USER = "directory_user_"
GROUP = "directory_group_"
TOKEN = "directory_token_"  # noqa: S105 (a prefix of an id, no secret)
API_KEY = "api_key_"
PORTAL_LINK = "portal_link_"
PORTAL_SESSION = "portal_session_"
EVENT = "event_"
TRANSACTION = "txn_"
SUBSCRIPTION = "subscription_"
WEBHOOK_ENDPOINT = "we_"
WEBHOOK_DELIVERY = "webhook_delivery_"
WEBHOOK_REPLAY = "webhook_replay_"
