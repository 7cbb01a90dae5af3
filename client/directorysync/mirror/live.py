"""The mirror: a live local copy of directories."""

import asyncio
import json
import logging
import math
import os
import time
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from directorysync.client import Client
from directorysync.errors import CursorExpired, CursorInvalid, DirectorySyncError
from directorysync.mirror.changes import Changes
from directorysync.mirror.file import MirrorFile
from directorysync.mirror.follow import Follower
from directorysync.mirror.lookups import Held, Lookups, MirrorNotReady
from directorysync.v1.directory_sync_pb2 import ListEventsRequest, ListEventsResponse
from directorysync.v1.events_pb2 import Event, EventFilter

_log = logging.getLogger("directorysync.mirror")

_T = TypeVar("_T")


class MirrorClosed(RuntimeError):
    """The mirror was closed while something waited for it."""


@dataclass(frozen=True, slots=True)
class MirrorStatus:
    """How a mirror is.

    `staleness`: seconds since the service was last heard, infinite before; a healthy mirror hears it at least every
    `bookmark_interval`. `caught_up`: that message reached the newest event. `snapshots`: how often the whole state was
    loaded; `gaps`: how often because events were missing. `error`: what ended the following; the copy goes on
    answering. `file_error`: why the file is no longer written.
    """

    ready: bool
    caught_up: bool
    staleness: float
    directories: int
    users: int
    groups: int
    snapshots: int
    gaps: int
    error: DirectorySyncError | None
    file_error: Exception | None


class Mirror(Lookups):
    """A live copy of the directories named by id or by organization, of all that the key may watch when none is named.

    Memory holds what answers; with `path` a SQLite file holds it too, so that the next start needs no network and only
    fetches what it missed. The file is this mirror's alone. The key needs the scope `watch`.

        async with Mirror(client, path="directory.mirror") as mirror:
            for user in mirror.find_users(email="ada@example.com"):
                print(user.display_name, mirror.groups(user.id, effective=True))

    Loss of any kind is noticed and healed by a new snapshot, while the old copy goes on answering: an expired or
    diverged cursor, and a gap in the numbers of a directory's events.
    """

    def __init__(
        self,
        client: Client,
        *,
        directory_ids: Iterable[str] = (),
        organization_ids: Iterable[str] = (),
        path: str | os.PathLike[str] | None = None,
        bookmark_interval: float = 5.0,
    ) -> None:
        super().__init__(Held())
        self._client = client
        self._filter = EventFilter(directory_ids=sorted(directory_ids), organization_ids=sorted(organization_ids))
        self._path = None if path is None else Path(path)
        self._bookmark_interval = bookmark_interval
        self._file: MirrorFile | None = None
        self._follower: Follower | None = None
        self._task: asyncio.Task[None] | None = None
        self._error: DirectorySyncError | None = None

    async def start(self, timeout: float | None = None) -> None:
        """Returns once the copy answers: at once with a file that holds one, else after the first snapshot.

        TimeoutError after `timeout` seconds without; DirectorySyncError when the service refuses for good;
        MirrorFileError when the file cannot be used.
        """
        saved = None
        if self._path is not None:
            self._file, saved = await MirrorFile.open(self._path, self._scope())
        self._follower = Follower(
            self._client,
            self._filter,
            self.held,
            bookmark_interval=self._bookmark_interval,
            file=self._file,
            saved=saved,
        )
        self._task = asyncio.create_task(self._follow(self._follower), name="directorysync-mirror")
        try:
            async with asyncio.timeout(timeout):
                await self._unless_ended(self._follower.ready.wait())
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Ends the following; what came is written to the file. The copy goes on answering."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._follower is not None:
            self._follower.audience.end(None)
        if self._file is not None:
            await self._file.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def staleness(self) -> float:
        """Seconds since the service was last heard; infinite before."""
        return math.inf if self._follower is None else time.monotonic() - self._follower.progress.heard

    @property
    def caught_up(self) -> bool:
        """Whether the last message reached the newest event. How old that is, tells `staleness`."""
        return self._follower is not None and self._follower.at_head.is_set()

    def status(self) -> MirrorStatus:
        """Everything about it, for health checks and metrics."""
        state, progress = self.held.state, self._follower.progress if self._follower is not None else None
        return MirrorStatus(
            ready=state is not None,
            caught_up=self.caught_up,
            staleness=self.staleness,
            directories=len(state.directories) if state is not None else 0,
            users=len(state.users) if state is not None else 0,
            groups=len(state.groups) if state is not None else 0,
            snapshots=progress.snapshots if progress is not None else 0,
            gaps=progress.gaps if progress is not None else 0,
            error=self._error,
            file_error=self._file.error if self._file is not None else None,
        )

    async def wait_caught_up(self, timeout: float | None = None) -> None:
        """Returns once a message has reached the newest event. TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            await self._unless_ended(self._following().at_head.wait())

    async def wait_for_sequence(self, directory_id: str, sequence: int, timeout: float | None = None) -> None:
        """Returns once the copy holds the directory's events up to this number, without network. TimeoutError after
        `timeout` seconds; LookupError for a directory that this mirror is not of.
        """
        wanted = self._filter
        if wanted.directory_ids and directory_id not in wanted.directory_ids:
            raise LookupError(f"this mirror is not of {directory_id}")
        async with asyncio.timeout(timeout):
            await self._unless_ended(self._following().waiting.until(directory_id, sequence))

    async def wait_for(self, what: str | Event, timeout: float | None = None) -> None:
        """Read your writes: returns once the copy holds an event, or everything that a cursor covers, for example the
        one in the answer to a write. TimeoutError after `timeout` seconds; CursorInvalid, CursorDiverged for a cursor
        that is none of this service's.

        An event is waited for without network. What a cursor covers only the service knows, for its text may change
        with any release; so it is asked which event comes behind it, one short call or two.
        """
        async with asyncio.timeout(timeout):
            if isinstance(what, Event):
                await self.wait_for_sequence(what.directory_id, what.directory_sequence)
            elif what != self._following().progress.cursor:
                await self._wait_for_cursor(what)

    def changes(self) -> Changes:
        """What the copy takes in from now on, as it does: an async iterator of MirrorChange."""
        return self._following().audience.join()

    async def _wait_for_cursor(self, cursor: str) -> None:
        wanted = self._filter
        try:
            page = await self._page(wanted, cursor=cursor)
        except CursorInvalid as error:
            # A cursor of one directory says nothing about others; the service tells which one it is.
            if not (directory_id := error.metadata.get("directory_id", "")):
                raise
            wanted = EventFilter(directory_ids=[directory_id])
            page = await self._page(wanted, cursor=cursor)
        except CursorExpired:
            # Older than all that is kept: whatever reaches the newest event has passed it.
            await self.wait_caught_up()
            return
        if page.events:
            # In one directory the number ahead is covered. Across directories it may be any, so it is the next one.
            behind = len(wanted.directory_ids) == 1 and not wanted.organization_ids
            event = page.events[0]
            await self.wait_for_sequence(event.directory_id, event.directory_sequence - behind)
        elif newest := (await self._page(wanted, descending=True)).events:
            await self.wait_for_sequence(newest[0].directory_id, newest[0].directory_sequence)

    async def _page(self, wanted: EventFilter, *, cursor: str = "", descending: bool = False) -> ListEventsResponse:
        request = ListEventsRequest(filter=wanted, cursor=cursor, descending=descending, page_size=1, exact=True)
        return await self._client.sync.ListEvents(request)

    async def _follow(self, follower: Follower) -> None:
        try:
            await follower.run()
        except DirectorySyncError as error:
            self._error = error
            _log.error("the mirror follows no longer: %s", error)
            follower.audience.end(error)
            raise
        except Exception as error:
            _log.exception("the mirror follows no longer")
            follower.audience.end(error)
            raise

    async def _unless_ended(self, work: Coroutine[Any, Any, _T]) -> _T:
        """The result, or the error that ended the mirror first."""
        assert self._task is not None  # noqa: S101 (narrowing; every caller has a follower)
        waiting = asyncio.create_task(work)
        try:
            await asyncio.wait([waiting, self._task], return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return waiting.result()
        finally:
            waiting.cancel()
        with suppress(asyncio.CancelledError):
            self._task.result()
        raise MirrorClosed("the mirror was closed")

    def _following(self) -> Follower:
        if self._follower is None:
            raise MirrorNotReady("the mirror was not started")
        return self._follower

    def _scope(self) -> str:
        """Names in the file what it is a copy of."""
        return json.dumps([list(self._filter.directory_ids), list(self._filter.organization_ids)])
