"""The embedded PostgreSQL keeps what it was given, whatever happens to whoever runs it."""

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from directorysync.cli.account import AccountError, account_for
from directorysync.cli.embedded import LONGEST_SOCKET_PATH, EmbeddedError, EmbeddedPostgres
from directorysync.cli.postmaster import LockFile
from tests.support.processes import alive, kill

Make = Callable[..., EmbeddedPostgres]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes servers over one directory, and ends what a test leaves running."""
    made: list[EmbeddedPostgres] = []

    def over(directory: Path = tmp_path / "postgres", *, durable: bool = True) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(directory, durable=durable))
        return made[-1]

    yield over
    for server in made:
        server.stop()


async def fetch(server: EmbeddedPostgres, query: str) -> object:
    connection = await asyncpg.connect(server.url())
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_data_outlives_a_restart(make: Make) -> None:
    server = make()
    server.start()
    await fetch(server, "CREATE TABLE kept AS SELECT 7 AS number")
    server.stop()
    server.start()
    assert await fetch(server, "SELECT number FROM kept") == 7


async def test_commits_are_durable_and_nobody_listens_on_the_network(make: Make) -> None:
    server = make()
    server.start()
    for setting, value in (
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("listen_addresses", ""),
        ("shared_buffers", "256MB"),
        ("TimeZone", "UTC"),
    ):
        assert await fetch(server, f"SHOW {setting}") == value
    assert await fetch(server, "SELECT lower('ÄÖÜ')") == "äöü"


def test_only_its_own_user_may_open_the_socket(make: Make) -> None:
    server = make()
    server.start()
    assert stat.S_IMODE((server.data / ".s.PGSQL.5432").stat().st_mode) == 0o700
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700


async def test_killed_server_recovers_what_was_committed(make: Make) -> None:
    server = make()
    server.start()
    await fetch(server, "CREATE TABLE kept AS SELECT 7 AS number")
    pid = LockFile(server.data).pid()
    assert pid is not None
    kill(pid)
    while server.poll() is None:
        time.sleep(0.01)
    server.start()
    assert await fetch(server, "SELECT number FROM kept") == 7


async def test_server_of_a_killed_owner_is_replaced(make: Make, tmp_path: Path) -> None:
    program = f"""
import os, pathlib
from directorysync.cli.embedded import EmbeddedPostgres
EmbeddedPostgres(pathlib.Path({str(tmp_path / "postgres")!r})).start()
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-W", "error", "-c", program], check=False).returncode == -9
    orphan = LockFile(tmp_path / "postgres").pid()
    assert orphan is not None
    assert alive(orphan)
    server = make()
    server.start()
    assert not alive(orphan)
    assert await fetch(server, "SELECT 1") == 1


async def test_lock_file_that_names_another_program_is_no_obstacle(make: Make) -> None:
    server = make()
    server.start()
    lock_file = server.data / "postmaster.pid"
    text = lock_file.read_text()
    server.stop()
    lock_file.write_text("\n".join([str(os.getpid()), *text.splitlines()[1:]]))
    server.start()
    assert await fetch(server, "SELECT 1") == 1


async def test_unfinished_initialisation_is_begun_again(make: Make, tmp_path: Path) -> None:
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new/PG_VERSION").write_text("18\n")
    server = make(durable=False)
    server.start()
    assert await fetch(server, "SELECT 1") == 1
    assert not (tmp_path / "postgres.new").exists()


async def test_deep_directory_gets_a_short_socket_path(make: Make, tmp_path: Path) -> None:
    server = make(tmp_path / ("deep" * 25) / "post gres", durable=False)
    server.start()
    assert await fetch(server, "SELECT 1") == 1
    sockets = LockFile(server.data).socket_directory()
    assert sockets is not None
    assert len(os.fsencode(sockets)) < LONGEST_SOCKET_PATH
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    server.stop()
    assert not sockets.exists()


def test_data_of_another_release_is_refused(make: Make, tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres/PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedError, match="is of PostgreSQL 16"):
        make().start()


def test_directory_with_other_files_is_left_alone(make: Make, tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres/letter.txt").write_text("dear")
    with pytest.raises(EmbeddedError, match="holds files, but no database"):
        make(durable=False).start()
    assert (tmp_path / "postgres/letter.txt").read_text() == "dear"


def test_server_that_cannot_start_says_why(make: Make, tmp_path: Path) -> None:
    server = make(durable=False)
    server.start()
    server.stop()
    (tmp_path / "postgres/pg_hba.conf").unlink()
    with pytest.raises(EmbeddedError, match=r"did not start: (.|\n)*pg_hba\.conf"):
        server.start()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open the data of anybody")
def test_data_of_another_user_is_refused() -> None:
    with pytest.raises(AccountError, match="belongs to user root"):
        account_for(Path("/"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to change to another user")
def test_root_lets_its_postgres_user_pass_but_not_look(make: Make, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = make(closed / "postgres", durable=False)
    server.start()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o701
    assert server.data.stat().st_uid != 0
