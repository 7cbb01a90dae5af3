"""The rows of memberships tell who was in which group at every number of a directory's log."""

import asyncio
import contextlib
import random

from directorysync.v1 import events_pb2
from service.domain.errors import NotFoundError
from tests.integration.commit.conftest import Directories

AS_OF = """
SELECT group_id, member_id FROM membership WHERE directory_id = $1 AND since_seq <= $2
UNION ALL
SELECT group_id, member_id FROM ended_membership WHERE directory_id = $1 AND since_seq <= $2 AND ended_seq > $2
"""
Places = set[tuple[str, str]]


def replayed(before: Places, event: events_pb2.Event) -> Places:
    """The memberships after an event."""
    place = (event.membership.group_id, event.membership.member_id)
    match event.type:
        case "dsync.group.user_added" | "dsync.group.group_added":
            return before | {place}
        case "dsync.group.user_removed" | "dsync.group.group_removed":
            return before - {place}
        case "dsync.user.deleted":
            return {place for place in before if place[1] != event.user.id}
        case "dsync.group.deleted":
            return {place for place in before if event.group.id not in place}
        case _:
            return before


async def test_memberships_at_every_number_are_those_of_the_replayed_events(directories: Directories) -> None:
    await directories.make("d1")
    users = [await directories.create_user("d1", f"user{index}") for index in range(8)]
    groups = [await directories.create_group("d1", f"group{index}") for index in range(4)]
    chance = random.Random(7)

    async def change() -> None:
        group, member = chance.choice(groups), chance.choice(users + groups)
        operation = chance.choice(["add", "add", "remove", "replace", "delete", "create"])
        named = [{"value": member}]
        with contextlib.suppress(NotFoundError):
            if operation == "remove":
                await directories.patch("d1", group, {"op": "remove", "path": f'members[value eq "{member}"]'})
            elif operation in {"add", "replace"}:
                await directories.patch("d1", group, {"op": operation, "path": "members", "value": named})
            elif operation == "create":
                users.append(await directories.create_user("d1", f"more{chance.random()}"))
            elif chance.random() < 0.3:
                await directories.delete("d1", member)

    for _ in range(12):
        # Together, so that members come and go within one batch.
        await asyncio.gather(*(change() for _ in range(25)))
    events = await directories.events("d1")
    assert {event.type for event in events} >= {"dsync.user.deleted", "dsync.group.user_removed", "dsync.group.deleted"}
    expected: Places = set()
    for event in events:
        expected = replayed(expected, event)
        rows = await directories.fetch(AS_OF, "d1", event.directory_sequence)
        found = [(row["group_id"], row["member_id"]) for row in rows]
        assert len(found) == len(set(found))
        assert set(found) == expected, (event.directory_sequence, event.type)


async def test_events_tell_the_version_of_the_group_that_a_membership_made(directories: Directories) -> None:
    await directories.make("d1")
    ada, bea = [await directories.create_user("d1", name) for name in ("ada", "bea")]
    group = await directories.create_group("d1", "g", [ada])
    await directories.patch("d1", group, {"op": "add", "path": "members", "value": [{"value": bea}]})
    events = await directories.events("d1")
    versions = [event.membership.group_version for event in events if event.HasField("membership")]
    (row,) = await directories.fetch("SELECT version FROM directory_group")
    assert versions == [1, 2]
    assert row["version"] == 2
