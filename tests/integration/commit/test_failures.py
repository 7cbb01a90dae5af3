"""What a lane does when the database fails under it."""

import asyncio
from typing import Any

import asyncpg
import pytest

from service.domain.errors import StorageUnavailableError
from service.storage.database import connect
from tests.integration.commit.conftest import Directories, committing


async def kill_lanes(directories: Directories) -> None:
    await directories.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND application_name = 'directorysync'"
    )


async def test_a_lost_connection_is_replaced_and_nothing_is_lost_or_doubled(directories: Directories) -> None:
    await directories.make("d1")

    async def write(worker: int) -> list[str]:
        return [await directories.create_user("d1", f"user{worker}-{index}") for index in range(20)]

    writers = [asyncio.create_task(write(worker)) for worker in range(8)]
    for _ in range(3):
        await asyncio.sleep(0.05)
        await kill_lanes(directories)
    answered = [user_id for ids in await asyncio.gather(*writers) for user_id in ids]
    rows = await directories.fetch("SELECT id FROM directory_user")
    assert sorted(row["id"] for row in rows) == sorted(answered)
    events = await directories.events("d1")
    assert [event.directory_sequence for event in events] == list(range(1, 161))


class LosesTheAnswer:
    """A connection whose COMMIT is carried out and whose answer never arrives, once."""

    armed = True

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def transaction(self) -> Any:
        transaction = self._connection.transaction()
        if not LosesTheAnswer.armed:
            return transaction
        commit = transaction.commit

        async def lossy() -> None:
            LosesTheAnswer.armed = False
            await commit()
            raise asyncpg.ConnectionDoesNotExistError("the answer was lost")

        return _Lossy(transaction, lossy)


class _Lossy:
    def __init__(self, transaction: Any, commit: Any) -> None:
        self.start, self.rollback, self.commit = transaction.start, transaction.rollback, commit


async def test_a_commit_whose_answer_was_lost_is_recognised(database_url: str) -> None:
    LosesTheAnswer.armed = True

    async def opener(url: str) -> Any:
        return LosesTheAnswer(await connect(url))

    async with committing(database_url, opener=opener) as directories:
        await directories.make("d1")
        user_id = await directories.create_user("d1", "ada")
        assert not LosesTheAnswer.armed
        assert [row["id"] for row in await directories.fetch("SELECT id FROM directory_user")] == [user_id]
        assert len(await directories.events("d1")) == 1


async def test_one_poisonous_command_does_not_fail_its_neighbours(directories: Directories) -> None:
    await directories.make("d1")
    connection = await asyncpg.connect(directories.url)
    await connection.execute("ALTER TABLE directory_user ADD CONSTRAINT poison CHECK (user_name <> 'poison')")
    await connection.close()
    results = await asyncio.gather(
        *(directories.create_user("d1", name) for name in ("a", "b", "poison", "c", "d")), return_exceptions=True
    )
    assert [isinstance(result, str) for result in results] == [True, True, False, True, True]
    assert isinstance(results[2], asyncpg.CheckViolationError)
    assert [event.directory_sequence for event in await directories.events("d1")] == [1, 2, 3, 4]


async def test_an_unreachable_database_is_said_so(database_url: str) -> None:
    async def opener(_: str) -> Any:
        raise ConnectionRefusedError

    async with committing(database_url, opener=opener) as directories:
        await directories.make("d1")
        with pytest.raises(StorageUnavailableError):
            await directories.create_user("d1", "ada")
