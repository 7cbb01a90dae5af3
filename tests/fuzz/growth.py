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
_RATIO = 3.0


class Quadratic(AssertionError):
    """Doubling an input costs four times as much, at a size where it is felt."""


def check_growth(target: Target, data: bytes, random: Random, *, seconds: float) -> None:
    """Repeat a random part of the input ever more often. Raises Quadratic when that costs over `seconds` of CPU."""
    grown = _repeated(data, random)
    if grown is None:
        return
    times = [0, 8]
    costs: list[float] = []
    size = 0
    while size < LARGEST and (not costs or costs[-1] < 20 * seconds):
        times.append(times[-1] * 2)
        larger = grown(times[-1])
        if len(larger) <= size:
            return
        size = len(larger)
        costs.append(_cost(target, larger))
        if costs[-1] > seconds and _is_quadratic(costs):
            costs[-3:] = [min(_cost(target, grown(n)) for _ in range(3)) for n in times[-3:]]
            if costs[-1] > seconds and _is_quadratic(costs):
                rounded = [round(cost, 4) for cost in costs]
                raise Quadratic(f"{rounded} s of CPU for up to {size} bytes, like {grown(4)[:600]!r}")


def _is_quadratic(costs: list[float]) -> bool:
    return len(costs) > 2 and costs[-1] > _RATIO * costs[-2] and costs[-2] > _RATIO * costs[-3]


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
    many = random.sample(slots, min(len(slots), random.choice((1, 1, 2, 3))))
    originals = [container[key] for container, key in many]

    def grown(times: int) -> bytes:
        for (container, key), original in zip(many, originals, strict=True):
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
