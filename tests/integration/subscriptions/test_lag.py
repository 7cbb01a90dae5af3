"""What /metrics shows of subscriptions: how far each is behind, until it acknowledges or is deleted."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from directorysync.v1 import subscriptions_pb2 as pb
from service.app.clock import Clock, system_clock
from service.app.subscription_lag import KEPT_SECONDS, MOST_SHOWN, SubscriptionLag
from service.storage.database import open_pool
from service.telemetry import Telemetry
from tests.integration.feed.lab import Log, eventually
from tests.integration.subscriptions.lab import Replica, replica
from tests.support.postgres import Server


class Scrapes:
    """A process of the service that is scraped, each time after a reading."""

    def __init__(self, pool: Any) -> None:
        self.time = 0.0
        self.lag = SubscriptionLag(pool, Clock(system_clock().now, lambda: self.time), Telemetry())
        self._registry = CollectorRegistry()
        self._registry.register(self.lag)

    async def read(self) -> dict[tuple[str, str, str], float]:
        """Values by name, kind and id."""
        await self.lag.read()
        return self.show()

    def show(self) -> dict[tuple[str, str, str], float]:
        """As `read`, of the last reading."""
        families = text_string_to_metric_families(self.text())
        samples = [sample for family in families for sample in family.samples]
        return {(one.name.removeprefix("directorysync_"), *_labels(one.labels)): one.value for one in samples}

    def text(self) -> str:
        """What /metrics answers."""
        return generate_latest(self._registry).decode()


def _labels(labels: dict[str, str]) -> tuple[str, str]:
    return labels["kind"], labels.get("id", "")


@pytest.fixture
async def one(database_url: str) -> AsyncIterator[Replica]:
    async with replica(database_url) as running:
        yield running


@pytest.fixture
def log(one: Replica) -> Log:
    return Log(one.pool)


@pytest.fixture
def scrapes(one: Replica) -> Scrapes:
    return Scrapes(one.pool)


async def test_a_subscription_falls_behind_catches_up_and_goes(one: Replica, log: Log, scrapes: Scrapes) -> None:
    directory = await log.directory("directory")
    made = await one.create("billing")
    events, seconds = (("subscription_lag_events", "named", made.id), ("subscription_lag_seconds", "named", made.id))
    found = await scrapes.read()
    assert (found[events], found[seconds]) == (0, 0)

    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    await log.append(directory, at=an_hour_ago)
    for _ in range(4):
        await log.append(directory)
    await eventually(log.all_sequenced)
    found = await scrapes.read()
    assert found[events] == 5
    assert found[seconds] >= 3_600
    assert found["subscriptions", "named", ""] == 1
    assert found["subscriptions_lag_events", "named", ""] == 5

    async with one.reading("billing") as reader:
        first = (await reader.events(1))[0]
        assert first.cursor
        cursor = first.cursor if len(first.events) == 5 else (await reader.events(5 - len(first.events)))[-1].cursor
        reader.ack(cursor)
        await reader.leave()
    found = await scrapes.read()
    assert (found[events], found[seconds]) == (0, 0)

    await one.admin("DeleteSubscription", pb.DeleteSubscriptionRequest(subscription="billing"))
    found = await scrapes.read()
    assert events not in found
    assert seconds not in found
    assert found["subscriptions", "named", ""] == 0


async def test_the_name_is_nowhere(one: Replica, scrapes: Scrapes) -> None:
    await one.create("ada lovelace")
    await scrapes.read()
    assert "ada" not in scrapes.text()


async def test_many_show_those_furthest_behind_and_the_sum_of_all(one: Replica, log: Log, scrapes: Scrapes) -> None:
    directory = await log.directory("directory")
    late = await one.create("late")
    await log.append(directory)
    await eventually(log.all_sequenced)
    await one.pool.execute(
        """INSERT INTO subscription
           SELECT (s.r).* FROM generate_series(1, $1::integer) AS i
            CROSS JOIN LATERAL (SELECT jsonb_populate_record(t, jsonb_build_object(
                     'id', 'subscription_' || i, 'name', 'n' || i, 'place', t.place + 1)) AS r
                     FROM subscription t WHERE t.id = $2) AS s""",
        MOST_SHOWN + 5,
        late.id,
    )
    found = await scrapes.read()
    shown = {id_ for name, _, id_ in found if name == "subscription_lag_events"}
    assert len(shown) == MOST_SHOWN
    assert late.id in shown
    assert found["subscriptions", "named", ""] == MOST_SHOWN + 6
    assert found["subscriptions_lag_events", "named", ""] == 1


async def test_an_old_reading_is_not_shown(one: Replica, scrapes: Scrapes) -> None:
    assert scrapes.show() == {}
    assert await scrapes.read()
    scrapes.time += KEPT_SECONDS
    assert scrapes.show()
    scrapes.time += 1
    assert scrapes.show() == {}


async def test_metrics_are_shown_while_the_database_is_away(postgres_server: Server, database_template: str) -> None:
    async with postgres_server.database(template=database_template) as url, open_pool(url, 1) as pool:
        scrapes = Scrapes(pool)
        before = await scrapes.read()
        pool.terminate()
        with pytest.raises(asyncpg.InterfaceError):
            await scrapes.lag.read()
        reading = asyncio.create_task(scrapes.lag.run())
        await asyncio.sleep(0.05)
        assert scrapes.show() == before
        assert not reading.done(), "it tries again"
        reading.cancel()
