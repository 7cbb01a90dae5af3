"""Directories: made, changed, deleted, and found by what names them."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from service.app import credentials as secret
from service.app.clock import Clock, IdSource
from service.app.credentials import Credentials
from service.app.eventlog import EventLog
from service.app.loading_cache import LoadingCache
from service.domain import ids
from service.domain.caller import Caller, not_found
from service.domain.change import Change, ChangeType
from service.domain.directory import Directory, DirectoryState, DirectorySummary, DirectoryToken
from service.domain.errors import ScopeMissingError
from service.domain.life_cycle import changes_between
from service.domain.naming import check_name, check_provider, check_search
from service.domain.policy import Policy
from service.domain.stretch import Stretch
from service.scim.keys import fold
from service.storage import credentials as credentials_table
from service.storage import directories as table
from service.storage import events, organizations, tokens
from service.storage.credentials import CONNECTION_ERRORS
from service.storage.database import Connection, Pool
from service.storage.transaction import transaction
from service.telemetry import Telemetry

_TTL_SECONDS = 5.0
_ABSENT_TTL_SECONDS = 1.0
_CACHE_SIZE = 20_000
_PURGE_ROWS = 5_000
_PURGE_SECONDS = 3600.0
# Okta refuses a base URL with an underscore, and some clients change the case of one.
_KEY_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_KEY_LENGTH = 26


class Directories:
    """`run()` must be running: it ends deletions that were interrupted."""

    def __init__(
        self,
        pool: Pool,
        *,
        log: EventLog,
        credentials: Credentials,
        new_ids: IdSource,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._pool = pool
        self._log = log
        self._credentials = credentials
        self._ids = new_ids
        self._clock = clock
        self._telemetry = telemetry
        self._purges: set[asyncio.Task[None]] = set()
        self._cache: LoadingCache[str, Directory] = LoadingCache(
            lambda names: table.resolve(pool, names),
            ttl=_TTL_SECONDS,
            absent_ttl=_ABSENT_TTL_SECONDS,
            size=_CACHE_SIZE,
            monotonic=clock.monotonic,
        )
        credentials.follow(self._forget)

    async def find(self, name: str) -> Directory | None:
        """By id or SCIM key; up to 5 s old. None when there is none or it is deleted."""
        # One name that the database refuses would fail those that are loaded with it.
        return None if "\0" in name else await self._cache.get(name)

    async def find_many(self, names: set[str]) -> dict[str, Directory]:
        """As `find`, those that there are, under the name that was asked for."""
        return await self._cache.get_many(name for name in names if "\0" not in name)

    async def resolve(self, name: str) -> Directory:
        """As `find`, or NotFoundError."""
        found = await self.find(name)
        if found is None:
            raise not_found("Directory", name)
        return found

    async def reached(self, caller: Caller, directory_id: str) -> Directory:
        """As `resolve`, within the caller's bounds."""
        found = await self.resolve(directory_id)
        caller.require_reach("Directory", directory_id, found.id, found.organization_id)
        return found

    async def require_reach(self, caller: Caller, directory_id: str) -> None:
        """Raise NotFoundError for one out of reach. Asked before its row is locked, which would hold up others."""
        if not caller.unbounded:
            await self.reached(caller, directory_id)

    async def activate(self, directory: Directory, request_id: str) -> Directory:
        """Unlinked becomes linked, with one event however many ask at once. Returns the directory as it is then."""
        if directory.state is not DirectoryState.UNLINKED:
            return directory
        async with transaction(self._pool) as connection:
            linked = await table.link(connection, directory.id, self._clock.now())
            if linked is not None:
                change = Change(ChangeType.DIRECTORY_ACTIVATED, linked)
                await self._log.append(connection, linked.id, linked.organization_id, [change], request_id)
        self._forget(frozenset((directory.id,)))
        if linked is None:
            return await self.resolve(directory.id)
        self._log.committed()
        return linked

    async def create(
        self, caller: Caller, organization_id: str, *, name: str, provider: str, request_id: str
    ) -> tuple[Directory, DirectoryToken, str]:
        """A directory with its first token and the token's secret."""
        now = self._clock.now()
        directory = Directory(
            id=self._ids.new(ids.DIRECTORY),
            organization_id=organization_id,
            name=check_name(name),
            provider=check_provider(provider),
            state=DirectoryState.UNLINKED,
            scim_key="".join(secrets.choice(_KEY_ALPHABET) for _ in range(_KEY_LENGTH)),
            policy=Policy(),
            created_at=now,
            updated_at=now,
        )
        if caller.directory_ids:
            raise ScopeMissingError("this credential is bound to directories and cannot make another", scope="admin")
        caller.require_reach("Organization", organization_id, directory.id, organization_id)
        token, token_secret = self.new_token(directory.id, None)
        async with transaction(self._pool) as connection:
            if not await organizations.hold(connection, organization_id):
                raise not_found("Organization", organization_id)
            await table.insert(connection, directory)
            await events.new_head(connection, directory.id)
            await tokens.insert(connection, token, secret.digest(token_secret))
            change = Change(ChangeType.TOKEN_CREATED, token)
            await self._log.append(connection, directory.id, organization_id, [change], request_id)
        self._log.committed()
        return directory, token, token_secret

    def new_token(self, directory_id: str, expires_at: datetime | None) -> tuple[DirectoryToken, str]:
        """A token that is not stored yet, and its secret."""
        made = secret.new_secret(secret.TOKEN_PREFIX)
        token = DirectoryToken(
            id=self._ids.new(ids.TOKEN),
            directory_id=directory_id,
            suffix=secret.suffix(made),
            created_at=self._clock.now(),
            expires_at=expires_at,
        )
        return token, made

    async def get(self, caller: Caller, directory_id: str) -> DirectorySummary:
        """One directory with its counts, read now."""
        summary = await table.with_counts(self._pool, directory_id)
        if summary is None:
            raise not_found("Directory", directory_id)
        caller.require_reach("Directory", directory_id, directory_id, summary.directory.organization_id)
        return summary

    async def page(
        self, caller: Caller, organization_id: str, stretch: Stretch, *, search: str = ""
    ) -> list[DirectorySummary]:
        """Directories of a stretch, those whose name holds a text in any case."""
        folded = fold(check_search(search)) if search else None
        return await table.page(self._pool, caller, stretch, organization_id, folded)

    async def update(
        self,
        caller: Caller,
        directory_id: str,
        *,
        name: str | None,
        provider: str | None,
        disabled: bool | None,
        policy: Policy | None,
        request_id: str,
    ) -> DirectorySummary:
        """Change what is not None."""
        await self.require_reach(caller, directory_id)
        async with transaction(self._pool) as connection:
            locked = await table.lock(connection, directory_id)
            if locked is None:
                raise not_found("Directory", directory_id)
            before, sequence = locked.directory, locked.sequence
            after = replace(
                before,
                name=before.name if name is None else check_name(name),
                provider=before.provider if provider is None else check_provider(provider),
                state=_state(before.state, disabled, locked.linked_at),
                policy=policy or before.policy,
            )
            if after != before:
                after = replace(after, updated_at=self._clock.now())
                await table.update(connection, after)
                changes = changes_between(before, after)
                sequence = await self._log.append(connection, directory_id, after.organization_id, changes, request_id)
                await credentials_table.announce(connection, directory_id)
        self._forget(frozenset((directory_id,)))
        if sequence != locked.sequence:
            self._log.committed()
        return DirectorySummary(after, sequence)

    async def delete(self, caller: Caller, directory_id: str, request_id: str) -> None:
        """One event and the end of its tokens at once; its users and groups then go in steps, whatever their number."""
        await self.require_reach(caller, directory_id)
        async with transaction(self._pool) as connection:
            if not await self.bury(connection, [directory_id], request_id):
                raise not_found("Directory", directory_id)
        await self.buried([directory_id])

    async def bury(self, connection: Connection, directory_ids: Sequence[str], request_id: str) -> list[str]:
        """Within the caller's transaction: one event each and the end of their tokens. They are of one organization.

        Returns the ids of those that were not deleted yet: call `buried` with them after the commit.
        """
        now = self._clock.now()
        # The rows of all, then the heads of all, both by id: whoever else holds one of each took them in that order.
        gone = await table.bury(connection, directory_ids, now)
        if not gone:
            return []
        buried = [directory.id for directory in gone]
        await tokens.revoke_all(connection, buried, now)
        changes = {directory.id: [Change(ChangeType.DIRECTORY_DELETED, directory)] for directory in gone}
        await self._log.append_each(connection, gone[0].organization_id, changes, request_id)
        await credentials_table.announce(connection, *buried)
        return buried

    async def buried(self, directory_ids: Sequence[str]) -> None:
        """Let the deletion be known, and remove users and groups in steps, whatever their number."""
        self._credentials.invalidate(*directory_ids)
        self._log.committed()
        purge = asyncio.get_running_loop().create_task(self._purge(directory_ids))
        self._purges.add(purge)
        purge.add_done_callback(self._purges.discard)
        # The caller may go away; what is left then goes without it.
        await asyncio.shield(purge)

    async def run(self) -> None:
        """Until cancelled: removes what interrupted deletions left."""
        while True:
            try:
                for directory_id in await table.unpurged(self._pool):
                    await table.purge(self._pool, directory_id, _PURGE_ROWS)
            except CONNECTION_ERRORS as error:
                self._telemetry.storage_failed("directories.purge", error)
            await asyncio.sleep(_PURGE_SECONDS)

    async def _purge(self, directory_ids: Sequence[str]) -> None:
        try:
            for directory_id in directory_ids:
                await table.purge(self._pool, directory_id, _PURGE_ROWS)
        except CONNECTION_ERRORS as error:
            # They are deleted all the same; `run` removes the rest.
            self._telemetry.storage_failed("directories.purge", error)

    def _forget(self, changed: frozenset[str] | None) -> None:
        if changed is None:
            self._cache.clear()
        elif any(changed_id.startswith(ids.DIRECTORY) for changed_id in changed):
            self._cache.forget(lambda found: found.id in changed)


def _state(before: DirectoryState, disabled: bool | None, linked_at: datetime | None) -> DirectoryState:
    """A directory that is enabled again is linked if its provider ever reached it."""
    if disabled:
        return DirectoryState.DISABLED
    if disabled is False and before is DirectoryState.DISABLED:
        return DirectoryState.UNLINKED if linked_at is None else DirectoryState.LINKED
    return before
