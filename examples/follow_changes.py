# ruff: noqa: INP001, T201
"""Follow every change, across restarts of this program and of the service.

    python examples/follow_changes.py [DIRECTORY_ID ...]

The cursor of the last batch is kept in `position.txt`. Delete the file to begin with the oldest event that is kept.
It needs the scope `watch`.
"""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from directorysync import Client, Event, EventFilter, WatchStart
from directorysync.errors import CursorDiverged, CursorExpired

POSITION = Path("position.txt")


def handle(event: Event) -> None:
    """What your application does with a change. It may see one again after a crash: `event.id` stays the same."""
    print(event.directory_sequence, event.type, event.WhichOneof("data"), flush=True)


def store(cursor: str) -> None:
    """An application with a database stores the cursor in the transaction that holds what the events did."""
    unfinished = POSITION.with_suffix(".new")
    unfinished.write_text(cursor)
    unfinished.replace(POSITION)


async def follow(directory_ids: list[str]) -> None:
    """Never ends by itself: a broken connection is made again behind the last batch."""
    start = WatchStart(beginning=WatchStart.Beginning())
    if POSITION.exists():
        start = WatchStart(cursor=POSITION.read_text())
    async with Client.connect() as client:
        async for batch in client.watch(filter=EventFilter(directory_ids=directory_ids), start=start):
            for event in batch.events:
                handle(event)
            store(batch.cursor)


if __name__ == "__main__":
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(follow(sys.argv[1:]))
    except (CursorExpired, CursorDiverged) as error:
        sys.exit(f"{error}\nThe events behind {POSITION} are gone: load the current state, then start anew.")
