"""What one reader of a subscription gets, and what becomes of what it says. Over both carriers."""

import asyncio

import pytest

from directorysync import errors
from tests.integration.feed.lab import USER, Log, eventually
from tests.integration.subscriptions.lab import Replica


async def append(one: Replica, log: Log, directory: str, commands: int = 1, events: int = 1, size: int = 0) -> None:
    for _ in range(commands):
        await log.append(directory, [USER] * events, size=size)
    one.sequencer.hint()


def numbers(messages: list) -> list[int]:
    return [event.directory_sequence for message in messages for event in message.events]


async def test_it_begins_where_it_was_made_and_goes_on_behind_what_was_acknowledged(
    one: Replica, log: Log, directory: str, carrier: str
) -> None:
    made = await one.create(f"a{directory}{carrier}", directory_ids=[directory])
    await append(one, log, directory, 3)
    async with one.reading(made.name, carrier, max_batch_size=1) as reader:
        first = await reader.next()
        assert (first.started, list(first.events), first.cursor) == (True, [], made.cursor)
        messages = await reader.events(3)
        assert numbers(messages) == [1, 2, 3]
        assert {message.redelivery_count for message in messages} == {0}
        reader.ack(messages[1].cursor)
        await reader.leave()
    kept = await one.get(made.id)
    assert (kept.cursor, kept.consumer, kept.redelivery_count) == (messages[1].cursor, "", 1)
    async with one.reading(made.id, carrier, max_batch_size=1) as reader:
        first = await reader.next()
        assert (first.cursor, first.redelivery_count) == (messages[1].cursor, 1)
        assert first.lease_epoch > messages[0].lease_epoch
        (again,) = await reader.events(1)
        assert (numbers([again]), again.redelivery_count) == ([3], 1)
        await append(one, log, directory)
        (fresh,) = await reader.events(1)
        assert (numbers([fresh]), fresh.redelivery_count) == ([4], 0)


async def test_what_waits_is_told(one: Replica, log: Log, directory: str) -> None:
    made = await one.create(f"lag{directory}", directory_ids=[directory])
    assert (made.lag, made.lag_time.ToMilliseconds()) == (0, 0)
    await append(one, log, directory, 4)
    await eventually(log.all_sequenced)
    waiting = await one.get(made.name)
    assert waiting.lag == 4
    assert waiting.lag_time.ToMicroseconds() > 0


async def test_no_more_than_the_credit_is_outstanding(one: Replica, log: Log, directory: str, carrier: str) -> None:
    made = await one.create(f"c{directory}{carrier}", directory_ids=[directory])
    await append(one, log, directory, 10)
    async with one.reading(made.name, carrier, credit=4, max_batch_size=1) as reader:
        messages = await reader.events(4)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await reader.events(1)
    async with one.reading(made.name, carrier, credit=4, max_batch_size=1) as reader:
        messages = await reader.events(4)
        reader.ack(messages[1].cursor)
        assert numbers(await reader.events(2)) == [5, 6]
        reader.credit(3)
        assert numbers(await reader.events(3)) == [7, 8, 9]


async def test_a_command_larger_than_the_credit_comes_whole_once_nothing_else_waits(
    one: Replica, log: Log, directory: str, carrier: str
) -> None:
    made = await one.create(f"l{directory}{carrier}", directory_ids=[directory])
    await append(one, log, directory)
    await append(one, log, directory, 1, 2_500)
    await append(one, log, directory)
    async with one.reading(made.name, carrier, credit=10) as reader:
        (small,) = await reader.events(1)
        reader.ack(small.cursor)
        parts = await reader.events(2_500)
        assert numbers(parts) == list(range(2, 2_502))
        assert [part.continues for part in parts] == [*[True] * (len(parts) - 1), False]
        assert [part.cursor for part in parts[:-1]] == [""] * (len(parts) - 1)
        reader.ack(parts[-1].cursor)
        assert numbers(await reader.events(1)) == [2_502]


@pytest.mark.parametrize("delay", [0.0, 0.2])
async def test_nack_brings_everything_behind_the_last_acknowledgement_again(
    one: Replica, log: Log, directory: str, carrier: str, delay: float
) -> None:
    made = await one.create(f"n{directory}{carrier}", directory_ids=[directory])
    await append(one, log, directory, 5)
    async with one.reading(made.name, carrier, max_batch_size=1) as reader:
        messages = await reader.events(4)
        reader.ack(messages[1].cursor)
        reader.nack("cannot write", delay)
        again = await reader.started()
        assert (again.cursor, again.redelivery_count) == (messages[1].cursor, 1)
        repeated = await reader.events(3)
        assert numbers(repeated) == [3, 4, 5]
        assert repeated[0].redelivery_count == 1
        reader.nack("again")
        await reader.started()
        repeated = await reader.events(3)
        assert (numbers(repeated), repeated[0].redelivery_count) == ([3, 4, 5], 2)
        reader.ack(repeated[-1].cursor)
        await reader.leave()
    kept = await one.get(made.id)
    assert (kept.last_error, kept.redelivery_count, kept.cursor) == ("again", 0, repeated[-1].cursor)


async def test_cursors_that_the_stream_did_not_give_are_refused(
    one: Replica, log: Log, directory: str, carrier: str
) -> None:
    made = await one.create(f"x{directory}{carrier}", directory_ids=[directory])
    await append(one, log, directory, 3)
    async with one.reading(made.name, carrier) as reader:
        whole = await reader.events(3)
    async with one.reading(made.name, carrier, max_batch_size=3) as reader:
        await reader.next()
        # The end of the log is not yet sent, or inside what was.
        for strange in ("nonsense", one.feed.cursor_of(directory, 2)):
            async with one.reading(made.name, carrier, takeover=True) as other:
                other.ack(strange)
                assert (await other.failure()).reason == "CURSOR_INVALID"
    async with one.reading(made.name, carrier, credit=1, max_batch_size=1) as reader:
        await reader.events(1)
        reader.ack(whole[-1].cursor)
        assert (await reader.failure()).reason == "CURSOR_INVALID"
    assert (await one.get(made.id)).cursor == made.cursor


async def test_an_older_acknowledgement_changes_nothing(one: Replica, log: Log, directory: str, carrier: str) -> None:
    made = await one.create(f"o{directory}{carrier}", directory_ids=[directory])
    await append(one, log, directory, 3)
    async with one.reading(made.name, carrier, max_batch_size=1) as reader:
        messages = await reader.events(3)
        for message in (messages[2], messages[0], messages[2]):
            reader.ack(message.cursor)
        reader.ack(made.cursor)
        await reader.leave()
    assert (await one.get(made.id)).cursor == messages[2].cursor


async def test_bookmarks_move_an_idle_subscription_on(one: Replica, log: Log, directory: str, carrier: str) -> None:
    made = await one.create(f"b{directory}{carrier}", directory_ids=[directory])
    other = await log.directory("other")
    async with one.reading(made.name, carrier, bookmark_interval={"seconds": 1}) as reader:
        await reader.next()
        await append(one, log, other, 7)
        await eventually(log.all_sequenced)
        while (bookmark := await reader.next()).cursor == made.cursor:
            pass
        assert (list(bookmark.events), bookmark.caught_up) == ([], True)
        reader.ack(bookmark.cursor)
        await reader.leave()
    assert (await one.get(made.id)).lag == 0


async def test_a_reader_without_credit_hears_that_the_stream_lives(
    one: Replica, log: Log, directory: str, carrier: str
) -> None:
    made = await one.create(f"h{directory}{carrier}", directory_ids=[directory])
    await append(one, log, directory, 3)
    async with one.reading(made.name, carrier, credit=1, bookmark_interval={"seconds": 1}) as reader:
        await reader.events(1)
        sign = await reader.next()
        assert (list(sign.events), sign.cursor) == ([], made.cursor)


async def test_requests_that_make_no_sense_are_refused(one: Replica, directory: str, carrier: str) -> None:
    made = await one.create(f"r{directory}{carrier}", directory_ids=[directory])
    for begin in ({"consumer": ""}, {"credit": 10_001}, {"credit": -1}, {"max_batch_size": -1},
                  {"wait": {"seconds": 301}}, {"bookmark_interval": {"seconds": 301}}):  # fmt: skip
        async with one.reading(made.name, carrier, **begin) as reader:
            assert isinstance(await reader.failure(), errors.InvalidArgument)
    async with one.reading(made.name, carrier) as reader:
        reader.credit(9_501)
        assert (await reader.failure()).metadata == {"field": "credit"}
    async with one.reading("nobody", carrier) as reader:
        assert isinstance(await reader.failure(), errors.NotFound)
