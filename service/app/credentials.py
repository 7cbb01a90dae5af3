"""Who presents which secret. Secrets are 256 random bits, so SHA-256 is all that their storage needs."""

import asyncio
import hashlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from service.app.clock import Clock, IdSource
from service.app.loading_cache import LoadingCache
from service.domain import ids
from service.domain.api_key import ApiKey
from service.domain.caller import Caller, Scope
from service.domain.errors import ArgumentError, CredentialsInvalidError
from service.storage import api_keys
from service.storage import credentials as table
from service.storage.credentials import CONNECTION_ERRORS, Credential, Key
from service.storage.database import Connection, Pool
from service.telemetry import Telemetry

API_KEY_PREFIX = "sk_"
TOKEN_PREFIX = "dst_"  # noqa: S105 (a prefix, no secret)
SETUP_PREFIX = "setup_"
PORTAL_PREFIX = "portal_"

_SHAPE = re.compile(r"(?:sk|dst|setup|portal)_[A-Za-z0-9_-]{43}")
_TTL_SECONDS = 5.0
_ABSENT_TTL_SECONDS = 1.0
_CACHE_SIZE = 10_000
_NOTE_SECONDS = 60.0
_FLUSH_SECONDS = 5.0
_RECONNECT_SECONDS = 1.0

Changed = Callable[[frozenset[str] | None], None]


def new_secret(prefix: str) -> str:
    """The prefix and 43 url-safe characters: 256 bits."""
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def suffix(secret: str) -> str:
    """What people tell secrets apart by."""
    return secret[-4:]


def invalid() -> CredentialsInvalidError:
    """The one wording for every refused credential: which of the reasons it was is not said."""
    return CredentialsInvalidError("the credential is unknown, revoked or expired")


class Credentials:
    """Authenticates secrets: API keys, tokens of directories, links to the portal and their sessions.

    `run()` must be running: it hears of revocations elsewhere and writes last-used times.
    """

    def __init__(self, pool: Pool, database_url: str, clock: Clock, telemetry: Telemetry) -> None:
        self._pool = pool
        self._database_url = database_url
        self._clock = clock
        self._telemetry = telemetry
        self._cache: LoadingCache[bytes, Credential] = LoadingCache(
            self._load, ttl=_TTL_SECONDS, absent_ttl=_ABSENT_TTL_SECONDS, size=_CACHE_SIZE, monotonic=clock.monotonic
        )
        self._live: LoadingCache[Key, str] = LoadingCache(
            self._load_live, ttl=_TTL_SECONDS, absent_ttl=_TTL_SECONDS, size=_CACHE_SIZE, monotonic=clock.monotonic
        )
        self._noted: dict[Key, float] = {}
        self._used: dict[Key, datetime] = {}
        self._followers: list[Changed] = []
        self._heard: set[str] = set()

    async def authenticate(self, secret: str) -> Caller:
        """The caller, or CredentialsInvalidError."""
        if not _SHAPE.fullmatch(secret):
            raise invalid()
        credential = await self._cache.get(digest(secret))
        if credential is None:
            raise invalid()
        if credential.expires_at is not None and credential.expires_at <= self._clock.now():
            raise invalid()
        if Scope.SETUP not in credential.caller.scopes:
            self._note(credential.key)
        return credential.caller

    async def still_valid(self, caller: Caller) -> bool:
        """Whether the credential of an open stream is neither revoked nor expired; up to 5 s old."""
        directory_id = next(iter(caller.directory_ids)) if caller.id.startswith(ids.TOKEN) else ""
        return await self._live.get((directory_id, caller.id)) is not None

    def follow(self, changed: Changed) -> None:
        """Call `changed` with the ids of keys, tokens and directories that changed; None: anything may have."""
        self._followers.append(changed)

    def invalidate(self, *changed_ids: str) -> None:
        """Forget keys, tokens, and all tokens of directories. Call it after the commit."""
        changed = frozenset(changed_ids)
        self._cache.forget(lambda found: not changed.isdisjoint(found.key))
        self._tell(changed)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._flush_used())

    async def flush(self) -> None:
        """Write what is known of last uses. What cannot be written waits."""
        used, self._used = self._used, {}
        if not used:
            return
        try:
            await table.touch(self._pool, used)
        except CONNECTION_ERRORS as error:
            self._telemetry.storage_failed("credentials.touch", error)
            if len(used) < _CACHE_SIZE:
                self._used = {**used, **self._used}

    def _note(self, key: Key) -> None:
        now = self._clock.monotonic()
        if now < self._noted.get(key, -_NOTE_SECONDS) + _NOTE_SECONDS:
            return
        if len(self._noted) >= _CACHE_SIZE:
            self._noted.clear()
        self._noted[key] = now
        self._used[key] = self._clock.now()

    async def _load(self, digests: Sequence[bytes]) -> Mapping[bytes, Credential]:
        return await table.by_digest(self._pool, digests, self._clock.now())

    async def _load_live(self, keys: Sequence[Key]) -> Mapping[Key, str]:
        found = await table.live(self._pool, keys, self._clock.now())
        return {key: key[1] for key in keys if key[1] in found}

    def _forget_all(self) -> None:
        self._cache.clear()
        self._tell(None)

    def _tell(self, changed: frozenset[str] | None) -> None:
        # Ids are few and cheap to load again.
        self._live.clear()
        for follower in self._followers:
            follower(changed)

    def _hear(self, changed_id: str) -> None:
        # What one transaction announced arrives together, an organization's thousand directories too: the caches are
        # gone through once for all of it.
        if not self._heard:
            asyncio.get_running_loop().call_soon(self._take_heard)
        self._heard.add(changed_id)

    def _take_heard(self) -> None:
        heard, self._heard = self._heard, set()
        self.invalidate(*heard)

    async def _listen(self) -> None:
        while True:
            try:
                # What changed while nobody listened is unknown, hence the empty cache at both ends.
                await table.listen(self._database_url, self._forget_all, self._hear)
            except CONNECTION_ERRORS as error:
                self._telemetry.storage_failed("credentials.listen", error)
            self._forget_all()
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _flush_used(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            await self.flush()


async def ensure_admin_key(connection: Connection, secret: str, *, new_ids: IdSource, clock: Clock) -> ApiKey:
    """The unbounded admin key with this secret, made if it is new. It may have been revoked since: see `revoked_at`."""
    if not secret.startswith(API_KEY_PREFIX) or not _SHAPE.fullmatch(secret):
        raise ArgumentError("an API key is `sk_` and 43 letters, digits, `-` or `_`", field="api_key")
    key = ApiKey(
        id=new_ids.new(ids.API_KEY),
        name="admin",
        scopes=(Scope.ADMIN,),
        organization_ids=(),
        directory_ids=(),
        suffix=suffix(secret),
        created_at=clock.now(),
    )
    await api_keys.insert_missing(connection, key, digest(secret))
    stored = await api_keys.by_digest(connection, digest(secret))
    return stored or key
