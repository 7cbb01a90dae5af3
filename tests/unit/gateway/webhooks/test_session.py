"""Order, schedule, lanes, kills: what an endpoint's receiver sees, with an injected clock and real HTTP."""

import asyncio
import itertools
from dataclasses import replace

import pytest

from directorysync.v1 import webhooks_pb2 as pb
from gateway.problems import Problem, Rule
from gateway.webhooks.attempts import timestamp
from gateway.webhooks.schedule import ATTEMPTS, DAY, DELAYS
from gateway.webhooks.signing import workos_signature
from gateway.webhooks.slots import Budget
from tests.support.receiver import CUT, HANG, OK, Answer, Received, Receiver, receiving
from tests.unit.gateway.webhooks.lab import BROKEN, SETTINGS, START, Lab, fails, firsts, lab

FAILED, SUCCEEDED = pb.WEBHOOK_DELIVERY_STATE_FAILED, pb.WEBHOOK_DELIVERY_STATE_SUCCEEDED
RETRYING = pb.WEBHOOK_DELIVERY_STATE_RETRYING


async def test_events_arrive_in_order_and_are_acknowledged(bench: Lab, receiver: Receiver) -> None:
    kept = bench.service.endpoint(receiver.url())
    for _ in range(40):
        for directory in ("a", "b", "c"):
            bench.service.happen(directory)
    bench.start()
    await receiver.until(lambda: len(receiver.received) == 120)
    await receiver.until(lambda: kept.cursor == 120)
    for directory in ("a", "b", "c"):
        assert firsts(receiver.ids(), directory) == [*range(1, 41)]
    assert len(kept.deliveries) == 120
    assert {delivery.state for delivery in kept.deliveries.values()} == {SUCCEEDED}
    assert kept.records < 60, "records go together"
    assert not kept.lanes


async def test_the_schedule_is_held_and_then_the_lane_goes_on(bench: Lab, receiver: Receiver) -> None:
    kept = bench.service.endpoint(receiver.url())
    receiver.otherwise = fails("a-1")
    bench.service.happen("a", 3)
    bench.start()
    await receiver.until(lambda: len(kept.lanes) == 1)
    for made, delay in enumerate(DELAYS, start=1):
        assert receiver.ids() == ["a-1"] * made
        lane = kept.lanes["a"]
        assert (lane.attempt_count, lane.directory_sequence) == (made, 1)
        assert lane.next_attempt_time == timestamp(bench.clock.time + delay)
        bench.clock.forward(delay - 1)
        await bench.settle(5)
        assert receiver.ids() == ["a-1"] * made, "not before its time"
        bench.clock.forward(1)
        await receiver.until(lambda made=made: len(receiver.received) > made)
        await bench.settle(10)
    await receiver.until(lambda: receiver.ids()[ATTEMPTS:] == ["a-2", "a-3"])
    await receiver.until(lambda: not kept.lanes)
    [first] = [delivery for delivery in kept.deliveries.values() if delivery.event_id == "a-1"]
    assert (first.state, first.attempt_count, len(first.attempts)) == (FAILED, ATTEMPTS, ATTEMPTS)
    assert [attempt.number for attempt in first.attempts] == [*range(1, ATTEMPTS + 1)]
    assert first.attempts[0].response_body == b"no"
    assert bench.sample("directorysync_webhook_given_up_total") == 1


async def test_a_failing_event_holds_up_its_directory_alone(bench: Lab, receiver: Receiver) -> None:
    kept = bench.service.endpoint(receiver.url())
    receiver.otherwise = fails("a-2")
    for _ in range(10):
        bench.service.happen("a")
        bench.service.happen("b")
    bench.start()
    await receiver.until(lambda: firsts(receiver.ids(), "b") == [*range(1, 11)])
    await receiver.until(lambda: kept.cursor == 20)
    assert firsts(receiver.ids(), "a") == [1, 2]
    assert kept.lanes["a"].directory_sequence == 2
    bench.service.happen("a", 2)
    bench.service.happen("b", 2)
    await receiver.until(lambda: firsts(receiver.ids(), "b") == [*range(1, 13)])
    receiver.otherwise = OK
    bench.clock.forward(5)
    await receiver.until(lambda: firsts(receiver.ids(), "a") == [*range(1, 13)] and not kept.lanes)
    bench.service.happen("a", 3)
    await receiver.until(lambda: firsts(receiver.ids(), "a") == [*range(1, 16)])
    assert len(receiver.received) == 15 + 12 + 1, "only the failed one came twice"


async def test_a_lane_with_much_behind_it_reads_page_by_page(bench: Lab, receiver: Receiver) -> None:
    kept = bench.service.endpoint(receiver.url())
    receiver.otherwise = fails("a-1")
    bench.service.happen("a", 500)
    bench.start()
    await receiver.until(lambda: kept.cursor == 500)
    receiver.otherwise = OK
    bench.clock.forward(5)
    await receiver.until(lambda: len(firsts(receiver.ids(), "a")) == 500 and not kept.lanes)
    assert firsts(receiver.ids(), "a") == [*range(1, 501)]
    assert len(receiver.received) == 501


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (BROKEN, 500, "status"),
        (Answer(404), 404, "status"),
        (Answer(302, headers=(("location", "http://127.0.0.1/"),)), 302, "redirect"),
        (HANG, 0, "timeout"),
        (CUT, 0, "protocol"),
        (Answer(slow=2.0), 0, "timeout"),
    ],
)
async def test_nothing_is_lost_whatever_the_receiver_does(
    bench: Lab, receiver: Receiver, answer: Answer, status: int, error: str
) -> None:
    kept = bench.service.endpoint(receiver.url())
    receiver.otherwise = answer
    bench.service.happen("a", 3)
    bench.start()
    await receiver.until(lambda: len(kept.lanes) == 1)
    [delivery] = kept.deliveries.values()
    assert (delivery.state, delivery.response_status, delivery.attempts[0].error) == (RETRYING, status, error)
    receiver.otherwise = OK
    bench.clock.forward(5)
    await receiver.until(lambda: firsts(receiver.ids(), "a") == [1, 2, 3] and not kept.lanes)
    assert kept.deliveries[delivery.id].state == SUCCEEDED
    assert kept.deliveries[delivery.id].attempt_count == 2


async def test_retry_after_is_honoured_for_the_whole_endpoint(bench: Lab, receiver: Receiver) -> None:
    bench.service.endpoint(receiver.url())
    receiver.otherwise = fails("a-1", answer=Answer(429, headers=(("retry-after", "120"),)))
    bench.service.happen("a")
    bench.start()
    await receiver.until(lambda: receiver.ids() == ["a-1"])
    await bench.settle()
    bench.service.happen("b")
    receiver.otherwise = OK
    bench.clock.forward(119)
    await bench.settle()
    assert receiver.ids() == ["a-1"]
    bench.clock.forward(1)
    await receiver.until(lambda: sorted(receiver.ids()) == ["a-1", "a-1", "b-1"])


async def test_410_disables_at_once(bench: Lab, receiver: Receiver) -> None:
    kept = bench.service.endpoint(receiver.url())
    receiver.otherwise = Answer(410)
    bench.service.happen("a", 2)
    bench.start()
    await receiver.until(lambda: kept.message.status == pb.WEBHOOK_ENDPOINT_STATUS_DISABLED)
    assert kept.message.status_reason == "the receiver answered 410 Gone"
    bench.clock.forward(DAY)
    await bench.settle()
    assert receiver.ids() == ["a-1"]
    assert kept.lanes["a"].directory_sequence == 1, "enabling it goes on where it stopped"


async def test_days_of_failures_disable(bench: Lab, receiver: Receiver) -> None:
    kept = bench.service.endpoint(receiver.url())
    receiver.otherwise = BROKEN
    bench.service.happen("a", 50)
    bench.start()
    await receiver.until(lambda: len(kept.lanes) == 1)
    while kept.message.status != pb.WEBHOOK_ENDPOINT_STATUS_DISABLED:
        before = len(receiver.received)
        bench.clock.forward(DAY / 4)
        await bench.settle(8)
        assert bench.clock.time < START + 8 * DAY, f"{before} attempts"
    assert kept.message.status_reason.startswith("no delivery succeeded for 5 days, since 2025-11-24T16:00:0")
    assert bench.clock.time >= START + 5 * DAY


async def test_an_endpoint_that_is_down_is_asked_one_thing_at_a_time(bench: Lab, receiver: Receiver) -> None:
    kept = bench.service.endpoint(receiver.url())
    for number in range(40):
        bench.service.happen(f"d{number}")
    bench.start()
    await receiver.until(lambda: kept.cursor == 40)
    receiver.otherwise = HANG
    receiver.most_open.clear()
    for number in range(40):
        bench.service.happen(f"d{number}")
    await receiver.until(lambda: len(kept.lanes) >= 3)
    await bench.settle(60)
    down = len(receiver.received)
    assert down <= 40 + 8
    assert bench.sample("directorysync_webhook_endpoints_down") == 1
    receiver.most_open.clear()
    for _ in range(4):
        bench.clock.forward(6)
        await bench.settle(70)
    assert receiver.most_open["/hook"] == 1
    receiver.otherwise = OK
    bench.clock.forward(60)
    await receiver.until(lambda: len(kept.lanes) == 0 and kept.cursor == 80)
    for number in range(40):
        assert firsts(receiver.ids(), f"d{number}") == [1, 2]
    assert bench.sample("directorysync_webhook_endpoints_down") == 0


@pytest.mark.parametrize("seed", range(4))
async def test_kills_lose_nothing_and_keep_the_order(bench: Lab, receiver: Receiver, seed: int) -> None:
    kept = bench.service.endpoint(receiver.url())
    bad = {"a-3", "b-7", "c-1", "c-2"}
    turn = itertools.count(seed)

    def answer(request: Received) -> Answer:
        return BROKEN if request.id in bad or next(turn) % 17 == 0 else OK

    receiver.otherwise = answer
    for round_ in range(12):
        bench.service.happen("a", 4)
        bench.service.happen("b", 3)
        bench.service.happen("c", 2)
        bench.start()
        await asyncio.sleep(0.004 * ((seed + round_) % 5))
        await bench.kill()
        if round_ == 6:
            bad.clear()
        bench.clock.forward(301)
    receiver.otherwise = OK
    bench.start()
    for _ in range(3):
        bench.clock.forward(DAY)
        await bench.settle()
    await receiver.until(lambda: not kept.lanes and kept.cursor == 108)
    for directory, count in (("a", 48), ("b", 36), ("c", 24)):
        assert firsts(receiver.ids(), directory) == [*range(1, count + 1)]


async def test_a_lost_lease_ends_the_session(bench: Lab, receiver: Receiver) -> None:
    kept = bench.service.endpoint(receiver.url())
    bench.start()
    await bench.settle(3)
    kept.epoch += 1
    bench.service.happen("a")
    _, task = bench.running["we_1"]
    with pytest.raises(Problem) as lost:
        await asyncio.wait_for(task, 5)
    assert lost.value.reason == "LEASE_LOST"


async def test_a_service_that_is_away_for_a_moment_is_told_again(bench: Lab, receiver: Receiver) -> None:
    kept = bench.service.endpoint(receiver.url())
    refusals = iter([Problem(Rule(503), "", reason="STORAGE_UNAVAILABLE")] * 2)
    bench.service.refuse = lambda: next(refusals, None)
    bench.service.happen("a", 3)
    bench.start()
    await receiver.until(lambda: kept.cursor == 3)
    assert receiver.ids() == ["a-1", "a-2", "a-3"]


async def test_drain_finishes_records_and_gives_back(bench: Lab, receiver: Receiver) -> None:
    kept = bench.service.endpoint(receiver.url())
    receiver.otherwise = Answer(slow=0.1)
    bench.service.happen("a", 5)
    session = bench.start()
    await receiver.until(lambda: len(receiver.received) == 1)
    await session.drain()
    _, task = bench.running["we_1"]
    await asyncio.wait_for(task, 2)
    assert receiver.ids() == ["a-1"]
    assert [delivery.event_id for delivery in kept.deliveries.values()] == ["a-1"]
    bench.start()
    receiver.otherwise = OK
    await receiver.until(lambda: kept.cursor == 5)
    assert firsts(receiver.ids(), "a") == [1, 2, 3, 4, 5]


async def test_replays_go_beside_and_say_how_it_went(bench: Lab, receiver: Receiver) -> None:
    kept = bench.service.endpoint(receiver.url())
    bench.service.happen("a", 3)
    session = bench.start()
    await receiver.until(lambda: kept.cursor == 3)
    at = timestamp(START)
    one = pb.WebhookReplay(id="webhook_replay_1", endpoint_id="we_1", event_id="a-2", cursor="1", create_time=at)
    stretch = pb.WebhookReplay(id="webhook_replay_2", range=pb.WebhookReplayRange(start_time=at), create_time=at)
    test = pb.WebhookReplay(id="webhook_replay_3", test_event_type="dsync.group.user_added", create_time=at)
    kept.replays |= {replay.id: replay for replay in (one, stretch, test)}
    session.update(pb.WebhookTarget(endpoint=kept.message, replays=[one, stretch, test]))
    await receiver.until(lambda: all(replay.HasField("complete_time") for replay in kept.replays.values()))
    assert receiver.ids()[3:] == ["a-2", "a-1", "a-2", "a-3", "event_3"]
    assert [replay.delivered_count for replay in kept.replays.values()] == [1, 3, 1]
    assert {replay.error for replay in kept.replays.values()} == {""}
    receiver.otherwise = BROKEN
    again = pb.WebhookReplay(id="webhook_replay_4", event_id="a-1", cursor="0", create_time=at)
    session.update(pb.WebhookTarget(endpoint=kept.message, replays=[again]))
    await receiver.until(lambda: "webhook_replay_4" in kept.replays)
    assert kept.replays["webhook_replay_4"].error == "status 500"
    assert not kept.lanes, "ordinary deliveries are not held up"


@pytest.mark.parametrize("known", ["old", "new"])
async def test_a_test_during_a_change_of_secrets_arrives_at_a_workos_receiver(
    bench: Lab, receiver: Receiver, known: str
) -> None:
    """Whichever of the two secrets it knows."""
    kept = bench.service.endpoint(receiver.url())
    secrets = {"old": kept.message.secrets[0].value, "new": "whsec_" + "bmV4" * 11}
    del kept.message.secrets[:]
    kept.message.secrets.extend([pb.WebhookSecret(value=secrets["new"]), pb.WebhookSecret(value=secrets["old"])])

    def verify(request: Received) -> Answer:
        given = request.headers["workos-signature"]
        milliseconds = int(given.removeprefix("t=").split(",")[0])
        return OK if given == workos_signature(secrets[known], milliseconds, request.body) else Answer(400)

    receiver.otherwise = verify
    test = pb.WebhookReplay(id="webhook_replay_1", test_event_type="dsync.user.created", create_time=timestamp(START))
    kept.replays[test.id] = test
    bench.start()
    await receiver.until(lambda: kept.replays[test.id].HasField("complete_time"))
    assert (kept.replays[test.id].error, kept.replays[test.id].delivered_count) == ("", 1)
    [delivery] = kept.deliveries.values()
    assert (delivery.state, len(delivery.attempts)) == (SUCCEEDED, 1 if known == "old" else 2)


async def test_a_secret_in_rotation_signs_beside_the_old_one(bench: Lab, receiver: Receiver) -> None:
    kept = bench.service.endpoint(receiver.url())
    newer = "whsec_" + "bmV4" * 11
    ending = pb.WebhookSecret(value=kept.message.secrets[0].value, expire_time=timestamp(START + 60))
    del kept.message.secrets[:]
    kept.message.secrets.extend([pb.WebhookSecret(value=newer), ending])
    bench.service.happen("a")
    bench.start()
    await receiver.until(lambda: len(receiver.received) == 1)
    bench.clock.forward(61)
    bench.service.happen("a")
    await receiver.until(lambda: len(receiver.received) == 2)
    assert [len(request.headers["webhook-signature"].split(" ")) for request in receiver.received] == [2, 1]


async def test_endpoints_that_hang_leave_room_for_the_others() -> None:
    """A tenth of the endpoints hang, more than there are connections, and longer than the test lasts."""
    settings = replace(SETTINGS, connections=4, total_seconds=120.0)
    async with receiving() as receiver, lab(settings) as bench:
        good, hanging = [f"we_{number}" for number in range(54)], [f"we_h{number}" for number in range(6)]
        receiver.otherwise = lambda request: HANG if request.path.startswith("/we_h") else OK
        for name in hanging:
            kept = bench.service.endpoint(receiver.url(f"/{name}"), name)
            kept.message.failing_since_time.CopyFrom(timestamp(START - 60))
        bench.service.happen("a", 5)
        bench.service.happen("b", 5)
        for name in hanging:
            bench.start(name)
        await receiver.until(lambda: sum(receiver.open_requests.values()) == 2)
        for name in good:
            bench.service.endpoint(receiver.url(f"/{name}"), name)
            bench.start(name)
        await receiver.until(lambda: all(len(receiver.at(f"/{name}")) == 10 for name in good), 60)
        for name in good:
            assert firsts(receiver.ids(f"/{name}"), "a") == [1, 2, 3, 4, 5]
        assert sum(receiver.open_requests.values()) == 2, "those that hang have half of the connections at most"


async def test_bytes_in_memory_are_bounded(bench: Lab, receiver: Receiver) -> None:
    kept = bench.service.endpoint(receiver.url())
    bench.budget = Budget(500)
    bench.service.happen("a", 400)
    bench.start()
    await receiver.until(lambda: kept.cursor == 400)
    assert firsts(receiver.ids(), "a") == [*range(1, 401)]
    await bench.kill()
    await asyncio.wait_for(bench.budget.room(1), 1)
