"""What a provider sent and could not be understood, counted by kind. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from service.scim.documents import Diagnostic

MAX_LENGTH: Final = 200
"""Characters of a path or reason that are kept."""
_INDEX = re.compile(r"\[\d+\]")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"?')


@dataclass(frozen=True, slots=True)
class DiagnosticKind:
    """What makes two diagnostics of a directory the same."""

    directory_id: str
    resource_type: str
    path: str
    reason: str

    @staticmethod
    def of(directory_id: str, resource_type: str, found: Diagnostic) -> "DiagnosticKind":
        """Its kind: places in a list do not tell kinds apart, and what a path compares with is a value."""
        path = _QUOTED.sub('"…"', _INDEX.sub("", found.path))
        return DiagnosticKind(directory_id, resource_type, path[:MAX_LENGTH], found.reason[:MAX_LENGTH])


@dataclass(frozen=True, slots=True)
class DiagnosticCount:
    """How often a kind was seen, when first and last, and in which request last."""

    kind: DiagnosticKind
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    last_request_id: str

    def again(self, at: datetime, request_id: str) -> "DiagnosticCount":
        """Seen once more."""
        return DiagnosticCount(self.kind, self.count + 1, self.first_seen_at, at, request_id)
