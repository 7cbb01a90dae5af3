# ruff: noqa: INP001, T201
"""Answer questions about people from a local copy that keeps itself up to date.

    python examples/mirror_lookup.py [EMAIL ...]

The copy is kept in `directory.mirror`: the next start answers at once and fetches only what it missed. Without an
address the questions come from standard input, one address a line.
It needs the scope `watch`.
"""

import asyncio
import sys
from collections.abc import AsyncIterator

from directorysync import Client, DirectorySyncError
from directorysync.mirror import Mirror


def answer(mirror: Mirror, email: str) -> None:
    """From memory: no network, microseconds."""
    found = mirror.find_users(email=email)
    for user in found:
        groups = ", ".join(sorted(group.name for group in mirror.groups(user.id, effective=True)))
        print(f"{user.user_name}  {user.display_name or '-'}  groups: {groups or '-'}", flush=True)
    if not found:
        print(f"{email}  nobody", flush=True)


async def questions() -> AsyncIterator[str]:
    """The arguments, or lines of standard input, read without holding up the mirror."""
    for email in sys.argv[1:]:
        yield email
    while len(sys.argv) == 1 and (line := await asyncio.to_thread(sys.stdin.readline)):
        yield line.strip()


async def main() -> None:
    """Start, catch up, answer."""
    async with Client.connect() as client, Mirror(client, path="directory.mirror") as mirror:
        await mirror.wait_caught_up(timeout=30)
        async for email in questions():
            answer(mirror, email)
        status = mirror.status()
        print(f"{status.users} users, heard of {status.staleness:.1f} s ago", file=sys.stderr)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (DirectorySyncError, TimeoutError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
