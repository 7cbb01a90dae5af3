"""Large directories in seconds: rows written as the write path would have written them, then checked from outside."""

import asyncio
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from benchmarks.deployment import BenchDirectory, Deployment
from directorysync.v1 import directory_sync_pb2 as sync
from directorysync.v1 import events_pb2

_SQL = Path(__file__).with_name("sql")
_COMMIT_EVENTS = 20_000
_LETTERS = iter("ABCDEFGHJKMNPQRSTVWXYZ")


@dataclass(frozen=True, slots=True)
class Population:
    """A directory with `size` users; the one with number 1 to `size` is known by id and name."""

    directory: BenchDirectory
    size: int
    letter: str

    def user_id(self, number: int) -> str:
        """Id of a user."""
        return f"directory_user_0{self.letter}{number:024d}"

    def user_name(self, number: int) -> str:
        """userName of a user."""
        return f"User{number}@example.com"

    @property
    def ids(self) -> list[str]:
        """Every id."""
        return [self.user_id(number) for number in range(1, self.size + 1)]


def populate(deployment: Deployment, size: int) -> Population:
    """A new directory with `size` users. Raises RuntimeError when the product does not see them."""
    directory = deployment.make_directory(f"{size} users")
    found = Population(directory, size, next(_LETTERS))
    _connect(deployment, directory)
    execute = deployment.postgres.execute
    execute("dirsync", _sql("preload_users"), directory.id, directory.organization_id, size, found.letter)
    execute("dirsync", "VACUUM ANALYZE directory_user")
    seen = deployment.sync.GetDirectory(sync.GetDirectoryRequest(id=directory.id), metadata=deployment.metadata)
    request = sync.GetUserRequest(id=found.user_id(size), directory_id=directory.id)
    user = deployment.sync.GetUser(request, metadata=deployment.metadata).user
    if seen.directory.user_count != size or user.user_name != found.user_name(size):
        raise RuntimeError("the preloaded users are not what the product reads")
    return found


def populate_group(deployment: Deployment, people: Population, members: int) -> str:
    """A new group whose members are the first users of the directory; its id."""
    group_id = f"directory_group_0{people.letter}{members:024d}"
    directory = people.directory
    execute = deployment.postgres.execute
    execute(
        "dirsync", _sql("preload_group"), directory.id, directory.organization_id, group_id, f"{members} at the start"
    )
    execute("dirsync", _sql("preload_members"), directory.id, group_id, members, people.letter)
    return group_id


def populate_groups(deployment: Deployment, people: Population, groups: int) -> None:
    """So many groups in the directory, and each of its users in five of them."""
    directory, execute = people.directory, deployment.postgres.execute
    made = (directory.id, directory.organization_id, groups, people.letter)
    execute("dirsync", _sql("preload_mirror_groups"), *made)
    execute("dirsync", _sql("preload_mirror_members"), directory.id, people.size, groups, people.letter)


def fill_log(deployment: Deployment, like: events_pb2.Event, count: int) -> BenchDirectory:
    """A new directory whose log has `count` events more than those of its making, each with the content of `like`.

    Returns when every one has its place in the feed. Raises RuntimeError when that takes minutes.
    """
    directory = deployment.make_directory(f"{count} events")
    first = deployment.sequence(directory) + 1
    asyncio.run(_fill(deployment.postgres.url("dirsync"), directory, like, range(first, first + count)))
    for _ in range(1200):
        newest = "SELECT coalesce(max(seq), 0) FROM feed WHERE directory_id = $1"
        if deployment.postgres.value("dirsync", newest, directory.id) == first + count - 1:
            deployment.postgres.execute("dirsync", "VACUUM ANALYZE event")
            return directory
        time.sleep(0.1)
    raise RuntimeError("the events that were written got no place in the feed")


async def _fill(url: str, directory: BenchDirectory, like: events_pb2.Event, numbers: range) -> None:
    event = events_pb2.Event()
    event.CopyFrom(like)
    event.directory_id, event.organization_id, event.transaction_end = directory.id, directory.organization_id, True
    columns = ["directory_id", "seq", "day", "id", "organization_id", "type", "entity_id", "entity_version"]
    columns += ["transaction_end", "created_at", "payload"]
    connection = await asyncpg.connect(url)
    for start in range(0, len(numbers), _COMMIT_EVENTS):
        now, rows = datetime.now(UTC), []
        event.create_time.FromDatetime(now)
        for seq in numbers[start : start + _COMMIT_EVENTS]:
            event.id, event.directory_sequence = f"event_01{seq:024d}", seq
            event.transaction_id = f"txn_01{seq:024d}"
            row = (directory.id, seq, now.date(), event.id, directory.organization_id, event.type, event.user.id, 1)
            rows.append((*row, True, now, event.SerializeToString()))
        async with connection.transaction():
            await connection.execute("SELECT FROM head WHERE directory_id = $1 FOR UPDATE", directory.id)
            await connection.copy_records_to_table("event", records=rows, columns=columns)
            await connection.execute("UPDATE head SET seq = $2 WHERE directory_id = $1", directory.id, rows[-1][1])
    await connection.close()


def _connect(deployment: Deployment, directory: BenchDirectory) -> None:
    """Reach the directory as its provider does, and wait for the event which that is."""
    request = urllib.request.Request(
        f"http://{deployment.host}:{deployment.port}{directory.base.path}/Users?count=1",
        headers={"Authorization": f"Bearer {directory.base.token}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()
    for _ in range(100):
        if deployment.sequence(directory):
            return
        time.sleep(0.05)


def _sql(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text()
