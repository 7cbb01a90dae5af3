"""Bulk requests on their way to the commit path."""

import asyncio
from typing import Any, cast

import msgspec

from service.app.bulk import Bulk
from service.domain.commands import Command
from service.domain.decision import Outcome

PATCH = {"Operations": [{"op": "replace", "path": "title", "value": "x"}]}


class Queue:
    """Stands where the commit path does: what waits when the first operation is looked at would share its commit."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.first_saw = 0

    async def run(self, _: object, command: Command, __: int, ___: str) -> Outcome:
        self.ids.append(cast("Any", command).id)
        first = len(self.ids) == 1
        await asyncio.sleep(0)
        if first:
            self.first_saw = len(self.ids)
        return cast("Outcome", None)


async def test_operations_of_one_request_wait_together_and_in_their_order() -> None:
    queue = Queue()
    operations = [{"method": "PATCH", "path": f"/Users/user_{number}", "data": PATCH} for number in range(10)]
    answers = await Bulk(cast("Any", queue)).run(
        cast("Any", None), msgspec.json.encode({"Operations": operations}).decode(), "req_1"
    )
    assert queue.ids == [f"user_{number}" for number in range(10)]
    assert queue.first_saw == 10
    assert [answer.resource_id for answer in answers] == queue.ids


async def test_a_long_request_lets_others_have_their_turn() -> None:
    queue, turns = Queue(), 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    operations = [{"method": "PATCH", "path": f"/Users/user_{number}", "data": PATCH} for number in range(1000)]
    watching = asyncio.create_task(other())
    await Bulk(cast("Any", queue)).run(
        cast("Any", None), msgspec.json.encode({"Operations": operations}).decode(), "req_1"
    )
    watching.cancel()
    assert queue.ids == [f"user_{number}" for number in range(1000)]
    assert turns >= 50
