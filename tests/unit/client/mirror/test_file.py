"""A mirror in a file: it survives restarts and kills, and touches nothing that is not its own."""

import asyncio
import random
import shutil
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from directorysync import Client
from directorysync.mirror import Mirror, MirrorFileError
from directorysync.mirror.file import Database
from directorysync.mirror.state import Row, State
from directorysync.v1.events_pb2 import EventFilter
from tests.unit.client.fake_service import serving
from tests.unit.client.mirror.conftest import same, until
from tests.unit.client.mirror.judge import faults
from tests.unit.client.mirror.world import World


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "directory.mirror"


def contents(state: State) -> tuple[object, ...]:
    users = {key: (one.data, frozenset(one.groups)) for key, one in state.users.items()}
    groups = {key: (one.data, frozenset(one.groups), frozenset(one.members)) for key, one in state.groups.items()}
    return dict(state.directories), {key: one for key, one in state.sequences.items() if one}, users, groups


async def test_restart_answers_at_once_and_fetches_only_what_it_missed(
    world: World, client: Client, path: Path
) -> None:
    chance = random.Random(3)
    for _ in range(60):
        world.anything(chance)
    async with Mirror(client, path=path) as mirror:
        for _ in range(60):
            world.anything(chance)
        assert await same(mirror, world) == []
    for _ in range(30):
        world.anything(chance)
    async with Mirror(client, path=path) as mirror:
        assert await same(mirror, world) == []
        assert mirror.status().snapshots == 0
    assert world.snapshots == 1


async def test_start_needs_no_service(world: World, client: Client, path: Path, unused_port: int) -> None:
    user = world.create_user("directory_a", "ada@example.com")
    async with Mirror(client, path=path):
        pass
    async with Client.connect(f"127.0.0.1:{unused_port}") as lonely, Mirror(lonely, path=path) as mirror:
        assert mirror.find_users(email="ADA@example.com") == (world.users[user.id],)
        assert mirror.staleness >= 0
        assert not mirror.caught_up


async def test_staleness_counts_the_time_in_which_nobody_followed(client: Client, path: Path, unused_port: int) -> None:
    async with Mirror(client, path=path):
        pass
    with sqlite3.connect(path) as database:
        database.execute("UPDATE mirror SET heard = heard - 3600")
    database.close()
    async with Client.connect(f"127.0.0.1:{unused_port}") as lonely, Mirror(lonely, path=path) as mirror:
        assert mirror.staleness >= 3600


async def test_changes_behind_a_snapshot_that_is_not_complete(world: World, client: Client, path: Path) -> None:
    """The old copy stays in the file until the new one is whole."""
    world.create_user("directory_a", "ada@example.com")
    async with Mirror(client, path=path):
        pass
    world.create_user("directory_a", "bob@example.com")
    world.oldest = len(world.log)
    world.held.clear()
    async with Mirror(client, path=path) as mirror:
        await until(lambda: world.snapshots == 2)
        await asyncio.sleep(0.05)
    world.held.set()
    world.oldest = 0
    async with Mirror(client, path=path) as mirror:
        assert await same(mirror, world) == []
        assert mirror.status().snapshots == 0


async def test_other_directories_begin_anew(world: World, client: Client, path: Path) -> None:
    for directory_id in ("directory_a", "directory_b"):
        world.create_user(directory_id, "ada@example.com")
    async with Mirror(client, path=path, directory_ids=["directory_a"]):
        pass
    async with Mirror(client, path=path, directory_ids=["directory_b"]) as mirror:
        assert faults(mirror, world, ["directory_b"]) == []
    async with Mirror(client, path=path, directory_ids=["directory_b"]) as mirror:
        assert await same(mirror, world, ["directory_b"]) == []
        assert mirror.status().snapshots == 0


async def test_two_mirrors_do_not_share_a_file(client: Client, path: Path) -> None:
    async with Mirror(client, path=path):
        with pytest.raises(MirrorFileError, match="another mirror"):
            await Mirror(client, path=path).start()


@pytest.mark.parametrize("content", [b"notes that are precious" * 100, b""], ids=["text", "database of another"])
async def test_file_of_something_else_is_left_alone(client: Client, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    if not content:
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE precious (x)")
        database.close()
    before = path.read_bytes()
    with pytest.raises(MirrorFileError, match=path.name):
        await Mirror(client, path=path).start()
    assert path.read_bytes() == before


async def test_directory_that_is_missing_is_an_error(client: Client, tmp_path: Path) -> None:
    with pytest.raises(MirrorFileError, match="missing"):
        await Mirror(client, path=tmp_path / "missing" / "directory.mirror").start()


@pytest.mark.parametrize("damage", ["format", "message", "pages", "end", "head"])
async def test_damaged_copy_is_made_anew(world: World, client: Client, path: Path, damage: str) -> None:
    for number in range(200):
        world.create_user("directory_a", f"{number}@example.com")
    async with Mirror(client, path=path):
        pass
    data = bytearray(path.read_bytes())
    if damage == "pages":
        data[4096 * 3 :] = b"\xff" * (len(data) - 4096 * 3)
        path.write_bytes(data)
    elif damage == "end":
        path.write_bytes(data[:5000])
    elif damage == "head":
        path.write_bytes(b"\xff" * 16 + data[16:])
    else:
        with sqlite3.connect(path) as database:
            database.execute(
                "PRAGMA user_version = 99" if damage == "format" else "UPDATE directory_user SET data = x'ff'"
            )
        database.close()
    async with Mirror(client, path=path) as mirror:
        assert await same(mirror, world) == []
    async with Mirror(client, path=path) as mirror:
        assert await same(mirror, world) == []
        assert mirror.status().snapshots == 0


async def test_disk_that_is_full_ends_the_writing_and_not_the_mirror(
    world: World, client: Client, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Database.save
    saves = iter(range(100))

    def save(self: Database, *arguments: object) -> None:
        if next(saves) == 2:
            raise sqlite3.OperationalError("database or disk is full")
        kept(self, *arguments)

    monkeypatch.setattr(Database, "save", save)
    async with Mirror(client, path=path) as mirror:
        for number in range(5):
            world.create_user("directory_a", f"{number}@example.com")
            await mirror.wait_for(world.log[-1], timeout=20)
        assert faults(mirror, world) == []
        await until(lambda: mirror.status().file_error is not None)
    monkeypatch.undo()
    async with Mirror(client, path=path) as mirror:
        assert await same(mirror, world) == []
        assert (mirror.status().snapshots, mirror.status().file_error) == (0, None)


async def test_every_moment_of_writing_is_a_whole_copy(world: World, tmp_path: Path) -> None:
    """As a kill between any two statements leaves the file."""
    chance = random.Random(5)
    path = tmp_path / "directory.mirror"
    database = Database(path, "all")
    written: dict[str, tuple[object, ...]] = {}
    moments: list[Path] = []

    def moment(_: str) -> None:
        copy = tmp_path / f"moment-{len(moments)}"
        for suffix in ("", "-wal"):
            if path.with_name(path.name + suffix).exists():
                shutil.copy(path.with_name(path.name + suffix), copy.with_name(copy.name + suffix))
        moments.append(copy)

    database._connection.set_trace_callback(moment)
    for _ in range(3):
        state = State()
        for _ in range(15):
            world.anything(chance)
        place = len(world.log)
        database.begin()
        for part in world._parts(EventFilter()):
            for rows in state.take(part):
                database.add(rows)
        database.commit(f"g{place}", 1.0)
        written[f"g{place}"] = contents(state)
        for _ in range(12):
            world.anything(chance)
            rows = list[Row]()
            for event in world.log[place:]:
                state.apply(event, rows)
            rows += [("put_sequence", (one, state.sequences[one])) for one in ("directory_a", "directory_b")]
            place = len(world.log)
            written[f"g{place}"] = contents(state)
            database.save(rows, f"g{place}", 1.0)
    database.close()
    seen = set()
    for copy in moments:
        reader = Database(copy, "all")
        saved = reader.load()
        reader.close()
        if saved is not None:
            seen.add(saved.cursor)
            assert contents(saved.state) == written[saved.cursor]
    assert len(moments) > 100
    assert len(seen) >= len(written) - 1


PROGRAM = """
import asyncio, sys
from directorysync import Client
from directorysync.mirror import Mirror
async def main():
    async with Client.connect(sys.argv[1], "sk_test") as client, Mirror(client, path=sys.argv[2]):
        print("started", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_killed_program_leaves_a_copy_that_goes_on(world: World, path: Path) -> None:
    chance = random.Random(11)
    async with serving(world) as port:
        for kill in range(5):
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", PROGRAM, f"127.0.0.1:{port}", str(path), stdout=asyncio.subprocess.PIPE
            )
            assert child.stdout is not None
            assert await asyncio.wait_for(child.stdout.readline(), 60) == b"started\n"
            if kill == 2:
                world.lost.add(len(world.log) + 20)  # a snapshot is being written when the end comes
            for _ in range(chance.randrange(50, 250)):
                world.anything(chance)
                if chance.random() < 0.3:
                    await asyncio.sleep(0.001)
            child.send_signal(signal.SIGKILL)
            await child.wait()
            child._transport.close()
            world.lost.clear()
        async with Client.connect(f"127.0.0.1:{port}", "sk_test") as client:
            before = world.snapshots
            async with Mirror(client, path=path) as mirror:
                assert await same(mirror, world) == []
            assert world.snapshots == before
