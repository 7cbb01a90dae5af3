import asyncio
import gc
from collections.abc import Mapping, Sequence

import pytest

from service.app.loading_cache import LoadingCache


class Source:
    """Knows the squares of numbers up to 99. Loads wait while `gate` is closed."""

    def __init__(self) -> None:
        self.loads: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.now = 0.0
        self.fail = False
        self.offset = 0

    async def load(self, keys: Sequence[int]) -> Mapping[int, int]:
        self.loads.append(list(keys))
        offset = self.offset
        await self.gate.wait()
        if self.fail:
            raise ConnectionError
        return {key: key * key + offset for key in keys if key < 100}

    def cache(self, size: int = 10) -> LoadingCache[int, int]:
        return LoadingCache(self.load, ttl=5, absent_ttl=1, size=size, monotonic=lambda: self.now)


async def test_values_are_loaded_once_until_they_are_old() -> None:
    source = Source()
    cache = source.cache()
    for moment, loads in ((0, 1), (4.9, 1), (5, 2)):
        source.now = moment
        assert await cache.get(3) == 9
        assert len(source.loads) == loads


async def test_absence_is_remembered_for_a_shorter_time() -> None:
    source = Source()
    cache = source.cache()
    for moment, loads in ((0, 1), (0.9, 1), (1, 2)):
        source.now = moment
        assert await cache.get(100) is None
        assert len(source.loads) == loads


async def test_callers_share_loads() -> None:
    source = Source()
    cache = source.cache()
    source.gate.clear()
    asked = [asyncio.create_task(cache.get(key)) for key in (1, 2, 1, 3, 2)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    late = asyncio.create_task(cache.get(1))
    await asyncio.sleep(0)
    source.gate.set()
    assert await asyncio.gather(*asked, late) == [1, 4, 1, 9, 4, 1]
    assert sorted(key for keys in source.loads for key in keys) == [1, 2, 3]


async def test_many_keys_share_a_load_and_only_what_is_lacking_is_loaded() -> None:
    source = Source()
    cache = source.cache()
    assert await cache.get(3) == 9
    assert await cache.get(100) is None
    source.loads.clear()
    assert await cache.get_many([1, 2, 3, 100, 101]) == {1: 1, 2: 4, 3: 9}
    assert source.loads == [[1, 2, 101]]
    assert await cache.get_many([3, 101]) == {3: 9}
    assert await cache.get_many([]) == {}
    assert source.loads == [[1, 2, 101]]


async def test_a_failed_load_of_many_fails_who_asked() -> None:
    source = Source()
    cache = source.cache()
    source.fail = True
    with pytest.raises(ConnectionError):
        await cache.get_many(range(1_200))
    source.fail = False
    assert len(await cache.get_many(range(1_200))) == 100


async def test_a_failed_load_fails_those_who_wait_and_is_forgotten() -> None:
    source = Source()
    cache = source.cache()
    source.fail = True
    answers = await asyncio.gather(cache.get(1), cache.get(2), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionError] * 2
    source.fail = False
    assert await cache.get(1) == 1


async def test_one_caller_going_away_does_not_harm_the_others() -> None:
    source = Source()
    cache = source.cache()
    source.gate.clear()
    first, second = asyncio.create_task(cache.get(1)), asyncio.create_task(cache.get(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    source.gate.set()
    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_what_was_loaded_before_a_change_is_not_kept_and_not_shared() -> None:
    source = Source()
    cache = source.cache()
    source.gate.clear()
    before = asyncio.create_task(cache.get(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    source.offset = 1000
    cache.forget(lambda _: True)
    after = asyncio.create_task(cache.get(1))
    await asyncio.sleep(0)
    source.gate.set()
    assert await after == 1001
    assert await before == 1
    assert await cache.get(1) == 1001


async def test_forgetting_is_selective() -> None:
    source = Source()
    cache = source.cache()
    assert [await cache.get(key) for key in (2, 3)] == [4, 9]
    cache.forget(lambda value: value == 4)
    source.offset = 1
    assert [await cache.get(key) for key in (2, 3)] == [5, 9]
    cache.clear()
    assert [await cache.get(key) for key in (2, 3)] == [5, 10]


async def test_it_is_bounded_and_absences_push_out_no_values() -> None:
    source = Source()
    cache = source.cache(size=3)
    for key in (1, 2, 3, *range(100, 120)):
        await cache.get(key)
    source.loads.clear()
    for key in (1, 2, 3):
        await cache.get(key)
    assert source.loads == []
    await cache.get(4)
    await cache.get(1)
    assert source.loads == [[4], [1]]


async def test_a_load_of_many_that_fails_is_told_once() -> None:
    source = Source()
    source.fail = True
    cache = source.cache()
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    with pytest.raises(ConnectionError):
        await cache.get_many(range(20))
    for _ in range(10):
        await asyncio.sleep(0)
    gc.collect()
    assert not reported
    source.fail = False
    assert await cache.get_many(range(3)) == {0: 0, 1: 1, 2: 4}
