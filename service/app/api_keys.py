"""API keys: what applications present. Only an unbounded administrator handles them."""

from collections.abc import Sequence
from datetime import datetime

from service.app import credentials as secret
from service.app.clock import Clock, IdSource
from service.app.credentials import Credentials
from service.domain import ids
from service.domain.api_key import ApiKey
from service.domain.caller import GIVEN_SCOPES, Caller, Scope, not_found
from service.domain.errors import ArgumentError
from service.domain.expiry import check_expiry
from service.domain.naming import check_name
from service.storage import api_keys as table
from service.storage import credentials as credentials_table
from service.storage import directories, organizations
from service.storage.database import Pool
from service.storage.transaction import transaction

MAX_BOUNDS = 100


class ApiKeys:
    """Made, listed and revoked by administrators."""

    def __init__(self, pool: Pool, *, credentials: Credentials, new_ids: IdSource, clock: Clock) -> None:
        self._pool = pool
        self._credentials = credentials
        self._ids = new_ids
        self._clock = clock

    async def create(
        self,
        caller: Caller,
        *,
        name: str,
        scopes: Sequence[str],
        organization_ids: Sequence[str],
        directory_ids: Sequence[str],
        expires_at: datetime | None,
        membership_update_time: bool = False,
    ) -> tuple[ApiKey, str]:
        """A key and its secret. Bounds must name what exists."""
        caller.require_unbounded()
        now = self._clock.now()
        check_expiry(expires_at, now)
        made = secret.new_secret(secret.API_KEY_PREFIX)
        key = ApiKey(
            id=self._ids.new(ids.API_KEY),
            name=check_name(name),
            scopes=_scopes(scopes),
            organization_ids=_bound(organization_ids, "organization_ids"),
            directory_ids=_bound(directory_ids, "directory_ids"),
            suffix=secret.suffix(made),
            created_at=now,
            expires_at=expires_at,
            membership_update_time=membership_update_time,
        )
        async with transaction(self._pool) as connection:
            known = await organizations.known(connection, key.organization_ids)
            _check_known(key.organization_ids, known, "organization_ids")
            _check_known(key.directory_ids, await directories.known(connection, key.directory_ids), "directory_ids")
            await table.insert(connection, key, secret.digest(made))
        return key, made

    async def page(self, caller: Caller, after: str, limit: int) -> list[ApiKey]:
        """Keys behind an id, oldest first."""
        caller.require_unbounded()
        return await table.page(self._pool, after, limit)

    async def revoke(self, caller: Caller, key_id: str) -> ApiKey:
        """End a key at once. Ending it again changes nothing."""
        caller.require_unbounded()
        async with transaction(self._pool) as connection:
            revoked = await table.revoke(connection, key_id, self._clock.now())
            if revoked is None:
                raise not_found("ApiKey", key_id)
            await credentials_table.announce(connection, key_id)
        self._credentials.invalidate(key_id)
        return revoked


def _scopes(names: Sequence[str]) -> tuple[Scope, ...]:
    known = {scope.value for scope in GIVEN_SCOPES}
    if not names or not known.issuperset(names):
        raise ArgumentError(f"scopes holds one or more of: {', '.join(GIVEN_SCOPES)}", field="scopes")
    return tuple(scope for scope in GIVEN_SCOPES if scope in names)


def _bound(named: Sequence[str], field: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(named))
    if len(found) > MAX_BOUNDS:
        raise ArgumentError(f"{field} has more than {MAX_BOUNDS} entries", field=field)
    return found


def _check_known(named: Sequence[str], known: set[str], field: str) -> None:
    unknown = [name for name in named if name not in known]
    if unknown:
        raise ArgumentError(f"{field} names {unknown[0]!r}, which does not exist", field=field)
