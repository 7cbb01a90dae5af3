"""What may differ from directory to directory, and is set by its administrator. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from service.scim.dialects import dialect_for


class Deactivation(StrEnum):
    """What the application is told when a provider deactivates a user."""

    KEEP = "keep"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Policy:
    """Settings of a directory. Those that are None follow the provider.

    `deactivation`: `keep` announces an update and keeps the user as inactive; `delete` announces a deletion and shows
    the user to its provider only, until it is active again, which announces it as created, with its memberships.
    `announce_on_reactivation`: with `keep`, announce a user's memberships again when it becomes active.
    `unique_group_names`: refuse a second group of one displayName.
    `unique_emails`: refuse a second active user with one address.
    """

    deactivation: Deactivation = Deactivation.KEEP
    announce_on_reactivation: bool = False
    unique_group_names: bool | None = None
    unique_emails: bool = False

    def group_names_are_unique(self, provider: str) -> bool:
        """The setting, or what the provider needs."""
        if self.unique_group_names is not None:
            return self.unique_group_names
        return dialect_for(provider).unique_group_names

    def to_document(self) -> dict[str, Any]:
        """As stored: only what is set."""
        document: dict[str, Any] = {}
        if self.deactivation is not Deactivation.KEEP:
            document["deactivation"] = self.deactivation.value
        if self.announce_on_reactivation:
            document["announce_on_reactivation"] = True
        if self.unique_group_names is not None:
            document["unique_group_names"] = self.unique_group_names
        if self.unique_emails:
            document["unique_emails"] = True
        return document


def policy_of(document: Mapping[str, Any]) -> Policy:
    """A stored policy; what a newer release may have added is passed over."""
    return Policy(
        deactivation=Deactivation(document.get("deactivation", "keep")),
        announce_on_reactivation=document.get("announce_on_reactivation") is True,
        unique_group_names=document.get("unique_group_names"),
        unique_emails=document.get("unique_emails") is True,
    )
