"""Tokens of a directory: what its provider presents."""

from datetime import datetime

from service.app import credentials as secret
from service.app.clock import Clock
from service.app.credentials import Credentials
from service.app.directories import Directories
from service.app.eventlog import EventLog
from service.domain.caller import Caller, not_found
from service.domain.change import Change, ChangeType
from service.domain.directory import Directory, DirectoryToken
from service.domain.errors import LimitExceededError
from service.domain.expiry import check_expiry
from service.storage import credentials as credentials_table
from service.storage import directories, events
from service.storage import tokens as table
from service.storage.database import Connection, Pool
from service.storage.transaction import transaction

MAX_TOKENS = 100


class Tokens:
    """Made, listed and revoked by administrators."""

    def __init__(
        self, pool: Pool, *, log: EventLog, directories: Directories, credentials: Credentials, clock: Clock
    ) -> None:
        self._pool = pool
        self._log = log
        self._directories = directories
        self._credentials = credentials
        self._clock = clock

    async def create(
        self, caller: Caller, directory_id: str, expires_at: datetime | None, request_id: str
    ) -> tuple[DirectoryToken, str]:
        """One more token and its secret. Ended tokens make room for it, live ones do not."""
        now = self._clock.now()
        check_expiry(expires_at, now)
        await self._directories.require_reach(caller, directory_id)
        token, made = self._directories.new_token(directory_id, expires_at)
        async with transaction(self._pool) as connection:
            directory = await self._hold(connection, directory_id)
            if not await table.make_room(connection, directory_id, MAX_TOKENS, now):
                raise LimitExceededError(f"a directory has at most {MAX_TOKENS} tokens", limit="directory_tokens")
            await table.insert(connection, token, secret.digest(made))
            await self._append(connection, directory, Change(ChangeType.TOKEN_CREATED, token), request_id)
        self._log.committed()
        return token, made

    async def of_directory(self, caller: Caller, directory_id: str) -> list[DirectoryToken]:
        """All that are kept, oldest first."""
        await self._directories.reached(caller, directory_id)
        return await table.of_directory(self._pool, directory_id)

    async def revoke(self, caller: Caller, directory_id: str, token_id: str, request_id: str) -> DirectoryToken:
        """End a token at once. Ending it again changes nothing."""
        await self._directories.require_reach(caller, directory_id)
        async with transaction(self._pool) as connection:
            directory = await self._hold(connection, directory_id)
            revoked = await table.revoke(connection, directory_id, token_id, self._clock.now())
            if revoked is None:
                return await self._known(connection, directory_id, token_id)
            await self._append(connection, directory, Change(ChangeType.TOKEN_REVOKED, revoked), request_id)
            await credentials_table.announce(connection, token_id)
        self._credentials.invalidate(token_id)
        self._log.committed()
        return revoked

    async def _hold(self, connection: Connection, directory_id: str) -> Directory:
        locked = await directories.lock(connection, directory_id)
        if locked is None:
            raise not_found("Directory", directory_id)
        # The order of locks is the directory's row, then its head.
        await events.lock_head(connection, directory_id)
        return locked.directory

    async def _known(self, connection: Connection, directory_id: str, token_id: str) -> DirectoryToken:
        known = await table.get(connection, directory_id, token_id)
        if known is None:
            raise not_found("DirectoryToken", token_id)
        return known

    async def _append(self, connection: Connection, directory: Directory, change: Change, request_id: str) -> None:
        await self._log.append(connection, directory.id, directory.organization_id, [change], request_id)
