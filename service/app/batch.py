"""One batch inside its transaction: load, decide each command in memory, write, number the events."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from service.app.clock import Clock, IdSource
from service.app.eventlog import Encode
from service.domain import ids
from service.domain.caller import not_found
from service.domain.change import Event
from service.domain.commands import Command
from service.domain.decide import decide, guess_needs
from service.domain.decision import Decision, Outcome
from service.domain.errors import DirectorySyncError
from service.domain.history import History
from service.domain.log import number
from service.domain.needs import Missing, Needs
from service.domain.state import State
from service.domain.view import View
from service.domain.writes import Writes
from service.scim.errors import ScimError
from service.storage import batches
from service.storage.database import Connection

# A command that asks again and again for something it was given is a fault of ours, not of the caller.
_MAX_LOADS = 16


@dataclass(slots=True)
class Pending:
    """A command that waits for its commit. `size` is in bytes, of the document it came from."""

    directory_id: str
    command: Command
    request_id: str
    size: int
    answer: asyncio.Future[Outcome]


@dataclass(slots=True)
class Batch:
    """Commands, and after `run_batch` their results and events."""

    pending: Sequence[Pending]
    results: list[Outcome | Exception] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    history: History = field(default_factory=History)
    wrote: bool = False


async def run_batch(connection: Connection, batch: Batch, clock: Clock, new_ids: IdSource, encode: Encode) -> None:
    """Load, decide, write. An expected error belongs to its command alone; anything else fails the batch."""
    batch.results.clear()
    batch.events.clear()
    batch.history = History()
    needs = Needs()
    for pending in batch.pending:
        guess_needs(pending.directory_id, pending.command, needs)
    directories = sorted({pending.directory_id for pending in batch.pending})
    state = await batches.load(connection, None, directories, needs)
    at = clock.now()
    writes = Writes()
    for pending in batch.pending:
        try:
            decision = await _decide(connection, state, pending, at)
        except (ScimError, DirectorySyncError) as error:
            batch.results.append(error)
            continue
        batch.results.append(_record(batch, state, pending, decision, at, new_ids))
        writes.merge(decision.writes)
        state.apply(pending.directory_id, decision.writes)
    batch.wrote = bool(writes)
    if writes:
        payloads = [encode(event) for event in batch.events]
        await batches.write(connection, writes, batch.history, batch.events, payloads, at)


def _record(  # noqa: PLR0917 (all there is to know of one decided command)
    batch: Batch, state: State, pending: Pending, decision: Decision, at: datetime, new_ids: IdSource
) -> Outcome:
    """Number what the command changed behind what the batch numbered before it."""
    head = state.heads[pending.directory_id]
    if not decision.changes:
        batch.history.record(decision.writes, (), head.seq)
        return decision.outcome
    numbered = number(
        decision.changes,
        directory_id=head.directory_id,
        organization_id=head.organization_id,
        after_seq=head.seq,
        at=at,
        request_id=pending.request_id,
        new_event_id=lambda: new_ids.new(ids.EVENT),
        transaction_id=new_ids.new(ids.TRANSACTION),
    )
    state.heads[head.directory_id] = replace(head, seq=numbered[-1].seq)
    batch.events += numbered
    batch.history.record(decision.writes, numbered, numbered[-1].seq)
    return replace(decision.outcome, seq=numbered[-1].seq)


async def _decide(connection: Connection, state: State, pending: Pending, at: datetime) -> Decision:
    if pending.directory_id not in state.heads:
        raise not_found("Directory", pending.directory_id)
    view = View(state, pending.directory_id)
    for _ in range(_MAX_LOADS):
        try:
            return decide(view, pending.command, at)
        except Missing as missing:
            await batches.load(connection, state, (), missing.needs)
    raise RuntimeError("a command never had what it needs")
