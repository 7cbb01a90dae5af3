"""Organizations: the companies whose directories these are."""

from service.app.clock import Clock, IdSource
from service.domain import ids
from service.domain.caller import Caller, not_found
from service.domain.directory import Organization
from service.domain.errors import AlreadyExistsError, ArgumentError
from service.domain.naming import check_external_id, check_name
from service.storage import organizations as table
from service.storage.database import Pool
from service.storage.organizations import EXTERNAL_ID_CONSTRAINT
from service.storage.transaction import transaction
from service.storage.violations import broken_constraint


class Organizations:
    """Made, listed and deleted by administrators."""

    def __init__(self, pool: Pool, *, new_ids: IdSource, clock: Clock) -> None:
        self._pool = pool
        self._ids = new_ids
        self._clock = clock

    async def create(self, caller: Caller, name: str, external_id: str) -> Organization:
        """Needs an unbounded administrator: a bounded one could not reach what it made."""
        caller.require_unbounded()
        now = self._clock.now()
        organization = Organization(
            id=self._ids.new(ids.ORGANIZATION),
            name=check_name(name),
            external_id=check_external_id(external_id),
            created_at=now,
            updated_at=now,
        )
        taken = AlreadyExistsError("another organization has this external_id", field="external_id")
        with broken_constraint(EXTERNAL_ID_CONSTRAINT, taken):
            await table.insert(self._pool, organization)
        return organization

    async def get(self, caller: Caller, *, organization_id: str, external_id: str) -> Organization:
        """By one of the two keys."""
        if not organization_id and not external_id:
            raise ArgumentError("id or external_id is needed", field="key")
        found = await table.get(self._pool, caller, id=organization_id, external_id=external_id)
        if found is None:
            raise not_found("Organization", organization_id or external_id)
        return found

    async def page(self, caller: Caller, name: str, after: str, limit: int) -> list[Organization]:
        """Organizations behind an id, oldest first; an empty name is any name."""
        return await table.page(self._pool, caller, after, limit, name)

    async def delete(self, caller: Caller, organization_id: str) -> None:
        """Only one without directories: an organization is not worth a customer's data gone by a slip."""
        caller.require_unbounded()
        async with transaction(self._pool) as connection:
            if not await table.lock(connection, organization_id):
                raise not_found("Organization", organization_id)
            if await table.count_directories(connection, organization_id):
                raise ArgumentError("the organization still has directories; delete them first", field="id")
            await table.bury(connection, organization_id, self._clock.now())
