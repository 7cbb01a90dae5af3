"""A cache that loads what it lacks, many keys at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Bounded(Generic[K, V]):
    """The newest `size` entries, each until its time."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.entries: dict[K, tuple[V, float]] = {}

    def put(self, key: K, value: V, until: float) -> None:
        self.entries.pop(key, None)
        self.entries[key] = (value, until)
        if len(self.entries) > self._size:
            # Dictionaries keep the order of insertion: the first entry is the oldest.
            del self.entries[next(iter(self.entries))]


class LoadingCache(Generic[K, V]):
    """Values by key. While one load runs, the keys asked for wait together and share the next one.

    So a flood of unknown keys costs one query at a time, however many callers send it. Absent keys are kept apart, so
    that they cannot push out good entries. `ttl` and `absent_ttl` are in seconds, `size` is entries of each kind.
    """

    def __init__(
        self,
        load: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]],
        *,
        ttl: float,
        absent_ttl: float,
        size: int,
        monotonic: Callable[[], float],
        batch: int = 500,
    ) -> None:
        self._load = load
        self._ttl = ttl
        self._absent_ttl = absent_ttl
        self._monotonic = monotonic
        self._batch = batch
        self._found: _Bounded[K, V] = _Bounded(size)
        self._absent: _Bounded[K, None] = _Bounded(size)
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._loading: dict[K, asyncio.Future[V | None]] = {}
        self._worker: asyncio.Task[None] | None = None
        self._generation = 0

    async def get(self, key: K) -> V | None:
        """The value, or None when there is none. Raises what the load raised."""
        known, value = self._known(key)
        return value if known else await asyncio.shield(self._join(key))

    async def get_many(self, keys: Iterable[K]) -> dict[K, V]:
        """As `get`: the values of those that there are. What is lacking is loaded together."""
        kept = {key: self._known(key) for key in keys}
        # All wait for the next load before the first is waited for.
        lacking = {key: self._join(key) for key, (known, _) in kept.items() if not known}
        loaded = await asyncio.gather(*[asyncio.shield(future) for future in lacking.values()])
        values = {key: value for key, (_, value) in kept.items()} | dict(zip(lacking, loaded, strict=True))
        return {key: value for key, value in values.items() if value is not None}

    def forget(self, matches: Callable[[V], bool]) -> None:
        """Drop the values that match and every absence; loads under way are not kept either."""
        self._generation += 1
        # Who asks from now on must not share a load that began before.
        self._loading = {}
        self._absent.entries.clear()
        for key in [key for key, (value, _) in self._found.entries.items() if matches(value)]:
            del self._found.entries[key]

    def clear(self) -> None:
        """Drop everything."""
        self.forget(lambda _: True)

    def _known(self, key: K) -> tuple[bool, V | None]:
        """Whether the cache can tell, and what."""
        now = self._monotonic()
        entry = self._found.entries.get(key)
        if entry is not None and entry[1] > now:
            return True, entry[0]
        absent = self._absent.entries.get(key)
        return absent is not None and absent[1] > now, None

    def _join(self, key: K) -> "asyncio.Future[V | None]":
        """What the next load will bring, or the one that runs, if it loads this key."""
        future = self._waiting.get(key) or self._loading.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
            if self._worker is None:
                self._worker = asyncio.get_running_loop().create_task(self._work())
        return future

    async def _work(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[: self._batch]
                batch = {key: self._waiting.pop(key) for key in keys}
                self._loading = batch
                await self._load_batch(batch)
        finally:
            self._worker = None

    async def _load_batch(self, batch: dict[K, asyncio.Future[V | None]]) -> None:
        generation = self._generation
        try:
            found = await self._load(list(batch))
        except Exception as error:
            for future in batch.values():
                future.set_exception(error)
                # Who asked may have gone; the exception is then nobody's.
                future.exception()
        else:
            self._keep(batch, found, keep=generation == self._generation)
        finally:
            self._loading = {}
            for future in batch.values():
                future.cancel()

    def _keep(self, batch: Mapping[K, asyncio.Future[V | None]], found: Mapping[K, V], *, keep: bool) -> None:
        now = self._monotonic()
        for key, future in batch.items():
            value = found.get(key)
            future.set_result(value)
            if keep and value is not None:
                self._absent.entries.pop(key, None)
                self._found.put(key, value, now + self._ttl)
            elif keep:
                self._found.entries.pop(key, None)
                self._absent.put(key, None, now + self._absent_ttl)
