"""The custom extension schemas of a directory, as its resources show them."""

from collections.abc import Mapping, Sequence

from service.app.clock import Clock
from service.app.loading_cache import LoadingCache
from service.domain.directory import Directory
from service.scim.custom_schemas import CustomSchemas, infer
from service.storage import custom_schemas as table
from service.storage.database import Pool

_TTL_SECONDS = 30.0
_CACHE_SIZE = 1_000
_DIRECTORIES_AT_ONCE = 8


class ExtensionSchemas:
    """Up to 30 s old: nobody waits for a schema, and clients ask for it before every synchronization."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._cache: LoadingCache[str, CustomSchemas] = LoadingCache(
            self._load,
            ttl=_TTL_SECONDS,
            absent_ttl=_TTL_SECONDS,
            size=_CACHE_SIZE,
            monotonic=clock.monotonic,
            batch=_DIRECTORIES_AT_ONCE,
        )

    async def of(self, directory: Directory) -> CustomSchemas:
        """What the directory's oldest and newest resources bear."""
        return await self._cache.get(directory.id) or CustomSchemas()

    async def _load(self, directory_ids: Sequence[str]) -> Mapping[str, CustomSchemas]:
        return {each: infer(await table.seen(self._pool, each)) for each in directory_ids}
