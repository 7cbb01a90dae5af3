"""`Client.subscribe`: nothing is lost, whatever breaks."""

import asyncio
from contextlib import aclosing

import pytest

from directorysync import Client, errors
from directorysync.subscription import SubscriptionBatch
from tests.integration.feed.lab import PATIENCE, Log, eventually
from tests.integration.subscriptions.lab import Replica
from tests.integration.subscriptions.test_subscribe import append
from tests.support.proxy import tcp_proxy


def client_of(one: Replica, port: int = 0) -> Client:
    return Client.connect(f"127.0.0.1:{port or one.server.port}", "all", tls=False)


class Handler:
    """Keeps the numbers of what it handled; fails at those of `poison`, each once."""

    def __init__(self, *poison: int) -> None:
        self.seen: list[int] = []
        self.redelivered: list[int] = []
        self._poison = set(poison)

    async def __call__(self, batch: SubscriptionBatch) -> None:
        for event in batch.events:
            if event.directory_sequence in self._poison:
                self._poison.discard(event.directory_sequence)
                raise ValueError(event.directory_id)
        self.seen += [event.directory_sequence for event in batch.events]
        self.redelivered += [batch.redelivery_count for _ in batch.events]

    async def saw(self, number: int) -> None:
        async def there() -> bool:
            return number in self.seen

        await eventually(there)


async def ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_errors_of_the_handler_lose_nothing(one: Replica, log: Log, directory: str) -> None:
    made = await one.create(f"p{directory}", directory_ids=[directory])
    handler = Handler(2, 5)
    async with client_of(one) as client:
        reading = asyncio.create_task(client.subscribe(made.name, max_batch_size=1).run(handler))
        await append(one, log, directory, 6)
        await handler.saw(6)
        await ended(reading)
    assert handler.seen == [1, 2, 3, 4, 5, 6]
    assert handler.redelivered[1] == 1

    async def given_back() -> bool:
        return not (await one.get(made.name)).consumer

    await eventually(given_back)
    kept = await one.get(made.name)
    assert (kept.last_error, kept.lag, kept.redelivery_count) == ("ValueError", 0, 0)


async def test_a_cut_connection_is_healed_and_what_was_not_acknowledged_comes_again(
    one: Replica, log: Log, directory: str
) -> None:
    made = await one.create(f"q{directory}", directory_ids=[directory])
    async with tcp_proxy("127.0.0.1", one.server.port) as proxy, client_of(one, proxy.port) as client:
        await append(one, log, directory, 4)
        async with aclosing(client.subscribe(made.name, max_batch_size=1)) as batches:
            first, second = [await batch_of(batches) for _ in range(2)]
            first.ack()

            async def kept() -> bool:
                return (await one.get(made.name)).cursor == first.cursor

            await eventually(kept)
            proxy.cut()
            second.ack()
            # What was under way before the cut still arrives.
            while not (again := await batch_of(batches)).redelivery_count:
                pass
            assert (again.cursor, again.redelivery_count) == (second.cursor, 1)


async def test_what_came_before_a_nack_cannot_be_acknowledged_any_more(one: Replica, log: Log, directory: str) -> None:
    made = await one.create(f"o{directory}", directory_ids=[directory])
    await append(one, log, directory, 2)
    async with client_of(one) as client:
        async with aclosing(client.subscribe(made.name, max_batch_size=1)) as batches:
            first, second = [await batch_of(batches) for _ in range(2)]
            first.nack("poison")
            again = await batch_of(batches)
            # Work that went on meanwhile ends only now.
            second.ack()
            first.nack("too late")
            assert (again.cursor, (await batch_of(batches)).cursor) == (first.cursor, second.cursor)
            again.ack()
        kept = await one.get(made.name)
    assert (kept.cursor, kept.last_error) == (again.cursor, "poison")


async def batch_of(batches: object) -> SubscriptionBatch:
    async with asyncio.timeout(PATIENCE):
        while not (batch := await anext(batches)).events:
            pass
        return batch


async def test_a_second_client_stands_by(one: Replica, log: Log, directory: str) -> None:
    made = await one.create(f"s{directory}", directory_ids=[directory])
    await append(one, log, directory, 2)
    first, second = Handler(), Handler()
    async with client_of(one) as client, client_of(one) as other:
        active = asyncio.create_task(client.subscribe(made.name).run(first))
        await first.saw(2)
        standby = asyncio.create_task(other.subscribe(made.name).run(second))
        with pytest.raises(errors.SubscriptionHeld):
            await batch_of(other.subscribe(made.name, wait=0))
        await ended(active)
        await append(one, log, directory)
        await second.saw(3)
        await ended(standby)
    assert (first.seen, second.seen) == ([1, 2], [3])


async def test_an_idle_subscription_keeps_up_by_bookmarks(one: Replica, log: Log, directory: str) -> None:
    made = await one.create(f"t{directory}", directory_ids=[directory])
    other = await log.directory("other")
    async with client_of(one) as client:
        reading = asyncio.create_task(client.subscribe(made.name, bookmark_interval=1).run(Handler()))
        await append(one, log, other, 5)
        await eventually(log.all_sequenced)

        async def kept_up() -> bool:
            return (await one.get(made.name)).lag == 0

        await eventually(kept_up)
        await ended(reading)


async def test_what_cannot_be_mended_is_raised(one: Replica, directory: str) -> None:
    async with client_of(one) as client:
        with pytest.raises(errors.NotFound):
            await client.subscribe(f"nothing{directory}").run(Handler())
