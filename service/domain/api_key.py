"""An API key: what an application presents. Values only."""

from dataclasses import dataclass
from datetime import datetime

from service.domain.caller import Scope


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret. Empty bounds mean no bound. `membership_update_time`: see Caller."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    organization_ids: tuple[str, ...]
    directory_ids: tuple[str, ...]
    suffix: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    membership_update_time: bool = False
