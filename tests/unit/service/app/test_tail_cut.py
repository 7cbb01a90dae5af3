"""Batches cut from a page that came in one piece are those that a Packer makes of its events."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from service.app.tail_batches import FULL_BATCH_BYTES, Batch, Packer, cut

# Commands as the lengths of their events' frames; 0 is an event that the reader does not want.
LENGTHS = st.one_of(st.just(0), st.integers(1, 40), st.sampled_from([FULL_BATCH_BYTES - 1, FULL_BATCH_BYTES + 1]))
COMMANDS = st.lists(st.lists(LENGTHS, min_size=1, max_size=6), max_size=12)


def packed(start: int, limit: int, end: int, events: list[tuple[int, bool, int]], body: bytes) -> list[Batch]:
    packer, at, batches = Packer(start, limit), 0, []
    for place, ends, size in events:
        if place > end:
            break
        batches += packer.add(place, body[at : at + size] if size else None, ends=ends)
        at += size
    packer.advance(end)
    return [*batches, *packer.flush()]


@settings(deadline=None)
@given(COMMANDS, st.integers(1, 8), st.integers(0, 3), st.integers(0, 3), st.booleans())
def test_cut_agrees_with_the_packer(
    commands: list[list[int]], limit: int, start: int, behind: int, unfinished: bool
) -> None:
    flat = [(size, index == len(command) - 1) for command in commands for index, size in enumerate(command)]
    events = [(start + 1 + index, ends, size) for index, (size, ends) in enumerate(flat)]
    whole = events[-1][0] if events else start
    if unfinished:
        events += [(whole + 1, False, 7), (whole + 2, False, 7)]
    end = whole if unfinished else whole + behind
    length = sum(size for _, _, size in events)
    body = (bytes(range(251)) * (length // 251 + 1))[:length]
    assert cut(start, limit, end, events, body) == [replace(batch) for batch in packed(start, limit, end, events, body)]
