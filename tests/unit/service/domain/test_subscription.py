"""What one reader was sent and has acknowledged; and who sees which subscription."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.app.tail_scope import EventFilter
from service.domain.errors import ArgumentError, CursorInvalidError
from service.domain.subscription import Bounds, Window, check_subscription_name, reach_of


def window(place: int = 10, credit: int = 5, **before: int) -> Window:
    return Window(place, credit=credit, **before)


def sent(one: Window, *ends: int) -> Window:
    for end in ends:
        one.send(1, end, continues=False)
    return one


def test_credit_bounds_what_is_outstanding() -> None:
    one = sent(window(credit=3), 11, 12)
    assert one.fits(1)
    assert not one.fits(2)
    assert one.acknowledge(11) == 1
    assert one.fits(2)
    one.open(4)
    assert one.fits(6)


def test_a_large_command_is_sent_alone_and_to_its_end() -> None:
    one = sent(window(credit=3), 11)
    assert not one.fits(1_000)
    one.acknowledge(11)
    assert one.fits(1_000)
    one.send(1_000, 1_011, continues=True)
    assert one.inside
    assert one.fits(1_000)
    one.send(1_000, 2_011, continues=False)
    assert not one.fits(1)
    assert one.acknowledge(2_011) == 2_000
    assert one.outstanding == 0


def test_acknowledgements_are_cumulative_and_never_go_back() -> None:
    one = sent(window(), 11, 13, 17)
    assert one.acknowledge(13) == 2
    assert one.acknowledge(11) == 0
    assert one.acknowledge(13) == 0
    assert (one.acked, one.outstanding) == (13, 1)


@pytest.mark.parametrize("place", [12, 16, 18, 100])
def test_only_places_that_were_sent_can_be_acknowledged(place: int) -> None:
    one = sent(window(), 11, 13, 17)
    with pytest.raises(CursorInvalidError):
        one.acknowledge(place)


def test_inside_a_command_there_is_nothing_to_acknowledge() -> None:
    one = sent(window(), 11)
    one.send(3, 14, continues=True)
    with pytest.raises(CursorInvalidError):
        one.acknowledge(14)
    assert one.outstanding == 4


def test_bookmarks_can_be_acknowledged() -> None:
    one = window()
    one.bookmark(20)
    assert one.acknowledge(20) == 0
    sent(one, 25)
    one.bookmark(40)
    assert one.acknowledge(40) == 1
    assert (one.acked, one.outstanding) == (40, 0)


def test_a_bookmark_behind_events_is_not_before_them() -> None:
    one = sent(window(), 11)
    one.bookmark(15)
    sent(one, 16)
    assert one.acknowledge(15) == 1
    assert one.outstanding == 1


def test_rewinding_counts_what_comes_again_and_no_more() -> None:
    one = sent(window(), 11, 12, 13)
    assert (one.redelivered(11), one.attempts) == (0, 1)
    one.acknowledge(11)
    one.rewind()
    assert (one.outstanding, one.redelivered(12), one.redelivered(13), one.redelivered(14)) == (0, 1, 1, 0)
    with pytest.raises(CursorInvalidError):
        one.acknowledge(13)
    sent(one, 12)
    one.rewind()
    assert one.redelivered(12) == 2
    sent(one, 12, 13)
    one.acknowledge(13)
    assert (one.redelivered(14), one.attempts) == (0, 0)


def test_rewinding_with_nothing_outstanding_counts_nothing() -> None:
    one = sent(window(), 11)
    one.acknowledge(11)
    one.rewind()
    assert (one.redelivered(12), one.attempts) == (0, 0)


def test_a_new_reader_knows_what_was_sent_to_the_last_one() -> None:
    one = window(10, sent_before=12, redelivered=3)
    assert (one.redelivered(11), one.redelivered(12), one.redelivered(13)) == (3, 3, 0)
    assert sent(one, 11).attempts == 4
    assert window(10, sent_before=10, redelivered=3).redelivered(11) == 0


@pytest.mark.parametrize("credit", [0, -1, 10_001])
def test_credit_has_bounds(credit: int) -> None:
    with pytest.raises(ArgumentError):
        window(credit=credit)


def test_credit_cannot_be_opened_without_end() -> None:
    one = window(credit=9_999)
    for events in (2, 0, -1):
        with pytest.raises(ArgumentError):
            one.open(events)


_steps = st.lists(st.sampled_from(["send", "part", "mark", "ack", "rewind"]), max_size=60)


@given(_steps, st.data())
def test_whatever_happens_nothing_unsent_is_done_and_credit_holds(steps: Iterable[str], data: st.DataObject) -> None:
    one, place, given_out = window(0, credit=4), 0, [0]
    for step in steps:
        if step in ("send", "part"):
            count = data.draw(st.integers(1, 6))
            if one.fits(count):
                place += count
                one.send(count, place, continues=step == "part")
                if step == "send":
                    given_out.append(place)
        elif step == "mark" and not one.inside:
            place += 1
            one.bookmark(place)
            given_out.append(place)
        elif step == "ack":
            before, goal = one.acked, data.draw(st.sampled_from(given_out))
            one.acknowledge(goal)
            assert one.acked == max(before, goal)
        elif step == "rewind":
            one.rewind()
            place, given_out = one.acked, [one.acked]
        assert one.outstanding >= 0
        assert one.acked in given_out or one.acked < given_out[0]
        assert one.outstanding or one.fits(1)


@pytest.mark.parametrize(
    ("wanted", "maker", "looks", "seen"),
    [
        ({}, {}, {}, True),
        ({}, {}, {"organizations": "o1"}, False),
        ({}, {"organizations": "o1"}, {"organizations": "o1"}, True),
        ({}, {"organizations": "o1 o2"}, {"organizations": "o1"}, False),
        ({"directory_ids": ("d1",)}, {}, {"organizations": "o1"}, True),
        ({"directory_ids": ("d1", "d2")}, {}, {"organizations": "o1"}, False),
        ({"directory_ids": ("d1",)}, {}, {"directories": "d1 d9"}, True),
        ({"organization_ids": ("o1",)}, {}, {"directories": "d1"}, False),
        ({"organization_ids": ("o1",)}, {}, {"organizations": "o1 o3"}, True),
    ],
)
def test_who_is_bound_sees_what_lies_within_its_bounds(
    wanted: dict[str, tuple[str, ...]], maker: dict[str, str], looks: dict[str, str], seen: bool
) -> None:
    def bounds(given: dict[str, str]) -> Bounds:
        return Bounds(
            frozenset(given.get("organizations", "").split()), frozenset(given.get("directories", "").split())
        )

    reach = reach_of(EventFilter(**wanted), bounds(maker), {"d1": "o1", "d2": "o2"})
    assert bounds(looks).holds(reach) is seen


@pytest.mark.parametrize("name", ["", " ", "x" * 129, "subscription_01", "a\nb"])
def test_names_have_rules(name: str) -> None:
    with pytest.raises(ArgumentError):
        check_subscription_name(name)
