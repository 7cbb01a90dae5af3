"""Types of events. A filter may name any, also those of releases to come; one that nobody knows is mostly a slip, and
would wait for ever.
"""

import difflib
import sys
from collections.abc import Iterable

KNOWN = (
    "dsync.activated",
    "dsync.updated",
    "dsync.disabled",
    "dsync.restored",
    "dsync.deleted",
    "dsync.user.created",
    "dsync.user.updated",
    "dsync.user.deleted",
    "dsync.group.created",
    "dsync.group.updated",
    "dsync.group.deleted",
    "dsync.group.user_added",
    "dsync.group.user_removed",
    "dsync.group.group_added",
    "dsync.group.group_removed",
    "dsync.token.created",
    "dsync.token.revoked",
    "webhook_endpoint.disabled",
)
"""Those of this release."""


def warn_if_unknown(types: Iterable[str] | None) -> None:
    """One line on standard error for each type or prefix (`dsync.user.*`) that chooses no event of this release."""
    for wanted in types or ():
        if wanted in KNOWN or (wanted.endswith("*") and any(name.startswith(wanted[:-1]) for name in KNOWN)):
            continue
        near = difflib.get_close_matches(wanted, KNOWN, n=1)
        question = f" Did you mean `{near[0]}`?" if near else ""
        print(f"dirsync: no event of this release has the type `{wanted}`.{question}", file=sys.stderr)
