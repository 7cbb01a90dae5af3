"""Links to the portal: made by the application, opened once by a customer's administrator, for one organization."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from service.app import credentials as secret
from service.app.clock import Clock, IdSource
from service.app.credentials import Credentials
from service.domain import ids
from service.domain.caller import Caller, not_found
from service.domain.errors import ScopeMissingError
from service.domain.portal_link import (
    SESSION_LIFE,
    PortalLink,
    PortalSession,
    check_contacts,
    check_intent,
    check_person,
    check_url,
    link_expiry,
)
from service.storage import credentials as credentials_table
from service.storage import organizations
from service.storage import portal_links as table
from service.storage.credentials import CONNECTION_ERRORS
from service.storage.database import Pool
from service.storage.transaction import transaction
from service.telemetry import Telemetry

# How long what has ended can still be looked at by an operator.
_KEPT = timedelta(days=30)
_FORGET_SECONDS = 3600.0
_FORGET_ROWS = 5_000


class PortalLinks:
    """`run()` must be running: it forgets what ended long ago."""

    def __init__(
        self, pool: Pool, *, credentials: Credentials, new_ids: IdSource, clock: Clock, telemetry: Telemetry
    ) -> None:
        self._pool = pool
        self._credentials = credentials
        self._ids = new_ids
        self._clock = clock
        self._telemetry = telemetry

    async def create(
        self,
        caller: Caller,
        organization_id: str,
        *,
        intent: str,
        return_url: str,
        success_url: str,
        external_user_id: str,
        it_contact_emails: Sequence[str],
        expires_at: datetime | None,
    ) -> tuple[PortalLink, str]:
        """A link and its secret."""
        now = self._clock.now()
        made = secret.new_secret(secret.SETUP_PREFIX)
        link = PortalLink(
            id=self._ids.new(ids.PORTAL_LINK),
            organization_id=organization_id,
            intent=check_intent(intent),
            return_url=check_url(return_url, "return_url"),
            success_url=check_url(success_url, "success_url"),
            external_user_id=check_person(external_user_id),
            it_contact_emails=check_contacts(it_contact_emails),
            created_at=now,
            expires_at=link_expiry(expires_at, now),
        )
        _require_organization(caller, organization_id)
        async with transaction(self._pool) as connection:
            if not await organizations.hold(connection, organization_id):
                raise not_found("Organization", organization_id)
            await table.insert(connection, link, secret.digest(made))
        return link, made

    async def redeem(self, caller: Caller) -> tuple[PortalSession, str]:
        """The session of a link that nobody opened before, and its secret. CredentialsInvalidError for any other."""
        if not caller.id.startswith(ids.PORTAL_LINK):
            raise secret.invalid()
        now = self._clock.now()
        made = secret.new_secret(secret.PORTAL_PREFIX)
        session_id = self._ids.new(ids.PORTAL_SESSION)
        async with transaction(self._pool) as connection:
            session = await table.redeem(
                connection,
                caller.id,
                now,
                session_id=session_id,
                digest=secret.digest(made),
                until=now + SESSION_LIFE,
            )
            if session is None:
                raise secret.invalid()
            await credentials_table.announce(connection, caller.id)
        self._credentials.invalidate(caller.id)
        return session, made

    async def session(self, caller: Caller) -> PortalSession:
        """The open session of the caller, or CredentialsInvalidError."""
        found = None
        if caller.id.startswith(ids.PORTAL_SESSION):
            found = await table.session(self._pool, caller.id, self._clock.now())
        if found is None:
            raise secret.invalid()
        return found

    async def revoke(self, caller: Caller, organization_id: str, external_user_id: str) -> int:
        """End at once what is open of one person; how many links and sessions that were."""
        check_person(external_user_id, needed=True)
        _require_organization(caller, organization_id)
        async with transaction(self._pool) as connection:
            if not await organizations.hold(connection, organization_id):
                raise not_found("Organization", organization_id)
            ended = await table.revoke(connection, organization_id, external_user_id, self._clock.now())
            await credentials_table.announce(connection, *ended)
        self._credentials.invalidate(*ended)
        return len(ended)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await table.forget(self._pool, self._clock.now() - _KEPT, _FORGET_ROWS)
            except CONNECTION_ERRORS as error:
                self._telemetry.storage_failed("portal_links.forget", error)
            await asyncio.sleep(_FORGET_SECONDS)


def _require_organization(caller: Caller, organization_id: str) -> None:
    """A portal sets up the whole organization: who may reach some of its directories only has no say in that."""
    if caller.directory_ids:
        raise ScopeMissingError("this credential is bound to directories and has no say in the portal", scope="admin")
    caller.require_reach("Organization", organization_id, "", organization_id)
