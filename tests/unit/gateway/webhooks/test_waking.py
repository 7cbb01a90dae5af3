"""What waits for its schedule goes on ahead of it when the endpoint shows that it lives."""

from dataclasses import replace

import pytest

from directorysync.v1 import webhooks_pb2 as pb
from gateway.webhooks.attempts import timestamp
from gateway.webhooks.schedule import DELAYS
from tests.support.receiver import OK, Receiver
from tests.unit.gateway.webhooks.lab import BROKEN, START, Lab, fails


async def test_after_a_short_outage_a_success_wakes_what_waits_once(bench: Lab, receiver: Receiver) -> None:
    kept = bench.service.endpoint(receiver.url())
    receiver.otherwise = fails("a-1")
    bench.service.happen("a", 2)
    bench.start()
    await receiver.until(lambda: len(kept.lanes) == 1)
    bench.clock.forward(6)
    await receiver.until(lambda: kept.lanes["a"].attempt_count == 2)
    bench.service.happen("b")
    await receiver.until(lambda: "b-1" in receiver.ids() and kept.cursor == 3)
    await receiver.until(lambda: kept.lanes["a"].attempt_count == 3)
    assert kept.lanes["a"].next_attempt_time == timestamp(bench.clock.time + DELAYS[2]), "the schedule goes on"
    bench.service.happen("b")
    await receiver.until(lambda: kept.cursor == 4)
    bench.clock.forward(60)
    await bench.settle()
    assert receiver.ids().count("a-1") == 3, "one that is refused for itself keeps its schedule"


@pytest.mark.parametrize("asked", [0, 250])
async def test_a_test_that_arrives_wakes_what_waits(bench: Lab, receiver: Receiver, asked: int) -> None:
    kept = bench.service.endpoint(receiver.url())
    answer = replace(BROKEN, headers=(("retry-after", str(asked)),)) if asked else BROKEN
    receiver.otherwise = BROKEN
    bench.service.happen("a", 2)
    session = bench.start()
    await receiver.until(lambda: len(kept.lanes) == 1)
    receiver.otherwise = answer
    bench.clock.forward(6)
    await receiver.until(lambda: kept.lanes["a"].attempt_count == 2)
    receiver.otherwise = OK
    test = pb.WebhookReplay(id="webhook_replay_1", test_event_type="dsync.user.created", create_time=timestamp(START))
    session.update(pb.WebhookTarget(endpoint=kept.message, replays=[test]))
    await receiver.until(lambda: "event_1" in receiver.ids())
    await bench.settle()
    if asked:
        bench.clock.forward(asked - 1)
        await bench.settle()
        assert "a-2" not in receiver.ids(), "Retry-After holds"
    bench.clock.forward(2)
    await receiver.until(lambda: not kept.lanes and receiver.ids()[-2:] == ["a-1", "a-2"])


async def test_when_an_endpoint_is_up_again_its_lanes_do_not_wait_for_hours(bench: Lab, receiver: Receiver) -> None:
    kept = bench.service.endpoint(receiver.url())
    receiver.otherwise = BROKEN
    for directory in ("a", "b", "c", "d"):
        bench.service.happen(directory)
    bench.start()
    for delay in (0, *DELAYS[:4]):
        bench.clock.forward(delay + 1)
        await bench.settle()
    assert len(kept.lanes) >= 3
    receiver.otherwise = OK
    bench.service.happen("e")
    bench.clock.forward(60)
    await receiver.until(lambda: not kept.lanes and kept.cursor == 5)
    for directory in ("a", "b", "c", "d", "e"):
        assert f"{directory}-1" in receiver.ids()
