"""The table `portal_link`: links, and the sessions of those that were opened."""

from datetime import datetime
from typing import Any

from service.domain.portal_link import PortalLink, PortalSession
from service.storage.database import Connection, Pool
from service.storage.queries import load_queries

SQL = load_queries("portal_links")


async def insert(connection: Connection, link: PortalLink, digest: bytes) -> None:
    """Store a new link of an organization that is held."""
    await connection.execute(
        SQL["insert"],
        link.id,
        link.organization_id,
        link.intent,
        link.return_url,
        link.success_url,
        link.external_user_id,
        list(link.it_contact_emails),
        digest,
        link.created_at,
        link.expires_at,
    )


async def redeem(
    connection: Connection, link_id: str, at: datetime, *, session_id: str, digest: bytes, until: datetime
) -> PortalSession | None:
    """Open a link, once; None when it cannot be opened any more."""
    row = await connection.fetchrow(SQL["redeem"], link_id, at, session_id, digest, until)
    return None if row is None else _session(row)


async def session(pool: Pool, session_id: str, at: datetime) -> PortalSession | None:
    """A session that is open."""
    row = await pool.fetchrow(SQL["session"], session_id, at)
    return None if row is None else _session(row)


async def revoke(connection: Connection, organization_id: str, external_user_id: str, at: datetime) -> list[str]:
    """End what is open of one person. Ids of what ended: of a session, or of a link that was not opened."""
    rows = await connection.fetch(SQL["revoke"], organization_id, external_user_id, at)
    return [row["session_id"] or row["id"] for row in rows]


async def delete_all(connection: Connection, organization_id: str) -> None:
    """Forget everything of an organization."""
    await connection.execute(SQL["delete_all"], organization_id)


async def forget(pool: Pool, until: datetime, chunk: int) -> None:
    """Forget links that expired by a time, `chunk` rows a transaction."""
    # An answer "DELETE 17" names the number of rows.
    while int((await pool.execute(SQL["forget"], until, chunk)).rpartition(" ")[2]) >= chunk:
        pass


def _session(row: Any) -> PortalSession:
    link = PortalLink(
        id=row["id"],
        organization_id=row["organization_id"],
        intent=row["intent"],
        return_url=row["return_url"],
        success_url=row["success_url"],
        external_user_id=row["external_user_id"],
        it_contact_emails=tuple(row["it_contact_emails"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        redeemed_at=row["redeemed_at"],
        revoked_at=row["revoked_at"],
    )
    return PortalSession(link, row["organization_name"], row["session_expires_at"])
