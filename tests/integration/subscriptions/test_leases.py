"""One reader at a time, on however many replicas; and that nothing is lost when a reader is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from directorysync import errors
from directorysync.v1 import subscriptions_pb2 as pb
from service.app.subscription_leases import Pace
from service.domain.errors import CursorInvalidError, LeaseLostError
from service.storage import subscriptions as table
from tests.integration.feed.lab import USER, Log, eventually
from tests.integration.subscriptions.lab import DISPATCHER, Reader, Replica, local_stub, replica
from tests.integration.subscriptions.test_subscribe import append, numbers


@pytest.fixture(scope="module")
async def two(shared_url: str) -> AsyncIterator[Replica]:
    """Another replica over the same database."""
    async with replica(shared_url) as running:
        yield running


async def expire(one: Replica, subscription: pb.Subscription) -> None:
    await one.pool.execute(
        "UPDATE subscription SET lease_until = clock_timestamp() - interval '1 s' WHERE id = $1", subscription.id
    )


async def test_a_second_reader_is_told_who_reads(one: Replica, two: Replica, directory: str, carrier: str) -> None:
    made = await one.create(f"a{directory}{carrier}", directory_ids=[directory])
    async with one.reading(made.name, carrier, consumer="first") as first:
        await first.next()
        shown = await two.get(made.name)
        assert (shown.consumer, shown.lease_epoch) == ("first", 1)
        assert shown.lease_expire_time.ToMilliseconds() > made.create_time.ToMilliseconds()
        async with two.reading(made.name, carrier, consumer="second", wait={}) as second:
            held = await second.failure()
        assert (held.reason, held.metadata) == ("SUBSCRIPTION_HELD", {"consumer": "first"})
        assert held.retry_after
    assert (await one.get(made.name)).lease_epoch == 1


async def test_one_that_waits_begins_when_the_other_leaves(
    one: Replica, two: Replica, log: Log, directory: str, carrier: str
) -> None:
    made = await one.create(f"b{directory}{carrier}", directory_ids=[directory])
    await append(one, log, directory, 2)
    async with one.reading(made.name, carrier, max_batch_size=1) as first:
        messages = await first.events(2)
        async with two.reading(made.name, carrier, consumer="second") as second:
            waiting = asyncio.create_task(second.next())
            first.ack(messages[0].cursor)
            await first.leave()
            begun = await waiting
            assert (begun.started, begun.cursor) == (True, messages[0].cursor)
            assert numbers(await second.events(1)) == [2]


async def test_takeover_ends_the_other_reader_and_its_acknowledgements_count_no_more(
    one: Replica, two: Replica, log: Log, directory: str, carrier: str
) -> None:
    made = await one.create(f"c{directory}{carrier}", directory_ids=[directory])
    await append(one, log, directory, 2)
    async with one.reading(made.name, carrier) as old:
        messages = await old.events(2)
        async with two.reading(made.name, carrier, consumer="new", takeover=True) as new:
            assert numbers(await new.events(2)) == [1, 2]
            old.ack(messages[-1].cursor)
            assert (await old.failure()).reason == "LEASE_LOST"
            assert (await one.get(made.name)).cursor == made.cursor
            assert (await one.get(made.name)).consumer == "new"


async def test_a_holder_that_was_paused_cannot_move_the_cursor(
    shared_url: str, two: Replica, log: Log, directory: str
) -> None:
    made = await two.create(f"d{directory}", directory_ids=[directory])
    await append(two, log, directory, 3)
    # It renews nothing and looks at nothing, as a process that is stopped.
    stopped = Pace(renewal=1000, check=1000, saving=0.01)
    async with replica(shared_url, pace=stopped) as paused, paused.reading(made.name) as old:
        messages = await old.events(3)

        async def counted() -> bool:
            return (await two.get(made.name)).redelivery_count == 1

        await eventually(counted)
        await expire(two, made)
        async with two.reading(made.name, consumer="new", max_batch_size=1) as new:
            fresh = await new.events(3)
            assert {message.redelivery_count for message in fresh} == {1}
            new.ack(fresh[0].cursor)
            old.ack(messages[-1].cursor)
            assert (await old.failure()).reason == "LEASE_LOST"
            await new.leave()
        assert (await two.get(made.name)).cursor == fresh[0].cursor


async def test_the_lease_of_a_reader_that_lives_does_not_run_out(one: Replica, two: Replica, directory: str) -> None:
    made = await one.create(f"e{directory}", directory_ids=[directory])
    async with one.reading(made.name) as reader:
        await reader.next()
        epoch = (await one.get(made.name)).lease_expire_time.ToMilliseconds()

        async def renewed() -> bool:
            return (await one.get(made.name)).lease_expire_time.ToMilliseconds() > epoch

        await eventually(renewed)


@pytest.mark.parametrize("what", ["reset", "delete"])
async def test_reset_and_delete_end_the_reader(
    one: Replica, two: Replica, log: Log, directory: str, carrier: str, what: str
) -> None:
    made = await one.create(f"f{directory}{carrier}{what}", directory_ids=[directory])
    await append(one, log, directory, 2)
    async with one.reading(made.name, carrier) as reader:
        messages = await reader.events(2)
        reader.ack(messages[-1].cursor)
        if what == "delete":
            await two.admin("DeleteSubscription", pb.DeleteSubscriptionRequest(subscription=made.name))
        else:
            position = pb.SubscriptionPosition(cursor=made.cursor)
            await two.admin("ResetSubscription", pb.ResetSubscriptionRequest(subscription=made.id, position=position))
        assert (await reader.failure()).reason == "LEASE_LOST"
    if what == "delete":
        with pytest.raises(errors.NotFound):
            await one.get(made.id)
    else:
        async with one.reading(made.name, carrier) as reader:
            assert numbers(await reader.events(2)) == [1, 2]


async def test_a_drained_replica_keeps_what_was_acknowledged(
    shared_url: str, two: Replica, log: Log, directory: str
) -> None:
    made = await two.create(f"g{directory}", directory_ids=[directory])
    await append(two, log, directory, 2)
    async with (
        replica(shared_url, pace=Pace(saving=1000)) as leaving,
        leaving.reading(made.name, "grpc", max_batch_size=1) as reader,
    ):
        messages = await reader.events(2)
        reader.ack(messages[0].cursor)
        await asyncio.sleep(0.1)
        leaving.feed.drain()
        gone = await reader.failure()
        assert (gone.reason, gone.retry_after) == ("SERVER_DRAINING", 1)
    kept = await two.get(made.name)
    assert (kept.cursor, kept.consumer) == (messages[0].cursor, "")


async def test_a_reader_of_a_revoked_key_is_ended(shared_url: str, two: Replica, directory: str) -> None:
    made = await two.create(f"h{directory}", directory_ids=[directory])
    async with replica(shared_url) as other, other.reading(made.name, "grpc") as reader:
        await reader.next()
        other.valid = False
        assert isinstance(await reader.failure(), errors.CredentialsInvalid)


@pytest.mark.parametrize("delay", [0.0, 3_600.0])
async def test_no_nack_keeps_a_reader_of_a_revoked_key(
    shared_url: str, two: Replica, log: Log, directory: str, delay: float
) -> None:
    made = await two.create(f"k{directory}", directory_ids=[directory])
    await append(two, log, directory)
    async with replica(shared_url) as other, other.reading(made.name, "grpc") as reader:
        await reader.events(1)
        other.valid = False

        async def say() -> None:
            while True:
                reader.nack("again", delay)
                await asyncio.sleep(0.2)

        saying = asyncio.create_task(say())
        assert isinstance(await reader.failure(), errors.CredentialsInvalid)
        saying.cancel()


async def test_a_revoked_key_waits_for_no_lease(shared_url: str, two: Replica, directory: str) -> None:
    made = await two.create(f"l{directory}", directory_ids=[directory])
    async with replica(shared_url) as other, two.reading(made.name, "grpc") as holder:
        await holder.next()
        async with other.reading(made.name, "grpc", wait={"seconds": 300}) as reader:
            other.valid = False
            assert isinstance(await reader.failure(), errors.CredentialsInvalid)


async def test_many_that_wait_ask_the_database_no_more_often_than_one(
    two: Replica, directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await two.create(f"m{directory}", directory_ids=[directory])
    asked, acquire = 0, table.acquire

    async def counted(*args: Any, **more: Any) -> Any:
        nonlocal asked
        asked += 1
        return await acquire(*args, **more)

    monkeypatch.setattr(table, "acquire", counted)
    async with two.reading(made.name) as holder, AsyncExitStack() as stack:
        await holder.next()
        waiting = [await stack.enter_async_context(two.reading(made.name, wait={"seconds": 60})) for _ in range(40)]
        tasks = [asyncio.create_task(one.next()) for one in waiting]
        await asyncio.sleep(3)
        # 40 of them would ask more than 160 times.
        assert asked < 100
        await holder.leave()
        done, _ = await asyncio.wait(tasks, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result().started for task in done] == [True]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_without_the_database_the_stream_ends_and_what_was_acknowledged_is_kept_afterwards(
    empty_database_url: str, database_url: str
) -> None:
    async with replica(database_url, pace=Pace(duration=2.0, renewal=0.5, check=0.05, saving=0.3)) as one:
        log = Log(one.pool)
        directory = await log.directory("directory")
        made = await one.create("outage", directory_ids=[directory])
        await append(one, log, directory, 2)
        async with one.reading(made.name, "grpc", max_batch_size=1) as reader:
            messages = await reader.events(2)
            admin = await asyncpg.connect(empty_database_url)
            reader.ack(messages[0].cursor)
            await asyncio.sleep(0.05)
            try:
                name = urlsplit(database_url).path[1:]
                await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
                await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
                assert isinstance(await reader.failure(), errors.Unavailable)
            finally:
                await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
                await admin.close()

        async def given_back() -> bool:
            return (await one.get(made.name)).consumer == ""

        await eventually(given_back)
        assert (await one.get(made.name)).cursor == messages[0].cursor


async def test_retention_that_passes_the_cursor_is_told_and_shown(database_url: str) -> None:
    async with replica(database_url) as one:
        log = Log(one.pool)
        directory = await log.directory("directory")
        made = await one.create("expired", directory_ids=[directory])
        await append(one, log, directory, 2)
        await eventually(log.all_sequenced)
        await one.pool.execute(
            "UPDATE feed_state SET oldest_pos = 2, oldest_day = $1", datetime.now(UTC).date() - timedelta(1)
        )
        for _ in range(2):
            async with one.reading(made.name, "grpc") as reader:
                expired = await reader.failure()
            assert isinstance(expired, errors.CursorExpired)
            assert expired.oldest_cursor

            async def shown() -> bool:
                return "retention" in (await one.get(made.name)).last_error

            await eventually(shown)
        position = pb.SubscriptionPosition(cursor=expired.oldest_cursor)
        await one.admin("ResetSubscription", pb.ResetSubscriptionRequest(subscription=made.id, position=position))
        await append(one, log, directory)
        async with one.reading(made.name, "grpc") as reader:
            assert numbers(await reader.events(1)) == [3]
        assert (await one.get(made.name)).last_error == ""


async def test_a_webhooks_subscription_is_moved_by_the_dispatchers_transaction_alone(
    one: Replica, log: Log, directory: str
) -> None:
    own = f"subscription_webhook{directory}"
    cursor, place = await table.now(one.pool)
    bounds = table.Bounds()
    await table.insert(
        one.pool, subscription_id=own, kind=table.WEBHOOK, name=own, wanted=EventFilterOf(directory), bounds=bounds,
        reach=bounds, cursor=cursor, place=place, at=await one.pool.fetchval("SELECT now()"),
    )  # fmt: skip
    await append(one, log, directory, 6)
    begin = pb.SubscribeBegin(subscription=own, consumer="dispatcher", credit=2, max_batch_size=1)
    reader = Reader(local_stub(one.edge, DISPATCHER), begin, ())
    messages = await reader.events(2)
    epoch = messages[0].lease_epoch
    reader.ack(messages[0].cursor)
    messages += await reader.events(1)
    await asyncio.sleep(0.1)
    assert await one.pool.fetchval("SELECT place FROM subscription WHERE id = $1", own) == place
    async with one.pool.acquire() as connection, connection.transaction():
        await table.acknowledge(connection, own, epoch, messages[1].cursor)
    with pytest.raises(LeaseLostError):
        await table.acknowledge(one.pool, own, epoch - 1, messages[2].cursor)
    with pytest.raises(CursorInvalidError):
        await table.acknowledge(one.pool, own, epoch, one.feed.cursor_of(directory, 3))
    await table.acknowledge(one.pool, own, epoch, messages[0].cursor)
    await reader.leave()
    again = Reader(local_stub(one.edge, DISPATCHER), begin, ())
    (third,) = await again.events(1)
    assert (numbers([third]), third.redelivery_count) == ([3], 1)
    await again.cut()
    async with one.reading(own) as stranger:
        assert isinstance(await stranger.failure(), errors.NotFound)
    with pytest.raises(errors.NotFound):
        await one.get(own)


class EventFilterOf:
    """A filter of one directory."""

    def __init__(self, directory: str) -> None:
        self.directory_ids = (directory,)
        self.organization_ids: tuple[str, ...] = ()
        self.types = (USER,)
