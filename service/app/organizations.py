"""Organizations: the companies whose directories these are."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from service.app.clock import Clock, IdSource
from service.app.directories import Directories
from service.domain import ids
from service.domain.caller import Caller, not_found
from service.domain.errors import AlreadyExistsError, ArgumentError
from service.domain.naming import check_external_id, check_name, check_search
from service.domain.organization import (
    MAX_DOMAINS,
    Organization,
    OrganizationDomain,
    check_domain,
    check_domains,
    with_metadata,
)
from service.domain.stretch import Stretch
from service.scim.keys import fold
from service.storage import directories, portal_links
from service.storage import organizations as table
from service.storage.database import Pool
from service.storage.organizations import DOMAIN_CONSTRAINT, EXTERNAL_ID_CONSTRAINT
from service.storage.transaction import transaction
from service.storage.violations import broken_constraint

# Domains as they are asked for: the name and whether it is verified.
Domains = Sequence[tuple[str, bool]]

_DIRECTORIES_AT_ONCE = 1_000


class Organizations:
    """Made, listed, changed and deleted by administrators."""

    def __init__(self, pool: Pool, *, directories: Directories, new_ids: IdSource, clock: Clock) -> None:
        self._pool = pool
        self._directories = directories
        self._ids = new_ids
        self._clock = clock

    async def create(
        self, caller: Caller, *, name: str, external_id: str, domains: Domains, metadata: Mapping[str, str]
    ) -> Organization:
        """Needs an unbounded administrator: a bounded one could not reach what it made."""
        caller.require_unbounded()
        now = self._clock.now()
        organization_id = self._ids.new(ids.ORGANIZATION)
        organization = Organization(
            id=organization_id,
            name=check_name(name),
            external_id=check_external_id(external_id),
            created_at=now,
            updated_at=now,
            domains=self._domains(organization_id, (), check_domains(domains), now),
            metadata=with_metadata({}, metadata),
        )
        with _taken():
            async with transaction(self._pool) as connection:
                await table.insert(connection, organization)
        return organization

    async def get(self, caller: Caller, key: str, value: str) -> Organization:
        """By one of its keys: `id`, `external_id`, or `domain_id`, the id of one of its domains."""
        found = await table.get(self._pool, caller, key, value)
        if found is None:
            raise not_found("OrganizationDomain" if key == "domain_id" else "Organization", value)
        return found

    async def page(
        self, caller: Caller, stretch: Stretch, *, name: str, search: str, domains: Sequence[str]
    ) -> list[Organization]:
        """Organizations of a stretch that have this name, this text in it, one of these domains; empty is any."""
        if len(domains) > MAX_DOMAINS:
            raise ArgumentError(f"domains has more than {MAX_DOMAINS} entries", field="domains")
        return await table.page(
            self._pool,
            caller,
            stretch,
            name=check_name(name) if name else None,
            search=fold(check_search(search)) if search else None,
            domains=[check_domain(domain) for domain in domains],
        )

    async def update(
        self,
        caller: Caller,
        organization_id: str,
        *,
        name: str | None,
        external_id: str | None,
        domains: Domains | None,
        metadata: Mapping[str, str],
        added: Domains = (),
        removed: frozenset[str] = frozenset(),
    ) -> Organization:
        """Change what is not None; a domain that is there already keeps its id. `metadata`: see `with_metadata`.
        `added` and `removed` (ids) change single domains, whatever others change at the same time.

        Needs an unbounded administrator: whose a domain is, is nothing that a bounded one may find out or settle.
        """
        caller.require_unbounded()
        wanted = None if domains is None else check_domains(domains)
        more = check_domains(added)
        now = self._clock.now()
        with _taken():
            async with transaction(self._pool) as connection:
                before = await table.lock(connection, organization_id)
                if before is None:
                    raise not_found("Organization", organization_id)
                after = replace(
                    before,
                    name=before.name if name is None else check_name(name),
                    external_id=before.external_id if external_id is None else check_external_id(external_id),
                    domains=self._domains(
                        organization_id, before.domains, _wanted(before.domains, wanted, more, removed), now
                    ),
                    metadata=with_metadata(before.metadata, metadata),
                )
                if after != before:
                    after = replace(after, updated_at=now)
                    await table.update(connection, before, after)
        return after

    async def delete(self, caller: Caller, organization_id: str, *, force: bool, request_id: str) -> None:
        """Without force only one without directories: it is not worth a customer's data gone by a slip.

        With force its directories are deleted in the same transaction. Beyond `_DIRECTORIES_AT_ONCE` of them it takes
        several; where that is cut off, the organization is still there, and the same call again goes on.
        """
        caller.require_unbounded()
        at_once = _DIRECTORIES_AT_ONCE if force else 0
        ended = False
        while not ended:
            async with transaction(self._pool) as connection:
                # Held, it gets no more directories.
                if await table.lock(connection, organization_id) is None:
                    raise not_found("Organization", organization_id)
                first = await directories.first_of_organization(connection, organization_id, at_once)
                buried = await self._directories.bury(connection, first, request_id)
                ended = not await table.count_directories(connection, organization_id)
                if ended:
                    await portal_links.delete_all(connection, organization_id)
                    await table.bury(connection, organization_id, self._clock.now())
                elif not force:
                    detail = "the organization still has directories; delete them first, or with force all together"
                    raise ArgumentError(detail, field="id")
            if buried:
                await self._directories.buried(buried)

    def _domains(
        self, organization_id: str, before: Sequence[OrganizationDomain], wanted: Mapping[str, bool], now: datetime
    ) -> tuple[OrganizationDomain, ...]:
        kept = [
            domain
            if wanted[domain.domain] == domain.verified
            else replace(domain, verified=wanted[domain.domain], updated_at=now)
            for domain in before
            if domain.domain in wanted
        ]
        known = {domain.domain for domain in kept}
        new = [
            OrganizationDomain(self._ids.new(ids.ORGANIZATION_DOMAIN), organization_id, name, verified, now, now)
            for name, verified in wanted.items()
            if name not in known
        ]
        return (*kept, *new)


def _wanted(
    before: Sequence[OrganizationDomain],
    wanted: Mapping[str, bool] | None,
    added: Mapping[str, bool],
    removed: frozenset[str],
) -> Mapping[str, bool]:
    if wanted is None:
        wanted = {domain.domain: domain.verified for domain in before}
    gone = {domain.domain for domain in before if domain.id in removed}
    kept = {name: verified for name, verified in wanted.items() if name not in gone}
    return check_domains({**added, **kept}.items())


@contextlib.contextmanager
def _taken() -> Iterator[None]:
    external_id = AlreadyExistsError("another organization has this external_id", field="external_id")
    domain = AlreadyExistsError("another organization has one of these domains", field="domains")
    with broken_constraint(EXTERNAL_ID_CONSTRAINT, external_id), broken_constraint(DOMAIN_CONSTRAINT, domain):
        yield
