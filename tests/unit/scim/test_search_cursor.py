import re

import pytest

from service.scim.errors import InvalidCursor
from service.scim.search_cursor import Position, decode, encode

ASKED = ("directory_1", "1", 'title eq "x"', "userName", "False")


@pytest.mark.parametrize(
    "position",
    [
        Position("User", "directory_user_1", None, 7),
        Position("Group", "directory_group_1", "", 0),
        Position("User", "directory_user_1", "Ada Łovelace ÿ~/+=\n", 2**40),
    ],
)
def test_a_cursor_gives_its_position_back_and_needs_no_escaping(position: Position) -> None:
    cursor = encode(position, ASKED)
    assert re.fullmatch("[A-Za-z0-9_-]+", cursor)
    assert decode(cursor, ASKED) == position


@pytest.mark.parametrize("place", range(len(ASKED)))
def test_a_cursor_is_bound_to_what_was_asked(place: int) -> None:
    cursor = encode(Position("User", "directory_user_1", "k", 7), ASKED)
    other = [*ASKED[:place], ASKED[place] + "2", *ASKED[place + 1 :]]
    with pytest.raises(InvalidCursor):
        decode(cursor, other)


def test_what_was_asked_is_not_run_together() -> None:
    cursor = encode(Position("User", "u", None, 7), ("ab", "c"))
    with pytest.raises(InvalidCursor):
        decode(cursor, ("a", "bc"))


@pytest.mark.parametrize("text", ["x", "é", "a b", "AAAA", "A" * 20, "A" * 9_000, "=", "////", "\0"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        decode(text, ASKED)


def test_a_changed_or_cut_cursor_is_refused() -> None:
    cursor = encode(Position("User", "directory_user_1", "key", 7), ASKED)
    for place in range(len(cursor)):
        changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        with pytest.raises(InvalidCursor):
            decode(changed, ASKED)
        with pytest.raises(InvalidCursor):
            decode(cursor[:place], ASKED)
