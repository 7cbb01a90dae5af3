"""Large directories in seconds: rows written as the write path would have written them, then checked from outside."""

import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from benchmarks.deployment import BenchDirectory, Deployment
from directorysync.v1 import directory_sync_pb2 as sync

_SQL = Path(__file__).with_name("sql")
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
