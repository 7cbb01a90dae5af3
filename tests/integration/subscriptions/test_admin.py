"""Subscriptions made, found, moved and forgotten; and who may."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from directorysync import errors
from directorysync.v1 import subscriptions_pb2 as pb
from service.domain.caller import Caller, Scope
from tests.integration.feed.lab import USER, Log, eventually
from tests.integration.subscriptions.lab import Replica
from tests.integration.subscriptions.test_subscribe import append, numbers

ADMIN = frozenset({Scope.ADMIN})


async def names(one: Replica, caller: str = "all") -> list[str]:
    found: list[str] = []
    token = ""
    while True:
        request = pb.ListSubscriptionsRequest(page_size=2, page_token=token)
        page = await one.admin("ListSubscriptions", request, caller)
        found += [subscription.name for subscription in page.subscriptions]
        if not (token := page.next_page_token):
            return found


async def test_what_was_made_is_shown_and_listed_in_order(one: Replica, log: Log, directory: str) -> None:
    wanted = {"directory_ids": [directory], "types": ["dsync.user.*"]}
    made = [await one.create(f"{number}{directory}", **wanted) for number in range(5)]
    assert made[0].id.startswith("subscription_")
    assert (list(made[0].filter.directory_ids), list(made[0].filter.types)) == ([directory], ["dsync.user.*"])
    assert await one.get(made[0].name) == await one.get(made[0].id)
    listed = await names(one)
    assert [name for name in listed if name.endswith(directory)] == [subscription.name for subscription in made]
    await one.admin("DeleteSubscription", pb.DeleteSubscriptionRequest(subscription=made[0].name))
    assert made[0].name not in await names(one)
    for gone in (made[0].name, made[0].id):
        with pytest.raises(errors.NotFound):
            await one.admin("DeleteSubscription", pb.DeleteSubscriptionRequest(subscription=gone))


async def test_names_are_taken_once(one: Replica, directory: str) -> None:
    await one.create(f"twice{directory}")
    with pytest.raises(errors.AlreadyExists):
        await one.create(f"twice{directory}")


@pytest.mark.parametrize(
    "refused",
    [
        {"name": ""},
        {"name": "x" * 129},
        {"name": "subscription_1"},
        {"types": ["*"]},
        {"directory_ids": [""]},
        {"position": pb.SubscriptionPosition(cursor="nonsense")},
        {"position": pb.SubscriptionPosition(now=False)},
    ],
)
async def test_what_makes_no_sense_is_refused(one: Replica, directory: str, refused: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidArgument):
        await one.create(**{"name": f"bad{directory}", **refused})
    with pytest.raises(errors.NotFound):
        await one.create(f"bad{directory}", directory_ids=["directory_of_nobody"])


async def test_it_begins_where_it_is_told(one: Replica, log: Log, directory: str) -> None:
    long_ago, lately = datetime.now(UTC) - timedelta(hours=2), datetime.now(UTC) - timedelta(hours=1)
    await log.append(directory, at=long_ago)
    await log.append(directory, [USER] * 2, at=lately)
    await append(one, log, directory)
    await eventually(log.all_sequenced)
    ids = await one.pool.fetch("SELECT id FROM event WHERE directory_id = $1 ORDER BY seq", directory)
    time = pb.SubscriptionPosition()
    time.time.FromDatetime(lately - timedelta(minutes=1))
    made = await one.create(f"at{directory}", directory_ids=[directory])
    for position, expected in (
        (pb.SubscriptionPosition(beginning=True), [1, 2, 3, 4]),
        (pb.SubscriptionPosition(cursor=one.feed.cursor_of(directory, 3)), [4]),
        (pb.SubscriptionPosition(cursor=one.feed.cursor_of(directory, 0)), [1, 2, 3, 4]),
        (time, [2, 3, 4]),
        (pb.SubscriptionPosition(event_id=ids[0]["id"]), [2, 3, 4]),
        (pb.SubscriptionPosition(event_id=ids[1]["id"]), [3, 4]),
        (pb.SubscriptionPosition(cursor=made.cursor), []),
    ):
        request = pb.ResetSubscriptionRequest(subscription=made.name, position=position)
        moved = (await one.admin("ResetSubscription", request)).subscription
        assert moved.lease_epoch > made.lease_epoch
        async with one.reading(made.name) as reader:
            assert numbers(await reader.events(len(expected))) == expected
    with pytest.raises(errors.InvalidArgument, match="no such event"):
        await one.create("by event", position=pb.SubscriptionPosition(event_id="event_of_nobody"))
    with pytest.raises(errors.InvalidArgument):
        await one.admin("ResetSubscription", pb.ResetSubscriptionRequest(subscription=made.name))


async def test_a_bound_key_makes_and_sees_what_lies_within_its_bounds(one: Replica, log: Log) -> None:
    inside, outside = await log.directory("inside", "org_in"), await log.directory("outside", "org_out")
    organization = f"org_in{log.suffix}"
    one.callers["bound"] = Caller("bound", ADMIN, organization_ids=frozenset({organization}))
    by_organization = await one.create(f"o{inside}", organization_ids=[organization])
    by_directory = await one.create(f"d{inside}", directory_ids=[inside])
    foreign = await one.create(f"f{inside}", directory_ids=[outside])
    whole = await one.create(f"w{inside}")
    own = await one.create(f"b{inside}", caller="bound")
    assert await names(one, "bound") == [by_organization.name, by_directory.name, own.name]
    for hidden in (foreign, whole):
        with pytest.raises(errors.NotFound):
            await one.get(hidden.name, "bound")
        with pytest.raises(errors.NotFound):
            await one.admin("DeleteSubscription", pb.DeleteSubscriptionRequest(subscription=hidden.id), "bound")
        async with one.reading(hidden.name, caller="bound") as reader:
            assert isinstance(await reader.failure(), errors.NotFound)
    with pytest.raises(errors.NotFound):
        await one.create(f"x{inside}", caller="bound", directory_ids=[outside])
    await append(one, log, outside)
    await append(one, log, inside, 2)
    # Who made it bounds what it brings, whoever reads.
    for caller in ("bound", "all"):
        async with one.reading(own.name, caller=caller) as reader:
            messages = await reader.events(2)
            assert {event.directory_id for message in messages for event in message.events} == {inside}


async def test_reading_needs_the_scope_for_it(one: Replica, directory: str) -> None:
    made = await one.create(f"s{directory}")
    one.callers["reads"] = Caller("reads", frozenset({Scope.READ}))
    one.callers["watches"] = Caller("watches", frozenset({Scope.WATCH}))
    async with one.reading(made.name, caller="reads") as reader:
        assert isinstance(await reader.failure(), errors.ScopeMissing)
    async with one.reading(made.name, caller="watches") as reader:
        assert (await reader.next()).started
    with pytest.raises(errors.ScopeMissing):
        await one.create(f"t{directory}", caller="watches")
