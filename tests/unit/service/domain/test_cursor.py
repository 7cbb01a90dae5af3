from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.cursor import (
    Cursor,
    DirectoryCursor,
    FeedCursor,
    decode,
    directory_cursor,
    encode,
    feed_cursor,
    require_scope,
)
from service.domain.errors import CursorInvalidError

numbers = st.integers(0, (1 << 63) - 1)
texts = st.text(st.characters(codec="ascii", categories=("L", "N")), max_size=64)
cursors: st.SearchStrategy[Cursor] = st.one_of(
    st.builds(
        FeedCursor,
        texts,
        st.dictionaries(st.integers(2, 99), numbers, max_size=15).flatmap(
            lambda others: numbers.map(lambda position: {1: position, **others})
        ),
    ),
    st.builds(DirectoryCursor, texts, texts, numbers, st.none() | st.dates(date(1, 1, 2))),
)


@given(cursors)
def test_what_was_given_out_is_understood(cursor: Cursor) -> None:
    token = encode(cursor)
    assert decode(token) == cursor
    assert token.replace("-", "").replace("_", "").isalnum()


@given(cursors, st.data())
def test_a_token_that_was_changed_is_refused(cursor: Cursor, data: st.DataObject) -> None:
    token = encode(cursor)
    place = data.draw(st.integers(0, len(token) - 2))
    other = data.draw(st.sampled_from("AbC019-_").filter(lambda letter: letter != token[place]))
    for changed in (token[:place] + other + token[place + 1 :], token[:place], token + "AAAA", token[4:]):
        with pytest.raises(CursorInvalidError):
            decode(changed)


@given(st.text(max_size=600))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(CursorInvalidError):
        decode(text)


@pytest.mark.parametrize(
    "token", ["", "=", "A===", "ä" * 20, feed_cursor("0" * 16, 7) + "\n", " " + feed_cursor("0", 7)]
)
def test_near_misses_are_refused(token: str) -> None:
    with pytest.raises(CursorInvalidError):
        decode(token)


def test_a_directory_cursor_opens_exactly_its_directory() -> None:
    cursor = decode(directory_cursor("0" * 16, "directory_1", 5, date(2026, 1, 1)))
    require_scope(cursor, frozenset({"directory_1"}))
    for scope in (None, frozenset({"directory_2"}), frozenset({"directory_1", "directory_2"})):
        with pytest.raises(CursorInvalidError, match="one directory") as refused:
            require_scope(cursor, scope)
        # As errors.proto says.
        assert refused.value.metadata == {"directory_id": "directory_1"}


def test_a_feed_cursor_opens_every_scope() -> None:
    cursor = decode(feed_cursor("0" * 16, 5))
    for scope in (None, frozenset({"directory_2"}), frozenset({"directory_1", "directory_2"})):
        require_scope(cursor, scope)


def test_a_day_without_a_day_before_it_is_refused() -> None:
    with pytest.raises(CursorInvalidError):
        decode(directory_cursor("0" * 16, "d", 7, date.min))
