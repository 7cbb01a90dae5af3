# ruff: noqa: INP001, T201
"""Follow every change, across restarts of this program and of the service.

    python examples/follow_changes.py [DIRECTORY_ID ...]

How far it came is kept in `position.txt`. Delete the file to begin with the oldest event that is kept. An error in
`handle` ends the program and loses nothing: the next start is given the same events again.
It needs the scope `watch`.
"""

import asyncio
import sys
from contextlib import suppress

from directorysync import Client, EventBatch, EventFilter, FileCursorStore, WatchStart
from directorysync.errors import CursorDiverged, CursorExpired


def handle(batch: EventBatch) -> None:
    """What your application does with changes. It may see some again after a crash: `event.id` stays the same."""
    for event in batch.events:
        print(event.directory_sequence, event.type, event.WhichOneof("data"), flush=True)


async def follow(directory_ids: list[str]) -> None:
    """Never ends by itself: a broken connection is made again behind the last batch."""
    async with Client.connect() as client:
        watch = client.watch(
            filter=EventFilter(directory_ids=directory_ids),
            start=WatchStart(beginning=WatchStart.Beginning()),
        )
        await watch.run(handle, FileCursorStore("position.txt"))


if __name__ == "__main__":
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(follow(sys.argv[1:]))
    except (CursorExpired, CursorDiverged) as error:
        sys.exit(f"{error}\nThe events behind position.txt are gone: load the current state, then start anew.")
