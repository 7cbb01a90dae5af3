"""The promises about events, held against what a reader was given. A validator lists what breaks its promise."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from directorysync import Event

BEGINNING = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One batch or page. `start` is set on the first one of each call: the cursor that the reader began behind, or
    BEGINNING.
    """

    events: tuple[Event, ...]
    cursor: str
    start: str | None = None


@dataclass(slots=True)
class Recording:
    """Everything that one reader was given, from the beginning of the log, in order."""

    reader: str
    deliveries: list[Delivery] = field(default_factory=list)
    heads: dict[str, int] = field(default_factory=dict)
    """The largest number of each directory so far."""

    def add(self, delivery: Delivery) -> None:
        """The next one."""
        self.deliveries.append(delivery)
        for event in delivery.events:
            self.heads[event.directory_id] = max(self.heads.get(event.directory_id, 0), event.directory_sequence)

    def first_sights(self) -> list[Event]:
        """The events without those that came again."""
        seen: set[str] = set()
        found = []
        for delivery in self.deliveries:
            for event in delivery.events:
                if event.id not in seen:
                    seen.add(event.id)
                    found.append(event)
        return found

    def calls(self) -> Iterator[tuple[str, list[Delivery]]]:
        """Start and deliveries of each call."""
        call: list[Delivery] = []
        for delivery in self.deliveries:
            if delivery.start is not None and call:
                yield call[0].start or BEGINNING, call
                call = []
            call.append(delivery)
        if call:
            yield call[0].start or BEGINNING, call


def name(event: Event) -> str:
    """An event in a message for people."""
    return f"{event.directory_id} {event.directory_sequence} {event.type} ({event.id})"


@dataclass(frozen=True, slots=True)
class Ordered:
    """Numbers of a directory only grow within a call, and readers agree on the order across directories."""

    others: Sequence[Recording] = ()

    def faults(self, recording: Recording) -> list[str]:
        """What is wrong."""
        found = []
        for start, call in recording.calls():
            newest: dict[str, int] = defaultdict(int)
            for event in (event for delivery in call for event in delivery.events):
                if event.directory_sequence <= newest[event.directory_id]:
                    found.append(f"{name(event)} came behind {newest[event.directory_id]} in the call from {start!r}")
                newest[event.directory_id] = event.directory_sequence
        for other in self.others:
            found += self._disagreement(recording, other)
        return found

    @staticmethod
    def _disagreement(one: Recording, other: Recording) -> list[str]:
        ours, theirs = one.first_sights(), other.first_sights()
        shared = {event.id for event in ours} & {event.id for event in theirs}
        orders = [[event for event in events if event.id in shared] for events in (ours, theirs)]
        for mine, its in zip(*orders, strict=True):
            if mine.id != its.id:
                return [f"{one.reader} saw {name(mine)} where {other.reader} saw {name(its)}"]
        return []


@dataclass(frozen=True, slots=True)
class GapFree:
    """Each directory's events are numbered 1, 2, 3 …, and a number stands for one event."""

    def faults(self, recording: Recording) -> list[str]:
        """What is wrong."""
        found = []
        known: dict[tuple[str, int], str] = {}
        for event in recording.first_sights():
            place = (event.directory_id, event.directory_sequence)
            if place in known:
                found.append(f"{name(event)} has the number of {known[place]}")
            elif event.directory_sequence != 1 and (place[0], place[1] - 1) not in known:
                found.append(f"{name(event)} came without the one before it")
            known.setdefault(place, event.id)
        return found


@dataclass(frozen=True, slots=True)
class Atomic:
    """All events of a command arrive in one delivery, together, and the last one says that it is the last."""

    def faults(self, recording: Recording) -> list[str]:
        """What is wrong."""
        found = []
        whole: dict[str, list[str]] = {}
        for delivery in recording.deliveries:
            commands: dict[str, list[Event]] = defaultdict(list)
            for event, following in pairwise([*delivery.events, None]):
                assert event is not None
                commands[event.transaction_id].append(event)
                ends = following is None or following.transaction_id != event.transaction_id
                if ends != event.transaction_end:
                    found.append(f"{name(event)} says that it is {'' if event.transaction_end else 'not '}the last")
            for command, events in commands.items():
                ids = [event.id for event in events]
                if whole.setdefault(command, ids) != ids:
                    found.append(f"the command of {name(events[0])} came as {ids} and as {whole[command]}")
        return found


@dataclass(frozen=True, slots=True)
class Resumable:
    """A call behind a cursor goes on with exactly what followed it the first time, and then with the rest."""

    def faults(self, recording: Recording) -> list[str]:
        """What is wrong."""
        found = []
        history: list[str] = []
        covered = {BEGINNING: 0}
        for start, call in recording.calls():
            if start not in covered:
                found.append(f"{recording.reader} began behind {start!r}, which it was never given")
                continue
            place = covered[start]
            for delivery in call:
                for event in delivery.events:
                    if place == len(history):
                        history.append(event.id)
                    elif history[place] != event.id:
                        found.append(f"{name(event)} came in the call from {start!r} in the place of {history[place]}")
                    place += 1
                if covered.setdefault(delivery.cursor, place) != place:
                    found.append(f"the cursor {delivery.cursor!r} covers {covered[delivery.cursor]} events and {place}")
        return found


@dataclass(frozen=True, slots=True)
class Bookmarked:
    """A reader that waits is given newer cursors too, `least` of them or more; a call that begins behind one goes on
    with the event that followed it.
    """

    least: int = 1

    def faults(self, recording: Recording) -> list[str]:
        """What is wrong."""
        found = []
        history = [event.id for event in recording.first_sights()]
        places = {event_id: place for place, event_id in enumerate(history)}
        bookmarks: dict[str, int] = {}
        for start, call in recording.calls():
            reached = bookmarks.get(start)
            for delivery in call:
                for event in delivery.events:
                    place = places[event.id]
                    if reached is not None and place != reached:
                        found.append(f"{name(event)} came {place - reached} places off behind {start!r}")
                    reached = place + 1
                if not delivery.events and reached is not None:
                    bookmarks[delivery.cursor] = reached
        if len(bookmarks) < self.least:
            found.append(f"{recording.reader} was given {len(bookmarks)} bookmarks and not {self.least}")
        return found


@dataclass(frozen=True, slots=True)
class Complete:
    """Everything up to `heads` arrived, and each acknowledged write once, with the events it must have. A write is
    known by its request id.
    """

    heads: Mapping[str, int]
    acknowledged: Mapping[str, Sequence[str]]

    def faults(self, recording: Recording) -> list[str]:
        """What is wrong."""
        found = [
            f"{recording.reader} reached {recording.heads.get(directory, 0)} of the {number} events of {directory}"
            for directory, number in self.heads.items()
            if recording.heads.get(directory, 0) != number
        ]
        types: dict[str, list[str]] = defaultdict(list)
        for event in recording.first_sights():
            types[event.request_id].append(event.type)
        for request_id, wanted in self.acknowledged.items():
            if Counter(types[request_id]) != Counter(wanted):
                found.append(f"the write {request_id} was to cause {list(wanted)}, and caused {types[request_id]}")
        return found
