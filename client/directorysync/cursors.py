"""Where a reader keeps how far it came, between two runs of the program."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

_MOST_BYTES = 4_096


class CursorStore(Protocol):
    """Keeps one cursor. An application with a database implements it over a row, best in the transaction that holds
    what the events did.
    """

    async def load(self) -> str | None:
        """The cursor that was saved last; None when there is none."""
        ...

    async def save(self, cursor: str) -> None:
        """Returns once the cursor would survive a crash."""
        ...


class FileCursorStore:
    """A cursor in a file of its own. Whatever happens, the file holds the old cursor or the new one."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    async def load(self) -> str | None:
        """None when there is no file. ValueError when it holds something else than a cursor."""
        return await asyncio.to_thread(self._load)

    async def save(self, cursor: str) -> None:
        """Written beside the file, flushed, then put in its place."""
        await asyncio.to_thread(self._save, cursor)

    def _load(self) -> str | None:
        try:
            with self._path.open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
        except FileNotFoundError:
            return None
        with suppress(UnicodeDecodeError):
            cursor = data.decode("ascii").strip()
            if cursor and len(data) <= _MOST_BYTES and not any(character.isspace() for character in cursor):
                return cursor
        raise ValueError(f"{self._path} does not hold a cursor; it is left as it is")

    def _save(self, cursor: str) -> None:
        unfinished = self._path.with_name(f".{self._path.name}.{os.getpid()}.new")
        with unfinished.open("w", encoding="ascii") as file:
            file.write(cursor + "\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._path)
        if hasattr(os, "O_DIRECTORY"):
            directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
