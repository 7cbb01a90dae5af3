from service.app.tail_batches import Entry
from service.app.tail_ring import Ring


def entries(first: int, last: int, size: int = 10) -> list[Entry]:
    frame = b"x" * size
    return [Entry(place, "d", "o", place, "t", transaction_end=True, frame=frame) for place in range(first, last + 1)]


def test_the_newest_events_stay_and_the_floor_tells_what_went() -> None:
    ring = Ring(100, 1_000_000)
    for first in range(1, 1000, 7):
        ring.extend(entries(first, first + 6))
        held = [entry.place for entry in ring.behind(0)]
        assert held == list(range(ring.floor + 1, first + 7))
        assert len(held) <= 100
    assert len(ring) >= 90


def test_bytes_are_bounded_too_but_for_one_event() -> None:
    ring = Ring(100, 1_000)
    ring.extend(entries(1, 50, size=100))
    assert ring.bytes_held <= 1_000
    ring.extend(entries(51, 51, size=5_000))
    assert [entry.place for entry in ring.behind(0)] == [51]
    assert ring.floor == 50


def test_behind_a_position_that_has_no_event() -> None:
    ring = Ring(100, 1_000_000)
    ring.reset(5)
    ring.extend([*entries(10, 12), *entries(20, 22)])
    assert [entry.place for entry in ring.behind(15)] == [20, 21, 22]
    assert [entry.place for entry in ring.behind(21)] == [22]
    assert list(ring.behind(22)) == []
