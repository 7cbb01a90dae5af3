"""Batches: every event once and in order, commands whole, cursors only at the ends of commands."""

from hypothesis import given
from hypothesis import strategies as st

from service.app.tail_batches import FULL_BATCH_BYTES, WHOLE_COMMAND_BYTES, WHOLE_COMMAND_EVENTS, Batch, Packer

# A command: for each event whether it is wanted. Places may have holes before a command.
commands = st.lists(
    st.tuples(st.integers(0, 3), st.lists(st.booleans(), min_size=1, max_size=12)), min_size=1, max_size=30
)


def pack(run: list[tuple[int, list[bool]]], limit: int, flushes: set[int]) -> tuple[list[Batch], list[bytes], set[int]]:
    packer, place = Packer(0, limit), 0
    batches: list[Batch] = []
    wanted, ends = [], {0}
    for hole, events in run:
        place += hole
        for index, want in enumerate(events):
            place += 1
            frame = b"%d;" % place if want else None
            if want:
                wanted.append(b"%d;" % place)
            last = index == len(events) - 1
            batches += packer.add(place, frame, ends=last)
            if last:
                ends.add(place)
            if place in flushes:
                batches += packer.flush()
    return [*batches, *packer.flush()], wanted, ends


@given(commands, st.integers(1, 10), st.sets(st.integers(1, 100)))
def test_whole_commands_in_order_and_each_event_once(
    run: list[tuple[int, list[bool]]], limit: int, flushes: set[int]
) -> None:
    batches, wanted, ends = pack(run, limit, flushes)
    assert b"".join(batch.body for batch in batches) == b"".join(wanted)
    sizes = [sum(events) for _, events in run]
    for before, batch in zip([None, *batches], batches, strict=False):
        assert batch.start == (before.end if before else 0)
        assert batch.start < batch.first <= batch.end
        assert batch.cursor == batch.end
        assert batch.end in ends
        assert not batch.continues
        assert 0 < batch.count <= max(limit, *sizes)


def test_a_command_of_a_thousand_is_whole_and_one_more_parts_it() -> None:
    for count, parts in ((WHOLE_COMMAND_EVENTS, [False]), (WHOLE_COMMAND_EVENTS + 1, [True, False])):
        packer, batches = Packer(5, 10), []
        for place in range(6, 6 + count):
            batches += packer.add(place, b"x", ends=place == 5 + count)
        assert [batch.continues for batch in batches] == parts
        assert [batch.cursor for batch in batches] == [5] * (len(parts) - 1) + [5 + count]


def test_a_command_is_parted_before_it_exceeds_what_clients_take() -> None:
    packer, batches = Packer(0, 1000), []
    for place in range(1, 41):
        batches += packer.add(place, b"x" * 200_000, ends=place == 40)
    assert len(batches) == 3
    assert all(len(batch.body) <= WHOLE_COMMAND_BYTES for batch in batches)
    assert [batch.continues for batch in batches] == [True, True, False]


def test_full_batches_do_not_wait() -> None:
    packer = Packer(0, 1000)
    batches = [
        batch for place in range(1, 11) for batch in packer.add(place, b"x" * (FULL_BATCH_BYTES // 2), ends=True)
    ]
    assert [batch.count for batch in batches] == [2] * 5


def test_what_was_begun_is_ended_though_nothing_more_is_wanted() -> None:
    packer, batches = Packer(0, 10), []
    for place in range(1, WHOLE_COMMAND_EVENTS + 2):
        batches += packer.add(place, b"x", ends=False)
    batches += packer.add(WHOLE_COMMAND_EVENTS + 2, None, ends=False)
    batches += packer.add(WHOLE_COMMAND_EVENTS + 3, None, ends=True)
    assert [(batch.count, batch.continues) for batch in batches] == [(WHOLE_COMMAND_EVENTS, True), (1, False)]
    assert batches[-1].cursor == WHOLE_COMMAND_EVENTS + 3


def test_a_reader_inside_a_command_goes_on_with_it() -> None:
    packer = Packer(1003, 10, whole=3)
    assert packer.inside
    batches = [batch for place in range(1004, 1010) for batch in packer.add(place, b"x", ends=place == 1009)]
    assert [(batch.start, batch.count, batch.cursor, batch.continues) for batch in batches] == [(1003, 6, 1009, False)]
