"""Readers of the log that record what they are given. Each begins at the oldest event."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Protocol

from directorysync import Client, EventFilter, WatchStart, errors
from directorysync.v1 import directory_sync_pb2 as sync_pb2
from tests.support.server import RunningServe
from tests.support.validators import BEGINNING, Atomic, Complete, Delivery, GapFree, Ordered, Recording, Resumable
from tests.support.writers import Writers

PATIENCE_SECONDS = 120.0


class Reader(Protocol):
    """Something that reads until it is cancelled."""

    recording: Recording
    directory_ids: Sequence[str]

    async def run(self) -> None:
        """Until cancelled."""


class Watcher:
    """Watches with the client, which resumes by itself: `directory_ids`, or all; at `address` instead of the server's
    own; with `others`, each life at the next server; `batch` events at a time.

    With `forgets` it loses its memory after each so many batches, as a process that is killed: it begins again behind
    the last cursor that it stored, which is not yet that of the batch it was busy with.
    """

    def __init__(
        self,
        server: RunningServe,
        name: str,
        directory_ids: Sequence[str] = (),
        *,
        forgets: int | None = None,
        batch: int = 0,
        address: str | None = None,
        others: Sequence[RunningServe] = (),
    ) -> None:
        self.recording = Recording(name)
        self.directory_ids = directory_ids
        self._servers = itertools.cycle([server, *others])
        self._forgets = forgets
        self._batch = batch
        self._address = address
        self._stored = BEGINNING

    async def run(self) -> None:
        """Until cancelled."""
        for server in self._servers:
            async with Client.connect(self._address or server.grpc_address, server.api_key) as client:
                await self._one_life(client)

    async def _one_life(self, client: Client) -> None:
        start: str | None = self._stored
        position = WatchStart(cursor=start) if start else WatchStart(beginning=WatchStart.Beginning())
        full = 0
        batches = client.watch(
            filter=EventFilter(directory_ids=self.directory_ids),
            start=position,
            max_batch_size=self._batch,
            bookmark_interval=2,
        )
        async with aclosing(batches):
            async for batch in batches:
                self.recording.add(Delivery(batch.events, batch.cursor, start))
                start = None
                full += bool(batch.events)
                if self._forgets and full == self._forgets:
                    return
                self._stored = batch.cursor


class Poller:
    """Asks for one page after the other, each behind the cursor of the one before."""

    def __init__(self, server: RunningServe, name: str) -> None:
        self.recording = Recording(name)
        self.directory_ids: Sequence[str] = ()
        self._server = server

    async def run(self) -> None:
        """Until cancelled."""
        cursor = BEGINNING
        async with self._server.client() as client:
            while True:
                try:
                    page = await client.sync.ListEvents(sync_pb2.ListEventsRequest(cursor=cursor, page_size=50))
                except (errors.Unavailable, errors.DeadlineExceeded):
                    await asyncio.sleep(0.2)
                    continue
                self.recording.add(Delivery(tuple(page.events), page.cursor, cursor))
                cursor = page.cursor
                if not page.more:
                    await asyncio.sleep(0.1)


class Watching:
    """Readers at work."""

    def __init__(self, readers: Sequence[Reader]) -> None:
        self._readers = readers
        self._tasks = [asyncio.create_task(reader.run()) for reader in readers]

    async def until(self, heads: Mapping[str, int]) -> None:
        """Wait until each has what it reads of the events up to these numbers."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while any(self._behind(reader, heads) for reader in self._readers):
                self.check()
                await asyncio.sleep(0.05)

    async def progress(self) -> None:
        """Wait until each has got events that are new to it."""
        before = [sum(reader.recording.heads.values()) for reader in self._readers]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while any(
                sum(reader.recording.heads.values()) <= count
                for reader, count in zip(self._readers, before, strict=True)
            ):
                self.check()
                await asyncio.sleep(0.05)

    def broken_promises(self, heads: Mapping[str, int], writers: Writers) -> list[str]:
        """What any reader was given that it should not, or not given that it should. `heads` of directories in which
        nobody writes any more.
        """
        recordings = [reader.recording for reader in self._readers]
        found = []
        for reader in self._readers:
            mine = {one: head for one, head in heads.items() if one in (reader.directory_ids or heads)}
            complete = Complete(mine, writers.acknowledged(mine))
            for promise in (Ordered(recordings), GapFree(), Atomic(), Resumable(), complete):
                faults = promise.faults(reader.recording)
                found += [f"{reader.recording.reader}: {type(promise).__name__}: {fault}" for fault in faults[:5]]
        return found

    @staticmethod
    def _behind(reader: Reader, heads: Mapping[str, int]) -> bool:
        reached = reader.recording.heads
        return any(reached.get(one, 0) < heads[one] for one in reader.directory_ids or heads)

    def check(self) -> None:
        """Raises what ended a reader."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def end(self) -> None:
        """Stop reading."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)


@asynccontextmanager
async def watching(*readers: Reader) -> AsyncIterator[Watching]:
    """Readers at work while the block lasts."""
    at_work = Watching(readers)
    try:
        yield at_work
        at_work.check()
    finally:
        await at_work.end()
