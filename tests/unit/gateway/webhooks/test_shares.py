"""How dispatchers come to have equal parts."""

import pytest

from gateway.webhooks.shares import to_take_over


def held(**counts: int) -> dict[str, list[str]]:
    return {name: [f"{name}{number}" for number in range(count)] for name, count in counts.items()}


@pytest.mark.parametrize(
    ("counts", "taken"),
    [
        ({"a": 10}, {"a": 5}),
        ({"a": 1}, {}),
        ({"a": 3}, {}),
        ({"a": 100, "b": 100}, {"a": 20}),
        ({"a": 6, "b": 5, "me": 4}, {}),
        ({"a": 40, "b": 8, "me": 0}, {"a": 16}),
        ({}, {}),
    ],
)
def test_parts(counts: dict[str, int], taken: dict[str, int]) -> None:
    found = to_take_over(held(**counts), "me")
    assert len(found) == len(set(found))
    by_name = {name: sum(one.startswith(name) for one in found) for name in counts}
    assert {name: count for name, count in by_name.items() if count} == taken


def test_it_comes_to_rest() -> None:
    """Two dispatchers that look by turns end with equal parts, and then leave each other alone."""
    parts = held(a=101, b=0)
    for turn in range(20):
        me = "ab"[turn % 2]
        for endpoint in to_take_over(parts, me):
            for endpoints in parts.values():
                if endpoint in endpoints:
                    endpoints.remove(endpoint)
            parts[me].append(endpoint)
    assert abs(len(parts["a"]) - len(parts["b"])) <= 25
    assert not to_take_over(parts, "a")
    assert not to_take_over(parts, "b")
