"""Whether the cost of an input grows as its square when a part of it is repeated."""

import json
from collections.abc import Callable
from random import Random
from time import process_time
from typing import Any

from tests.fuzz.mutations import places
from tests.fuzz.targets import Target

LARGEST = 256 * 1024
"""Bytes of the largest input that is tried."""
_RATIO = 1.5


class Quadratic(AssertionError):
    """Doubling an input costs four times as much, at a size where it is felt."""


def check_growth(target: Target, data: bytes, random: Random, *, seconds: float) -> None:
    """Repeat a random part of the input ever more often. Raises Quadratic when that costs over `seconds` of CPU."""
    grown = _repeated(data, random)
    if grown is None:
        return
    times = 8
    tried: list[bytes] = []
    costs: list[float] = []
    while not tried or (len(tried[-1]) < LARGEST and costs[-1] < 20 * seconds):
        times *= 2
        larger = grown(times)
        if tried and len(larger) <= len(tried[-1]):
            return
        tried.append(larger)
        costs.append(_cost(target, larger))
        if costs[-1] > seconds and _is_quadratic(tried, costs):
            costs[-3:] = [min(_cost(target, data) for _ in range(3)) for data in tried[-3:]]
            if costs[-1] > seconds and _is_quadratic(tried, costs):
                seen = [(len(data), round(cost, 4)) for data, cost in zip(tried, costs, strict=True)]
                raise Quadratic(f"(bytes, seconds of CPU): {seen}, like {grown(4)[:600]!r}")


def _is_quadratic(tried: list[bytes], costs: list[float]) -> bool:
    """Whether the cost of a byte grew by half, twice in a row; doubled sizes at four times the cost double it."""
    if len(costs) < 3:
        return False
    rates = [cost / len(data) for data, cost in zip(tried[-3:], costs[-3:], strict=True)]
    return rates[2] > _RATIO * rates[1] and rates[1] > _RATIO * rates[0]


def _cost(target: Target, data: bytes) -> float:
    begin = process_time()
    target(data)
    return process_time() - begin


def _repeated(data: bytes, random: Random) -> Callable[[int], bytes] | None:
    try:
        root = json.loads(data)
    except (ValueError, RecursionError):
        return _repeated_bytes(data, random)
    slots = places(root)
    if not slots:
        return _repeated_bytes(data, random)
    container, _ = random.choice(slots)
    # Neighbours: were one inside the other, doubling both would make four times as much.
    beside = [key for holder, key in slots if holder is container]
    originals = {key: container[key] for key in random.sample(beside, min(len(beside), random.choice((1, 1, 2, 3))))}

    def grown(times: int) -> bytes:
        for key, original in originals.items():
            container[key] = _grown(original, times)
        return json.dumps(root).encode()

    return grown


def _grown(value: Any, times: int) -> Any:
    if isinstance(value, list):
        return value * times
    if isinstance(value, dict):
        return {f"{name}{index or ''}": inner for index in range(times) for name, inner in value.items()}
    if isinstance(value, str):
        return value * times
    return [value] * times


def _repeated_bytes(data: bytes, random: Random) -> Callable[[int], bytes] | None:
    if not data:
        return None
    begin, end = sorted((random.randrange(len(data)), random.randint(1, len(data))))
    glue = random.choice((b"", b"", b" ", b" or ", b" and ", b"."))
    piece = data[begin:end] or data
    return lambda times: data[:begin] + glue.join([piece] * times) + data[end:]
