"""Which endpoints a dispatcher takes from others, so that each has its part. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

_AT_ONCE: Final = 20


def to_take_over(held: Mapping[str, Sequence[str]], me: str) -> list[str]:
    """Ids of endpoints that others hold beyond their part. `held`: endpoints by dispatcher.

    Small differences stay: taking over makes a few deliveries come twice.
    """
    mine = len(held.get(me, ()))
    dispatchers = len({*held, me})
    fair = sum(map(len, held.values())) // dispatchers
    missing = fair - mine
    if missing <= max(1, fair // 5):
        return []
    taken: list[str] = []
    for _, endpoints in sorted(held.items(), key=lambda entry: -len(entry[1])):
        room = min(missing, _AT_ONCE) - len(taken)
        taken += endpoints[: max(0, min(room, len(endpoints) - fair))]
    return taken
