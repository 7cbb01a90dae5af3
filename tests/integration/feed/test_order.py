"""DESIGN section 4: ordered, gap-free; the sequencer under rivals, kills and open transactions."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from service.app.clock import system_clock
from service.app.sequencer import Sequencer
from service.storage import feed as table
from service.storage.database import open_pool
from service.telemetry import Telemetry
from tests.integration.feed.lab import GROUP, MEMBER, USER, Log, Process, append, connect, eventually, process
from tests.support.postgres import Server


@pytest.fixture
async def log(database_url: str) -> AsyncIterator[Log]:
    async with open_pool(database_url, 8) as pool:
        yield Log(pool)


@pytest.fixture
async def replica(database_url: str) -> AsyncIterator[Process]:
    async with process(database_url) as one:
        yield one


@asynccontextmanager
async def sequencing(url: str, count: int = 1) -> AsyncIterator[list[Sequencer]]:
    sequencers = [Sequencer(url, system_clock(), Telemetry()) for _ in range(count)]
    tasks = [asyncio.create_task(each.run()) for each in sequencers]
    try:
        yield sequencers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def positions(log: Log) -> list[Any]:
    return list(await log.pool.fetch("SELECT pos, directory_id, seq, transaction_end FROM feed ORDER BY pos"))


async def write(
    log: Log, directories: list[str], commands: int, sequencers: list[Sequencer], rng: random.Random
) -> None:
    """Commands with rollbacks and pauses between event and commit; sometimes two directories in one transaction."""
    for _ in range(commands):
        chosen = sorted(rng.sample(directories, rng.choice((1, 1, 1, 2))))
        async with log.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            for directory in chosen:
                await append(connection, directory, [USER] * rng.choice((1, 1, 3)))
                if rng.random() < 0.2:
                    await asyncio.sleep(rng.random() * 0.02)
            if rng.random() < 0.15:
                await transaction.rollback()
                continue
            await transaction.commit()
        rng.choice(sequencers).hint()


async def kill(url: str, times: int, rng: random.Random) -> int:
    connection = await connect(url)
    killed = 0
    for _ in range(times):
        await asyncio.sleep(rng.random() * 0.08)
        victims = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%sequence_feed_v1%'"
            " AND pid <> pg_backend_pid()"
        )
        if victims:
            killed += await connection.fetchval("SELECT pg_terminate_backend($1)::int", rng.choice(victims)["pid"])
    await connection.close()
    return killed


async def test_every_commit_gets_one_position_under_rivals_and_kills(database_url: str, log: Log) -> None:
    rng = random.Random(7)
    directories = [await log.directory(f"directory_{index}") for index in range(6)]
    async with sequencing(database_url, 3) as sequencers:
        killer = asyncio.create_task(kill(database_url, 20, rng))
        writers = [write(log, directories, 60, sequencers, random.Random(seed)) for seed in range(8)]
        await asyncio.gather(*writers)
        assert await killer > 0
        await eventually(log.all_sequenced)
    rows = await positions(log)
    assert [row["pos"] for row in rows] == list(range(1, len(rows) + 1))
    numbers: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        numbers[row["directory_id"]].append(row["seq"])
    heads = await log.pool.fetch("SELECT directory_id, seq FROM head")
    assert {row["directory_id"]: list(range(1, row["seq"] + 1)) for row in heads if row["seq"]} == dict(numbers)
    assert_commands_whole(rows)


def assert_commands_whole(rows: list[Any]) -> None:
    inside: str | None = None
    for row in rows:
        assert inside in (None, row["directory_id"])
        inside = None if row["transaction_end"] else row["directory_id"]
    assert inside is None


async def test_commands_of_concurrent_transactions_are_not_mixed(database_url: str, log: Log) -> None:
    await log.directory("directory_a")
    await log.directory("directory_b")
    one, other = await connect(database_url), await connect(database_url)
    first, second = one.transaction(), other.transaction()
    await first.start()
    await second.start()
    # Inserts interleave, so that the order of insertion is not the order of whole commands.
    for seq in (1, 2, 3):
        for connection, directory in ((one, "directory_a"), (other, "directory_b")):
            await connection.execute(
                "INSERT INTO event (directory_id, seq, day, id, organization_id, type, entity_id, entity_version,"
                " transaction_end, created_at, payload)"
                " VALUES ($1, $2, (now() AT TIME ZONE 'UTC')::date, $1, 'o', 't', 'e', 1, $3, now(), '')",
                directory,
                seq,
                seq == 3,
            )
    await first.commit()
    await second.commit()
    async with sequencing(database_url):
        await eventually(log.all_sequenced)
    rows = await positions(log)
    assert_commands_whole(rows)
    assert len(rows) == 6
    await one.close()
    await other.close()


async def test_causality_a_member_is_added_after_both_were_created(replica: Process, log: Log) -> None:
    directory = await log.directory("directory_a")
    other = await log.directory("directory_b")
    reading = asyncio.create_task(replica.collect(3, beginning=True))
    async with log.pool.acquire() as connection, connection.transaction():
        # This transaction has its id before the other begins, and commits after it.
        await append(connection, other, [GROUP])
        await log.append(directory, [USER])
        replica.sequencer.hint()
        await append(connection, directory, [MEMBER])
    replica.sequencer.hint()
    seen = await reading
    types = [event.type for event in seen.events]
    assert types.index(USER) < types.index(MEMBER)
    assert types.index(GROUP) < types.index(MEMBER)


async def test_an_open_transaction_in_any_database_delays_nothing(
    replica: Process, log: Log, database_url: str, postgres_server: Server
) -> None:
    directory = await log.directory("directory_a")
    async with postgres_server.database() as foreign_url:
        foreign, here = await connect(foreign_url), await connect(database_url)
        holders = [foreign.transaction(), here.transaction()]
        for connection, holder in zip((foreign, here), holders, strict=True):
            await holder.start()
            await connection.execute("SELECT pg_current_xact_id()")
        reading = asyncio.create_task(replica.collect(100, beginning=True))
        for _ in range(100):
            await log.append(directory)
            replica.sequencer.hint()
        assert [seq for _, seq in (await reading).numbers] == list(range(1, 101))
        for connection, holder in zip((foreign, here), holders, strict=True):
            await holder.rollback()
            await connection.close()


async def test_a_commit_without_its_hint_is_found(replica: Process, log: Log) -> None:
    directory = await log.directory("directory_a")
    await log.append(directory, [USER, USER])
    assert len((await replica.collect(2, beginning=True)).events) == 2


async def test_looking_for_new_events_reads_indexes_only(database_url: str, log: Log) -> None:
    directory = await log.directory("directory_a")
    blocker = await connect(database_url)
    holder = blocker.transaction()
    await holder.start()
    await blocker.execute("SELECT pg_current_xact_id()")
    await log.pool.execute(
        "INSERT INTO event (directory_id, seq, day, id, organization_id, type, entity_id, entity_version,"
        " transaction_end, created_at, payload) SELECT $1, n, (now() AT TIME ZONE 'UTC')::date, n::text, 'o', 't', 'e',"
        " 1, true, now(), '' FROM generate_series(1, 20000) AS n",
        directory,
    )
    connection = await connect(database_url)
    await connection.execute("SELECT claim_feed_v1('0011223344556677')")
    assert await connection.fetchval("SELECT sequence_feed_v1(true)") == 20_000
    await connection.execute("UPDATE head SET seq = 20000")
    before = await full_reads(connection)
    for hinted in (True, False) * 10:
        await connection.execute("SELECT sequence_feed_v1($1)", hinted)
    await log.append(directory)
    assert await connection.fetchval("SELECT sequence_feed_v1(true)") == 20_001
    assert await full_reads(connection) == before
    await holder.rollback()
    await blocker.close()
    await connection.close()


async def full_reads(connection: Any) -> int:
    await connection.execute("SELECT pg_stat_force_next_flush()")
    return int(
        await connection.fetchval(
            "SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_user_tables WHERE relname ~ '^event_'"
        )
    )


async def test_an_idle_poll_writes_nothing(database_url: str, log: Log) -> None:
    directory = await log.directory("directory_a")
    await log.append(directory)
    connection = await connect(database_url)
    await connection.execute("SELECT claim_feed_v1('0011223344556677')")
    for _ in range(3):
        await connection.execute("SELECT sequence_feed_v1(true)")
    before = await connection.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
    for _ in range(10):
        await connection.execute("SELECT sequence_feed_v1(false)")
    assert await connection.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text") == before
    await connection.close()


async def test_events_of_the_days_before_and_after_midnight_are_found(database_url: str, log: Log) -> None:
    directory = await log.directory("directory_a")
    connection = await connect(database_url)
    await connection.execute("SELECT claim_feed_v1('0011223344556677')")
    for _ in range(3):
        await connection.execute("SELECT sequence_feed_v1(true)")
    for seq, offset in ((1, -1), (2, 0), (3, 1)):
        await connection.execute(
            "INSERT INTO event (directory_id, seq, day, id, organization_id, type, entity_id, entity_version,"
            " transaction_end, created_at, payload)"
            " VALUES ($1, $2, (now() AT TIME ZONE 'UTC')::date + $3::int, '', 'o', 't', 'e', 1, true, now(), '')",
            directory,
            seq,
            offset,
        )
    assert await connection.fetchval("SELECT sequence_feed_v1(true)") == 3
    await connection.close()


async def test_readers_go_on_after_every_connection_was_cut(replica: Process, log: Log, database_url: str) -> None:
    directory = await log.directory("directory_a")
    reading = asyncio.create_task(replica.collect(20, beginning=True))
    for _ in range(4):
        for _ in range(5):
            await log.append(directory)
            replica.sequencer.hint()
        connection = await connect(database_url)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND query LIKE '%feed%'"
        )
        await connection.close()
    assert [seq for _, seq in (await reading).numbers] == list(range(1, 21))


_KEYS_READ = """
SELECT sum(pg_stat_get_xact_tuples_returned(i.indexrelid))
  FROM pg_index i JOIN pg_inherits p ON p.inhrelid = i.indrelid WHERE p.inhparent = 'event'::regclass
"""


@pytest.mark.parametrize("hinted", [True, False])
@pytest.mark.parametrize("analyzed", [True, False])
async def test_sequencing_reads_what_is_new_however_much_the_day_holds(
    log: Log, *, hinted: bool, analyzed: bool
) -> None:
    directory = await log.directory("big_day")
    async with log.pool.acquire() as connection:
        # A day that began a minute ago has no statistics yet.
        for part in await connection.fetch(
            "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'event'::regclass"
        ):
            await connection.execute(f"ALTER TABLE {part[0]} SET (autovacuum_enabled = false)")
        await table.claim(connection, "0" * 16)
        await log.append(directory, [USER] * 5000)
        await table.sequence(connection, hinted=hinted)
        if analyzed:
            await connection.execute("VACUUM ANALYZE event")
        for _ in range(3):
            await log.append(directory)
            async with connection.transaction():
                before = await connection.fetchval(_KEYS_READ)
                newest = await table.sequence(connection, hinted=hinted)
                assert await connection.fetchval(_KEYS_READ) - before < 100
                assert await table.sequence(connection, hinted=False) == newest
                assert await connection.fetchval(_KEYS_READ) - before < 100
        assert newest == 5003
