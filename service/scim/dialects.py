"""What providers do differently, as data.

Most leniencies are always on, because one tenant may mix dialects (row E22) and none of them can be mistaken for
another request: attribute aliases stand in the schema tables (``Attribute.aliases``), attributes written without their
URN in ``schema.BARE_EXTENSION_ATTRIBUTES``, and the tables below. A ``Dialect`` holds only what would change the
meaning of a request that another provider also sends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SERIALIZED_VALUES: Final = frozenset({"roles"})
"""Attributes whose ``value`` may be a serialized JSON object (Microsoft Entra ID app roles, row E10)."""

TRUE_WORDS: Final = frozenset({"true", "1", "yes", "y", "active", "enabled"})
FALSE_WORDS: Final = frozenset({"false", "0", "no", "n", "inactive", "disabled"})
"""Strings that stand for booleans in any case (Entra row E02, OneLogin templates row L01)."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The policy of one provider.

    ``unique_group_names``: two groups of a directory may not share a display name. Entra finds groups by display name
    and stops when it finds two, so a second one is refused. SAP (row A01) and authentik (row K06) send a group again
    after a reset, and take over the one they find by its display name only when they are told of the conflict.
    """

    provider: str
    unique_group_names: bool = False


_DIALECTS: Mapping[str, Dialect] = {
    provider: Dialect(provider, unique_group_names=True) for provider in ("authentik", "entra", "sap")
}


def dialect_for(provider: str) -> Dialect:
    """The dialect of a provider by its short name, such as ``okta``; unknown names get the plain one."""
    return _DIALECTS.get(provider.lower()) or Dialect(provider.lower())
