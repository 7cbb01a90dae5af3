"""Numbering: changes become events with their place in a directory's log. Pure; ids are passed in."""

from collections.abc import Callable, Sequence
from datetime import datetime

from service.domain.change import Change, Event


def number(
    changes: Sequence[Change],
    *,
    directory_id: str,
    organization_id: str,
    after_seq: int,
    at: datetime,
    request_id: str,
    new_event_id: Callable[[], str],
    transaction_id: str,
) -> list[Event]:
    """The events of one command, numbered from `after_seq` + 1; the last one ends the transaction."""
    last = len(changes) - 1
    return [
        Event(
            id=new_event_id(),
            change=change,
            directory_id=directory_id,
            organization_id=organization_id,
            seq=after_seq + 1 + index,
            created_at=at,
            transaction_id=transaction_id,
            transaction_end=index == last,
            request_id=request_id,
        )
        for index, change in enumerate(changes)
    ]
