"""The comparison that the recorded exchanges rest on notices what it must notice."""

from typing import Any

import pytest

from tests.support.matching import expand, faults


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ([1, 2], [1, 2]),
        ({"a": {"$any": True}}, {"a": False}),
        ({"a": {"$absent": True}}, {}),
        ({"$length": 2}, [1, 2]),
        ({"$regex": "[0-9]+"}, "17"),
        ({"$contains": [{"a": 2}]}, [{"a": 1}, {"a": 2}]),
        ({"$unordered": [2, 1]}, [1, 2]),
        ({"$keys": ["a"], "a": 1}, {"a": 1}),
        ("${name}", "ada"),
    ],
)
def test_what_is_as_expected(expected: Any, actual: Any) -> None:
    assert not faults(expected, actual, {"name": "ada"})


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"a": 1}, {"b": 1}),
        ({"a": True}, {"a": 1}),
        ({"a": 1}, {"a": True}),
        ({"a": "1"}, {"a": 1}),
        ({"a": None}, {}),
        ([1], [1, 2]),
        ([1, 2], [2, 1]),
        ({"a": {"$any": True}}, {"a": None}),
        ({"a": {"$any": True}}, {}),
        ({"a": {"$absent": True}}, {"a": None}),
        ({"$length": 2}, [1]),
        ({"$regex": "[0-9]+"}, "17 "),
        ({"$contains": [1, 1]}, [1, 2]),
        ({"$unordered": [1, 2]}, [1, 2, 3]),
        ({"$keys": ["a"]}, {"a": 1, "b": 2}),
        ({"$keys": ["a"], "a": 2}, {"a": 1}),
        ({"$capture": "id"}, ""),
        ("${name}", "bob"),
    ],
)
def test_what_is_not(expected: Any, actual: Any) -> None:
    assert faults(expected, actual, {"name": "ada"})


def test_what_is_captured_is_known_from_then_on() -> None:
    names: dict[str, str] = {"i": "1"}
    assert not faults({"id": {"$capture": "user${i}"}, "ref": "/Users/${user1}"}, {"id": "x", "ref": "/Users/x"}, names)
    assert expand(["${user${i}}", {"$repeat": 2, "$item": "n${i}"}], names) == ["x", "n1", "n2"]
    with pytest.raises(AssertionError, match="not captured"):
        expand("${nobody}", names)
