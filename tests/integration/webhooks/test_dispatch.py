"""What dispatchers ask of the service: who delivers where, and that only the one with the lease may say what it did."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from directorysync.v1 import events_pb2
from directorysync.v1 import webhooks_pb2 as pb
from gateway.problems import Problem
from gateway.webhooks.ids import delivery_id
from service.app.clock import Clock, IdSource, system_clock
from service.app.eventlog import EventLog
from service.app.sealing import Sealing
from service.app.webhook_dispatch import WebhookDispatch
from service.domain.webhook import Record
from service.rpc.convert import event_bytes, timestamp
from service.storage import webhooks as table
from service.telemetry import Telemetry
from tests.integration.webhooks.conftest import World

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAILED, RETRYING = pb.WEBHOOK_DELIVERY_STATE_FAILED, pb.WEBHOOK_DELIVERY_STATE_RETRYING
SUCCEEDED = pb.WEBHOOK_DELIVERY_STATE_SUCCEEDED


def delivery(number: int, *, state: Any = SUCCEEDED, attempts: int = 1, name: str = "", **fields: Any) -> Any:
    attempt = pb.WebhookAttempt(
        number=attempts,
        create_time=NOW,
        response_status=200,
        response_body=b"\x00\xff",
        endpoint_url="https://x.example/",
    )
    return pb.WebhookDelivery(
        id=name or delivery_id(NOW.timestamp() + number),
        event_id=f"event_{number}",
        event_type="dsync.user.created",
        directory_id="directory_1",
        state=state,
        attempt_count=attempts,
        create_time=NOW,
        update_time=NOW,
        response_status=200,
        attempts=[attempt],
        **fields,
    )


async def deliveries(world: World, endpoint_id: str, **fields: Any) -> list[pb.WebhookDelivery]:
    request = pb.ListWebhookDeliveriesRequest(endpoint_id=endpoint_id, **fields)
    return [*(await world.call("ListWebhookDeliveries", request)).deliveries]


async def lanes(world: World, endpoint_id: str) -> dict[str, pb.WebhookLane]:
    found = await world.targets(endpoint_ids=[endpoint_id])
    return {lane.directory_id: lane for lane in found.targets[0].lanes}


async def test_targets_tell_what_changed_and_what_is_free(world: World) -> None:
    first = await world.endpoint("https://free.example/")
    held = await world.endpoint("https://held.example/")
    everything = await world.targets()
    assert {first.id, held.id} <= {target.endpoint.id for target in everything.targets}
    async with world.reader(held, consumer="me"):
        found = await world.targets(version=everything.version)
        ids = {target.endpoint.id for target in found.targets}
        assert first.id in ids
        assert held.id not in ids
        [target] = (await world.targets(endpoint_ids=[held.id])).targets
        assert target.consumer == "me"
        assert target.HasField("lease_expire_time")
        await world.call("RotateWebhookSecret", pb.RotateWebhookSecretRequest(id=held.id))
        changed = await world.targets(version=found.version)
        [target] = [one for one in changed.targets if one.endpoint.id == held.id]
        assert len(target.endpoint.secrets) == 2
        await world.call("UpdateWebhookEndpoint", pb.UpdateWebhookEndpointRequest(id=held.id, enabled=False))
        gone = await world.targets(version=changed.version)
        assert [*gone.gone_ids] == [held.id]
        assert held.id not in {target.endpoint.id for target in gone.targets}
    assert (await world.targets(version="99999999")).targets, "a version of another database is none"


async def test_records_are_kept_by_the_reader_alone(world: World) -> None:
    made = await world.endpoint("https://fence.example/")
    async with world.reader(made) as first:
        await world.record(made, first.epoch, deliveries=[delivery(1)])
        async with world.reader(made, takeover=True) as second:
            with pytest.raises(Problem) as refused:
                await world.record(made, first.epoch, deliveries=[delivery(2)], ended_lanes=["directory_1"])
            assert refused.value.reason == "LEASE_LOST"
            await world.record(made, second.epoch, deliveries=[delivery(3)])
    assert [one.event_id for one in await deliveries(world, made.id)] == ["event_3", "event_1"]


async def test_a_record_and_a_change_of_its_endpoint_do_not_wait_for_each_other(world: World) -> None:
    made = await world.endpoint("https://both.example/")
    async with world.reader(made) as reader:
        async with world.pool.acquire() as changing, changing.transaction():
            assert await table.lock(changing, made.id)  # type: ignore[arg-type]  # as an update begins
            recording = asyncio.create_task(world.record(made, reader.epoch, failing_since_time=NOW))
            async with asyncio.timeout(10):
                while not await world.pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                    await asyncio.sleep(0.01)
            statement = "UPDATE subscription SET types = types WHERE id = $1 RETURNING id"
            assert await changing.fetchval(statement, made.subscription_id)
        await recording


async def test_many_records_at_once_share_commits_and_fail_alone(world: World) -> None:
    made = [await world.endpoint(f"https://many{number}.example/") for number in range(6)]
    readers = [world.reader(endpoint) for endpoint in made]
    for reader in readers:
        await reader.__aenter__()
    calls = [
        world.record(endpoint, reader.epoch + (number == 3), deliveries=[delivery(number), delivery(10 + number)])
        for number, (endpoint, reader) in enumerate(zip(made, readers, strict=True))
    ]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(answer, Problem) for answer in answers] == [number == 3 for number in range(6)]
    for number, endpoint in enumerate(made):
        assert len(await deliveries(world, endpoint.id)) == (0 if number == 3 else 2)
    for reader in readers:
        await reader.__aexit__()


async def test_a_cursor_and_the_lanes_before_it_are_one(world: World) -> None:
    made = await world.endpoint("https://lanes.example/")
    directory = (await world.directory()).directory
    async with world.reader(made) as reader:
        await reader.events(1)
        lane = pb.WebhookLane(
            directory_id=directory.id, directory_sequence=1, attempt_count=1, next_attempt_time=NOW, delivery_id="d",
            cursor="c",
        )  # fmt: skip
        await world.record(made, reader.epoch, lanes=[lane], cursor=reader.cursor, failing_since_time=NOW)
        assert await lanes(world, made.id) == {directory.id: lane}
        assert (await world.get(made.id)).failing_since_time.ToDatetime(UTC) == NOW
        with pytest.raises(Problem) as refused:
            await world.record(made, reader.epoch, ended_lanes=[directory.id], cursor="nonsense")
        assert refused.value.reason == "CURSOR_INVALID"
        assert await lanes(world, made.id), "nothing of a refused record is kept"
    async with world.reader(made) as again:
        assert again.cursor == reader.cursor
        await world.record(made, again.epoch, ended_lanes=[directory.id], deliveries=[delivery(1)])
        assert not await lanes(world, made.id)
        assert not (await world.get(made.id)).HasField("failing_since_time")


async def test_attempts_add_up_and_repeated_records_do_not(world: World) -> None:
    made = await world.endpoint("https://attempts.example/")
    name = delivery_id(NOW.timestamp())
    async with world.reader(made) as reader:
        due = NOW + timedelta(minutes=5)
        await world.record(
            made, reader.epoch, deliveries=[delivery(1, state=RETRYING, name=name, next_attempt_time=due)]
        )
        [waiting] = await deliveries(world, made.id, state=RETRYING)
        assert waiting.next_attempt_time.ToDatetime(UTC) == due
        for _ in range(2):
            await world.record(made, reader.epoch, deliveries=[delivery(1, attempts=2, name=name)])
    found = (
        await world.call("GetWebhookDelivery", pb.GetWebhookDeliveryRequest(endpoint_id=made.id, id=name))
    ).delivery
    assert (found.state, found.attempt_count) == (SUCCEEDED, 2)
    assert [attempt.number for attempt in found.attempts] == [1, 2]
    assert found.attempts[0].response_body == b"\x00\xff"
    assert not found.HasField("next_attempt_time")
    assert await deliveries(world, made.id, state=RETRYING) == []


async def test_deliveries_say_why_the_last_attempt_failed(world: World) -> None:
    made = await world.endpoint("https://why.example/")
    failed, well = delivery(1, state=RETRYING), delivery(2)
    failed.attempts[0].error = "timeout"
    async with world.reader(made) as reader:
        await world.record(made, reader.epoch, deliveries=[failed, well])
        assert [one.error for one in await deliveries(world, made.id)] == ["", "timeout"]
        assert [one.error for one in await deliveries(world, made.id, state=RETRYING)] == ["timeout"]
        assert [one.error for one in await deliveries(world, made.id, event_id="event_1")] == ["timeout"]
        await world.record(made, reader.epoch, deliveries=[delivery(1, name=failed.id, attempts=2)])
        assert [one.error for one in await deliveries(world, made.id, event_id="event_1")] == [""], "it arrived"


async def test_deliveries_page_newest_first(world: World) -> None:
    made = await world.endpoint("https://pages.example/")
    async with world.reader(made) as reader:
        some = [delivery(number, state=FAILED if number % 2 else SUCCEEDED) for number in range(10)]
        await world.record(made, reader.epoch, deliveries=some)
    request = pb.ListWebhookDeliveriesRequest(endpoint_id=made.id, page_size=4)
    seen = []
    while True:
        page = await world.call("ListWebhookDeliveries", request)
        seen += [one.event_id for one in page.deliveries]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == [f"event_{number}" for number in reversed(range(10))]
    failed = await deliveries(world, made.id, state=FAILED)
    assert [one.event_id for one in failed] == ["event_9", "event_7", "event_5", "event_3", "event_1"]
    assert len(await deliveries(world, made.id, event_id="event_4")) == 1
    assert await deliveries(world, made.id, event_id="event_4", state=FAILED) == []


async def test_a_dispatcher_turns_an_endpoint_off(world: World) -> None:
    made = await world.endpoint("https://off.example/")
    version = (await world.targets()).version
    async with world.reader(made) as reader:
        await world.record(made, reader.epoch, disable_reason="the receiver answered 410 Gone")
    found = await world.get(made.id)
    assert (found.status, found.status_reason) == (
        pb.WEBHOOK_ENDPOINT_STATUS_DISABLED,
        "the receiver answered 410 Gone",
    )
    assert made.id in (await world.targets(version=version)).gone_ids


async def test_an_endpoint_that_turns_itself_off_is_an_event(world: World) -> None:
    """In the log of the directory that waits longest, once, seen by those who ask for it by name."""
    young, old = (await world.directory()).directory, (await world.directory()).directory
    made = await world.endpoint("https://paused.example/")
    wanted = events_pb2.EventFilter(types=["webhook_endpoint.disabled"])
    operations = await world.endpoint("https://operations.example/", filter=wanted)
    waiting = [
        pb.WebhookLane(
            directory_id=one.id,
            directory_sequence=1,
            attempt_count=1,
            next_attempt_time=NOW,
            delivery_id=delivery_id(NOW.timestamp() + number),
        )
        for number, one in enumerate((old, young))
    ]
    async with world.reader(operations) as watching, world.reader(made) as reader:
        await world.record(made, reader.epoch, lanes=waiting[1:], failing_since_time=NOW)
        await world.record(made, reader.epoch, lanes=waiting[:1], disable_reason="no luck", failing_since_time=NOW)
        [told] = await watching.events(1)
    assert (told.type, told.directory_id, told.transaction_end) == ("webhook_endpoint.disabled", old.id, True)
    about = told.webhook_endpoint
    assert (about.id, about.status_reason, about.failing_since_time) == (made.id, "no luck", timestamp(NOW))
    rows = await world.pool.fetch("SELECT seq, type FROM event WHERE directory_id = $1 ORDER BY seq", old.id)
    assert [row["seq"] for row in rows] == [*range(1, len(rows) + 1)]
    assert [row["type"] for row in rows].count("webhook_endpoint.disabled") == 1


async def test_what_cannot_be_told_is_not_done(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event and the change are one transaction."""
    directory = (await world.directory()).directory
    made = await world.endpoint("https://torn.example/")
    lane = pb.WebhookLane(directory_id=directory.id, directory_sequence=1, next_attempt_time=NOW)

    async def break_off(*_: Any) -> None:
        raise RuntimeError("the process ends here")

    async with world.reader(made) as reader:
        with monkeypatch.context() as patch:
            patch.setattr("service.storage.events.append", break_off)
            with pytest.raises(Problem):
                await world.record(made, reader.epoch, lanes=[lane], disable_reason="no luck")
        assert (await world.get(made.id)).status == pb.WEBHOOK_ENDPOINT_STATUS_ENABLED


async def test_replays_advance_until_they_are_done(world: World) -> None:
    made = await world.endpoint("https://advance.example/")
    request = pb.ReplayWebhookRequest(endpoint_id=made.id, test_event_type="dsync.user.created")
    replay = (await world.call("ReplayWebhook", request)).replay
    [target] = (await world.targets(endpoint_ids=[made.id])).targets
    assert [*target.replays] == [replay]
    async with world.reader(made) as reader:
        done = pb.WebhookReplay(id=replay.id, complete_time=NOW, delivered_count=1)
        await world.record(made, reader.epoch, replays=[done])
        await world.record(made, reader.epoch, replays=[pb.WebhookReplay(id=replay.id, error="too late")])
    [target] = (await world.targets(endpoint_ids=[made.id])).targets
    assert not target.replays
    [kept] = (await world.call("ListWebhookReplays", pb.ListWebhookReplaysRequest(endpoint_id=made.id))).replays
    assert (kept.delivered_count, kept.error) == (1, "")


async def test_old_deliveries_and_deleted_endpoints_are_taken_away(world: World) -> None:
    made, other = await world.endpoint("https://old.example/"), await world.endpoint("https://gone.example/")
    now = datetime.now(UTC)
    names = [delivery_id((now - timedelta(days=days)).timestamp()) for days in (31, 29)]
    for endpoint in (made, other):
        async with world.reader(endpoint) as reader:
            await world.record(endpoint, reader.epoch, deliveries=[delivery(1, name=name) for name in names])
    await world.call("DeleteWebhookEndpoint", pb.DeleteWebhookEndpointRequest(id=other.id))
    later = Clock(now=lambda: datetime.now(UTC) + timedelta(minutes=11), monotonic=system_clock().monotonic)
    log = EventLog(event_bytes, IdSource(later), later, lambda: None)
    keeper = WebhookDispatch(world.pool, log=log, sealing=Sealing(), clock=later, telemetry=Telemetry())
    await keeper.keep_house()
    assert [one.id for one in await deliveries(world, made.id)] == [names[1]]
    for room, column in (("webhook_delivery", "endpoint_id"), ("webhook_endpoint", "id")):
        assert await world.pool.fetchval(f"SELECT count(*) FROM {room} WHERE {column} = $1", other.id) == 0


async def test_records_of_one_endpoint_follow_each_other(world: World) -> None:
    made = await world.endpoint("https://follow.example/")
    async with world.reader(made) as reader:
        await asyncio.gather(*(world.record(made, reader.epoch, deliveries=[delivery(number)]) for number in range(20)))
    assert len(await deliveries(world, made.id)) == 20


def test_a_record_knows_whether_anything_arrived() -> None:
    assert not Record("we_1", 1).succeeded


async def test_expired_places_are_found(world: World) -> None:
    made = await world.endpoint("https://expired.example/")
    found = await table.expired(world.pool, 1 << 60)
    assert (made.id, made.subscription_id) in found
    assert await table.expired(world.pool, 0) == []
