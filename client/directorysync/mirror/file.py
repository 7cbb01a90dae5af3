"""The durable side of a mirror: one SQLite file, written behind the copy in memory, in its order.

Each message of the stream is one transaction of rows and cursor together, a whole snapshot is one too. So a process
that is killed anywhere leaves a consistent copy with the cursor that continues it.
"""

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from google.protobuf.message import DecodeError

from directorysync.mirror.state import Row, State
from directorysync.v1.resources_pb2 import DirectoryGroup, DirectoryUser

_log = logging.getLogger("directorysync.mirror")

_APPLICATION: Final = 0x44535943
# Where SQLite's file format has it.
_APPLICATION_AT: Final = 68
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_FORMAT: Final = 1
# Transactions that wait to be written. A part of a snapshot is about a megabyte.
_MOST_WAITING: Final = 16

_T = TypeVar("_T")


def _statements() -> dict[str, str]:
    text = resources.files("directorysync.mirror").joinpath("file.sql").read_text(encoding="utf-8")
    blocks = (block.partition("\n") for block in text.split("-- name: ")[1:])
    return {name.strip(): _without_comments(body) for name, _, body in blocks}


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))


SQL: Final = _statements()


class MirrorFileError(OSError):
    """The file cannot be a mirror's: it is in use, cannot be written, or holds something else. It is left as it is."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What a file held. `heard`: when its last message came, in seconds since 1970."""

    state: State
    cursor: str
    heard: float


class Database:
    """The file, for one thread. Raises sqlite3.Error."""

    def __init__(self, path: Path, scope: str) -> None:
        self._path = path
        self._scope = scope
        try:
            self._connection = self._connect()
        except sqlite3.DatabaseError as error:
            # One that another mirror has open says so before it is read.
            if getattr(error, "sqlite_errorcode", None) not in _DAMAGED or not _made_here(path):
                raise
            self._connection = self._anew(error)

    def load(self) -> Saved | None:
        """None when it holds no whole copy of this scope. A damaged one is made anew: it is only a copy."""
        try:
            return self._load()
        except (sqlite3.DatabaseError, DecodeError) as error:
            self.close()
            self._connection = self._anew(error)
        return None

    def save(self, rows: Sequence[Row], cursor: str, heard: float) -> None:
        """One transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        self.add(rows)
        self.commit(cursor, heard)

    def begin(self) -> None:
        """A snapshot, which takes the place of everything once it is committed."""
        self.rollback()
        self._connection.execute("BEGIN IMMEDIATE")
        for statement in SQL["clear"].split(";"):
            self._connection.execute(statement)

    def add(self, rows: Iterable[Row]) -> None:
        """To the transaction that is open."""
        for name, several in groupby(rows, itemgetter(0)):
            self._connection.executemany(SQL[name], [values for _, values in several])

    def commit(self, cursor: str, heard: float) -> None:
        """The copy reaches to the cursor."""
        self._connection.execute(SQL["put_mirror"], (self._scope, cursor, heard))
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """Forget what is not committed."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Forgets what is not committed."""
        self._connection.close()

    def _anew(self, error: Exception) -> sqlite3.Connection:
        _log.warning("the mirror's file is damaged (%s) and is made anew", type(error).__name__)
        # The log first: one that is left behind would be taken for that of the next file.
        for suffix in ("-wal", "-shm", ""):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=0, isolation_level=None)
        try:
            # Two mirrors in one file would undo each other.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._adopt(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA journal_size_limit = 67108864")
            if connection.execute("PRAGMA user_version").fetchone() != (_FORMAT,):
                self._create(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _adopt(self, connection: sqlite3.Connection) -> None:
        """A file that was not made here may be precious."""
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        if application == _APPLICATION:
            return
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application or tables:
            raise sqlite3.NotSupportedError("it is a database of something else")
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")

    def _create(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in tables:
            connection.execute(f'DROP TABLE "{name}"')
        for statement in SQL["schema"].split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_FORMAT}")
        connection.execute("COMMIT")

    def _load(self) -> Saved | None:
        found = self._connection.execute(SQL["mirror"]).fetchone()
        if found is None or found[0] != self._scope:
            return None
        state, ignored = State(), list[Row]()
        for directory_id, sequence, data in self._connection.execute(SQL["directories"]):
            state.sequences[directory_id] = sequence
            if data is not None:
                state.directories[directory_id] = data
        for (data,) in self._connection.execute(SQL["groups"]):
            state.put_group(DirectoryGroup.FromString(data), ignored)
            ignored.clear()
        for (data,) in self._connection.execute(SQL["users"]):
            state.put_user(DirectoryUser.FromString(data), ignored)
            ignored.clear()
        for group_id, member_id in self._connection.execute(SQL["memberships"]):
            state.link(group_id, member_id, ignored)
            ignored.clear()
        return Saved(state, found[1], found[2])


def _made_here(path: Path) -> bool:
    """Whether the head of a file that cannot be opened says that it was a mirror's."""
    with path.open("rb") as file:
        head = file.read(_APPLICATION_AT + 4)
    return int.from_bytes(head[_APPLICATION_AT:]) == _APPLICATION


class MirrorFile:
    """A Database on a thread of its own. What is given to it is written later, in order; a failure ends the writing
    with the last whole transaction, and is kept in `error`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error: Exception | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="directorysync-mirror")
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._database: Database | None = None

    @classmethod
    async def open(cls, path: Path, scope: str) -> tuple[Self, Saved | None]:
        """The file, made where there is none, and the copy in it. MirrorFileError when it cannot be used."""
        file = cls(path)

        def begin() -> Saved | None:
            file._database = Database(path, scope)
            return file._database.load()

        try:
            return file, await file._in_thread(begin)
        except (sqlite3.Error, OSError) as error:
            await file.close()
            busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
            why = "it is locked, as the file of another mirror that is open" if busy else str(error)
            raise MirrorFileError(f"{path} cannot hold a mirror: {why}") from error

    async def save(self, rows: Sequence[Row], cursor: str, heard: float) -> None:
        """A message of events."""
        await self._later(lambda database: database.save(rows, cursor, heard))

    async def begin(self) -> None:
        """A snapshot; forget the one that was not complete."""
        await self._later(lambda database: database.begin())

    async def add(self, rows: Sequence[Row]) -> None:
        """Of the snapshot."""
        await self._later(lambda database: database.add(rows))

    async def commit(self, cursor: str, heard: float) -> None:
        """The snapshot is complete."""
        await self._later(lambda database: database.commit(cursor, heard))

    async def flush(self) -> None:
        """Returns once everything is written, or the writing has failed."""
        while self._waiting:
            await self._oldest()

    async def close(self) -> None:
        """Writes what waits. A snapshot that is not complete is forgotten."""
        await self.flush()
        if self._database is not None:
            with suppress(sqlite3.Error):
                await self._in_thread(self._database.close)
            self._database = None
        self._thread.shutdown(wait=False)

    async def _later(self, work: Callable[[Database], None]) -> None:
        database = self._database
        if database is None or self.error is not None:
            return
        self._waiting.append(self._in_thread(lambda: self._unless_failed(lambda: work(database))))
        while len(self._waiting) > _MOST_WAITING:
            await self._oldest()

    def _unless_failed(self, work: Callable[[], None]) -> None:
        """In the thread. What comes behind a failure must not be written: its base is missing."""
        if self.error is not None:
            return
        try:
            work()
        except sqlite3.Error as error:
            self.error = error
            _log.error("the mirror's file cannot be written (%s); the copy goes on in memory only", error)
            if self._database is not None:
                self._database.close()

    async def _oldest(self) -> None:
        await asyncio.shield(self._waiting[0])
        self._waiting.popleft()

    def _in_thread(self, work: Callable[[], _T]) -> "asyncio.Future[_T]":
        loop: Any = asyncio.get_running_loop()
        future: asyncio.Future[_T] = loop.run_in_executor(self._thread, work)
        return future
