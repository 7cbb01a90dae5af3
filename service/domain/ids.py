"""Ids: a readable prefix and a ULID. Pure: time and random bits are passed in."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Two characters at once: ten bits.
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]


def ulid(milliseconds: int, random_bits: int) -> str:
    """26 characters of Crockford base32: 48 bits of time, 80 bits of `random_bits`. Text order is time order."""
    value = ((milliseconds & 0xFFFFFFFFFFFF) << 80) | (random_bits & ((1 << 80) - 1))
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in range(120, -1, -10)])


def milliseconds_of(value: str, prefix: str) -> int | None:
    """When an id of this prefix was made, in milliseconds since 1970; None for what cannot be one."""
    text = value.removeprefix(prefix)
    if text == value or len(text) != 26 or text[0] > "7" or any(character not in _ALPHABET for character in text):
        return None
    made = 0
    for character in text[:10]:
        made = made << 5 | _ALPHABET.index(character)
    return made


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
