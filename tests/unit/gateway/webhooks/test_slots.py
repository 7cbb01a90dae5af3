"""Attempts begin a few at a time, in the order of asking."""

import asyncio

from gateway.webhooks.slots import Turns


async def test_turns_leave_the_loop_to_others() -> None:
    turns, begun, ticks = Turns(4), list[int](), list[int]()

    async def attempt(number: int) -> None:
        await turns.wait()
        begun.append(number)

    tasks = [asyncio.create_task(attempt(number)) for number in range(40)]
    while len(begun) < 40:
        before = len(begun)
        await asyncio.sleep(0)
        ticks.append(len(begun) - before)
    assert begun == [*range(40)]
    assert max(ticks) <= 8
    await asyncio.gather(*tasks)


async def test_who_went_away_takes_no_turn() -> None:
    turns = Turns(1)
    tasks = [asyncio.create_task(turns.wait()) for _ in range(5)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    await asyncio.wait_for(turns.wait(), 5)
