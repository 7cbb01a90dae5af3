"""A validator that accepts everything proves nothing: each accepts a good recording and rejects its bad ones."""

import pytest

from directorysync import Event
from tests.support.validators import (
    BEGINNING,
    Atomic,
    Bookmarked,
    Complete,
    Delivery,
    GapFree,
    Ordered,
    Recording,
    Resumable,
)

CREATED, ADDED = "dsync.user.created", "dsync.group.user_added"


def event(directory: str, number: int, *, command: str = "", end: bool = True, kind: str = CREATED) -> Event:
    """The event of this number, of a command of its own unless one is named."""
    command = command or f"{directory}{number}"
    return Event(
        id=f"event_{directory}{number}",
        type=kind,
        directory_id=directory,
        directory_sequence=number,
        transaction_id=f"txn_{command}",
        transaction_end=end,
        request_id=f"req_{command}",
    )


def first(*events: Event, cursor: str = "c1") -> Delivery:
    return Delivery(events, cursor, start=BEGINNING)


def then(*events: Event, cursor: str = "c2") -> Delivery:
    return Delivery(events, cursor)


def resumed(start: str, *events: Event, cursor: str = "c2") -> Delivery:
    return Delivery(events, cursor, start)


def recording(*deliveries: Delivery) -> Recording:
    made = Recording("the reader")
    for delivery in deliveries:
        made.add(delivery)
    return made


A1, A2, A3 = event("a", 1), event("a", 2), event("a", 3)
B1, B2 = event("b", 1), event("b", 2)
C1, C2 = event("c", 1, command="pair", end=False, kind=ADDED), event("c", 2, command="pair", kind=ADDED)
TWIN = Event()
TWIN.CopyFrom(A2)
TWIN.id = "event_twin"

# From the beginning, a second time, and behind a cursor whose followers had come before.
GOOD = recording(
    first(cursor="c0"),
    then(A1, B1, cursor="c1"),
    resumed("c0", A1, B1, cursor="c1"),
    then(A2, C1, C2, cursor="c2"),
    then(cursor="c2"),
    resumed("c1", A2, C1, C2, B2, cursor="c3"),
    then(A3, cursor="c4"),
)
Validator = Ordered | GapFree | Atomic | Resumable | Bookmarked | Complete
HEADS = {"a": 3, "b": 2, "c": 2}
WRITES = {"req_a2": [CREATED], "req_pair": [ADDED, ADDED]}

BAD = [
    (Ordered(), "a smaller number within a call", [first(A1, A3), then(A2)]),
    (Ordered(), "an event twice within a call", [first(A1, A1)]),
    (Ordered([recording(first(B1, A1))]), "another order than another reader's", [first(A1, B1)]),
    (GapFree(), "a number missing", [first(A1, B1), then(A3)]),
    (GapFree(), "the beginning missing", [first(A2)]),
    (GapFree(), "a number given twice", [first(A1, A2, TWIN)]),
    (Atomic(), "a command in two deliveries", [first(C1), then(C2)]),
    (Atomic(), "a command inside another", [first(C1, A1, C2)]),
    (Atomic(), "a command without its end", [first(C1), then(A1)]),
    (Atomic(), "half a command after the whole", [first(C1, C2), resumed(BEGINNING, C2)]),
    (Resumable(), "an event skipped", [first(A1), then(A2, A3), resumed("c1", A3)]),
    (Resumable(), "an event from before the cursor", [first(A1), then(A2), resumed("c1", A1, A2)]),
    (Resumable(), "another event than before", [first(A1), then(A2), resumed("c1", TWIN)]),
    (Resumable(), "a cursor from nowhere", [first(A1), resumed("c7", A2)]),
    (Resumable(), "a cursor that moved", [first(A1), then(A2, cursor="c1")]),
    (Bookmarked(), "no bookmark at all", [first(A1), then(A2)]),
    (Bookmarked(), "an event skipped behind one", [first(A1), then(), then(A2, A3), resumed("c2", A3)]),
    (Bookmarked(), "an event that it covers", [first(A1), then(cursor="c1"), then(A2), resumed("c1", A1)]),
    (Complete({"a": 2}, {}), "an end never reached", [first(A1)]),
    (Complete({"a": 1}, {}), "more than there is", [first(A1, A2)]),
    (Complete({"a": 1}, {"req_a2": [CREATED]}), "a write lost", [first(A1)]),
    (Complete({"a": 2}, {"req_a2": [CREATED, CREATED]}), "a write lost by half", [first(A1, A2)]),
    (Complete({"a": 2}, {"req_a2": [ADDED]}), "a write that did something else", [first(A1, A2)]),
    (Complete({"a": 2}, {"req_a2": []}), "an event for nothing", [first(A1, A2)]),
]


@pytest.mark.parametrize(
    "validator",
    [Ordered([GOOD]), GapFree(), Atomic(), Resumable(), Bookmarked(), Complete(HEADS, WRITES)],
    ids=lambda validator: type(validator).__name__,
)
def test_good_recording_is_accepted(validator: Validator) -> None:
    assert validator.faults(GOOD) == []


@pytest.mark.parametrize(
    ("validator", "deliveries"),
    [pytest.param(one, bad, id=f"{type(one).__name__} rejects {what}") for one, what, bad in BAD],
)
def test_bad_recording_is_rejected(validator: Validator, deliveries: list[Delivery]) -> None:
    assert validator.faults(recording(*deliveries))
