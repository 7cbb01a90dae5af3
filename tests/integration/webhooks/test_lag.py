"""What /metrics shows of endpoints: events that wait for them, behind the cursor and in directories that wait."""

from datetime import UTC, datetime
from typing import cast

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from directorysync.v1 import webhooks_pb2 as pb
from service.app.subscription_lag import SubscriptionLag
from tests.integration.feed.lab import eventually
from tests.integration.webhooks.conftest import World

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def lag(world: World, endpoint_id: str) -> tuple[float, float] | None:
    """Events and seconds of an endpoint as scraped; None: there is no such series."""
    await cast("SubscriptionLag", world.service.database_state).read()
    families = text_string_to_metric_families(generate_latest(world.service.registry).decode())
    values = {
        sample.name: sample.value
        for family in families
        for sample in family.samples
        if sample.labels.get("id") == endpoint_id and sample.labels["kind"] == "webhook"
    }
    if not values:
        return None
    return values["directorysync_subscription_lag_events"], values["directorysync_subscription_lag_seconds"]


async def age_all(world: World) -> None:
    """Make all events an hour older."""
    await world.pool.execute("UPDATE event SET created_at = created_at - interval '1 hour'")


async def sequenced(world: World) -> bool:
    return bool(await world.pool.fetchval("SELECT (SELECT count(*) FROM feed) = (SELECT count(*) FROM event)"))


async def test_an_endpoint_is_behind_with_its_cursor_and_with_directories_that_wait(world: World) -> None:
    made = await world.endpoint("https://late.example/")
    assert await lag(world, made.id) == (0, 0)
    directory = (await world.directory()).directory
    await eventually(lambda: sequenced(world))
    count = await world.pool.fetchval("SELECT count(*) FROM event")
    await age_all(world)
    found = await lag(world, made.id)
    assert found is not None
    assert found[0] == count
    assert found[1] >= 3_600

    async with world.reader(made) as reader:
        await reader.events(count)
        await world.record(made, reader.epoch, cursor=reader.cursor)
        assert await lag(world, made.id) == (0, 0)
        lane = pb.WebhookLane(
            directory_id=directory.id, directory_sequence=1, attempt_count=1, next_attempt_time=NOW, delivery_id="d",
            cursor="c",
        )  # fmt: skip
        await world.record(made, reader.epoch, lanes=[lane], failing_since_time=NOW)
        found = await lag(world, made.id)
        assert found is not None
        assert found[0] == directory.sequence
        assert found[1] >= 3_600
        await world.record(made, reader.epoch, ended_lanes=[directory.id])
        assert await lag(world, made.id) == (0, 0)


async def test_endpoints_that_are_off_or_deleted_are_not_behind(world: World) -> None:
    made = await world.endpoint("https://off.example/")
    await world.call("UpdateWebhookEndpoint", pb.UpdateWebhookEndpointRequest(id=made.id, enabled=False))
    assert await lag(world, made.id) is None
    await world.call("UpdateWebhookEndpoint", pb.UpdateWebhookEndpointRequest(id=made.id, enabled=True))
    assert await lag(world, made.id) is not None
    await world.call("DeleteWebhookEndpoint", pb.DeleteWebhookEndpointRequest(id=made.id))
    assert await lag(world, made.id) is None
