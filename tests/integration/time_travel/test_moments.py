"""Which moment is meant, how far back it may lie, and who may ask."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.domain.cursor import directory_cursor, feed_cursor
from service.storage import directories as directories_table
from service.storage.database import connect
from tests.integration.commit.conftest import Directories
from tests.support.stack import Refused, Stack


async def sequence(stack: Stack) -> str:
    """Give positions to all events; the epoch."""
    await stack.pool.execute("SELECT claim_feed_v1('epoch')")
    await stack.pool.fetchval("SELECT sequence_feed_v1(true)")
    return str(await stack.pool.fetchval("SELECT epoch FROM feed_state"))


async def title(stack: Stack, user: str, secret: str | None = None, **moment: Any) -> str:
    answer = await stack.call("DirectorySync/GetUser", secret, id=user, directory_id="d", as_of=moment)
    return str(answer.user.job_title)


async def refused(stack: Stack, name: str, secret: str | None = None, /, **fields: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        await stack.call(f"DirectorySync/{name}", secret, **fields)
    return caught.value.reason, caught.value.metadata.get("field", "")


async def retitle(directories: Directories, user: str, value: str) -> None:
    await directories.patch("d", user, {"op": "replace", "path": "title", "value": value})


@pytest.fixture
async def user(directories: Directories) -> str:
    """One user of the directory d whose title was 1, 2, 3 behind the events 1, 2, 3."""
    await directories.make("d", "other")
    made = await directories.create_user("d", "ada", title="1")
    for number in (2, 3):
        await asyncio.sleep(0.002)
        await retitle(directories, made, str(number))
    return made


async def test_a_number_a_time_and_cursors_mean_the_same_moment(
    directories: Directories, stack: Stack, user: str
) -> None:
    await directories.create_user("other", "eve")
    epoch = await sequence(stack)
    times = [event.create_time.ToDatetime(tzinfo=UTC) for event in await directories.events("d")]
    positions = [
        row["pos"] for row in await stack.pool.fetch("SELECT pos FROM feed WHERE directory_id='d' ORDER BY seq")
    ]
    for number in (1, 2, 3):
        assert await title(stack, user, directory_sequence=number) == str(number)
        assert await title(stack, user, time=times[number - 1]) == str(number)
        assert await title(stack, user, cursor=directory_cursor(epoch, "d", number)) == str(number)
        assert await title(stack, user, cursor=feed_cursor(epoch, positions[number - 1])) == str(number)
    assert await title(stack, user, time=times[1] - timedelta(microseconds=1)) == "1"
    assert await title(stack, user, time=datetime(2099, 1, 1, tzinfo=UTC)) == "3"
    early = {"id": user, "directory_id": "d"}
    for moment in ({"directory_sequence": 0}, {"time": times[0] - timedelta(seconds=1)}):
        assert await refused(stack, "GetUser", **early, as_of=moment) == ("RESOURCE_NOT_FOUND", "")


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"as_of": {}}, ("ARGUMENT_INVALID", "as_of")),
        ({"as_of": {"directory_sequence": 4}}, ("ARGUMENT_INVALID", "as_of.directory_sequence")),
        ({"as_of": {"directory_sequence": -1}}, ("ARGUMENT_INVALID", "as_of.directory_sequence")),
        ({"as_of": {"directory_sequence": 2**63 - 1}}, ("ARGUMENT_INVALID", "as_of.directory_sequence")),
        ({"as_of": {"cursor": "nonsense"}}, ("CURSOR_INVALID", "")),
        ({"as_of": {"cursor": directory_cursor("e", "other", 1)}}, ("CURSOR_INVALID", "")),
        ({"as_of": {"cursor": directory_cursor("another", "d", 1)}}, ("CURSOR_DIVERGED", "")),
        ({"as_of": {"cursor": feed_cursor("another", 1)}}, ("CURSOR_DIVERGED", "")),
        ({"directory_id": "", "as_of": {"directory_sequence": 1}}, ("ARGUMENT_INVALID", "directory_id")),
        ({"directory_id": "nobody", "as_of": {"directory_sequence": 1}}, ("RESOURCE_NOT_FOUND", "")),
    ],
)
async def test_moments_are_checked(stack: Stack, user: str, fields: dict[str, Any], answer: tuple[str, str]) -> None:
    await sequence(stack)
    assert await refused(stack, "GetUser", **{"id": user, "directory_id": "d", **fields}) == answer


async def test_a_membership_of_a_number_that_never_was_is_told_as_nothing(
    directories: Directories, stack: Stack, user: str
) -> None:
    group = await directories.create_group("d", "g", [user])
    place = {"directory_id": "d", "group_id": group, "user_id": user}
    moments = [{**place, "directory_sequence": number} for number in (2**63 - 1, -(2**63), 5)]
    answer = await stack.call("DirectorySync/ResolveMemberships", moments=moments)
    assert [one.HasField("user") for one in answer.memberships] == [False, False, True]


async def test_what_does_not_go_together_is_refused(directories: Directories, stack: Stack, user: str) -> None:
    group = await directories.create_group("d", "g", [user])
    now = {"as_of": {"directory_sequence": 5}, "directory_id": "d"}
    for name, whom in (("ListGroupMembers", {"group_id": group}), ("ListUserGroups", {"user_id": user})):
        assert await refused(stack, name, **whom, **now, effective=True) == ("ARGUMENT_INVALID", "effective")
        assert await refused(stack, name, **whom, **now, window={"after_id": "x"}) == ("ARGUMENT_INVALID", "window")
    # An id of the other kind is nobody's.
    assert (await refused(stack, "GetUser", id=group, **now))[0] == "RESOURCE_NOT_FOUND"
    assert (await refused(stack, "GetGroup", id=user, **now))[0] == "RESOURCE_NOT_FOUND"
    assert (await refused(stack, "ListGroupMembers", group_id=user, **now))[0] == "RESOURCE_NOT_FOUND"


async def test_the_past_ends_where_retention_does(directories: Directories, stack: Stack, user: str) -> None:
    await sequence(stack)
    second = (await directories.events("d"))[1].create_time.ToDatetime(tzinfo=UTC)
    await stack.pool.execute("DELETE FROM event WHERE directory_id = 'd' AND seq <= 2")
    assert await title(stack, user, directory_sequence=2) == "2"
    for moment in ({"directory_sequence": 1}, {"time": second}, {"cursor": directory_cursor("epoch", "d", 1)}):
        found = await refused(stack, "GetUser", id=user, directory_id="d", as_of=moment)
        assert found[0] == "CURSOR_EXPIRED", moment
    # A quiet directory has lost all of its log, and is still what it was.
    await stack.pool.execute("DELETE FROM event WHERE directory_id = 'd'")
    assert await title(stack, user, directory_sequence=3) == "3"
    assert await title(stack, user, cursor=directory_cursor("epoch", "d", 3)) == "3"


async def test_memberships_of_before_they_knew_their_place_are_out_of_reach(
    directories: Directories, stack: Stack, user: str
) -> None:
    await directories.create_group("d", "g", [user])
    await stack.pool.execute("UPDATE head SET history_seq = 4 WHERE directory_id = 'd'")
    await stack.call("DirectorySync/ListMemberships", directory_id="d", as_of={"directory_sequence": 4})
    found = await refused(stack, "ListMemberships", directory_id="d", as_of={"directory_sequence": 3})
    assert found[0] == "CURSOR_EXPIRED"
    assert await title(stack, user, directory_sequence=2) == "2"


async def test_the_past_is_as_bounded_as_the_present(directories: Directories, stack: Stack, user: str) -> None:
    secret = await stack.key("read", directories=["other"])
    asked = {"directory_id": "d", "as_of": {"directory_sequence": 1}}
    assert (await refused(stack, "GetUser", secret, id=user, **asked))[0] == "RESOURCE_NOT_FOUND"
    assert (await refused(stack, "ListMemberships", secret, **asked))[0] == "RESOURCE_NOT_FOUND"
    assert (await refused(stack, "ListMemberships", secret, directory_id="d"))[0] == "RESOURCE_NOT_FOUND"
    await stack.pool.execute("UPDATE directory SET state = 'deleted' WHERE id = 'd'")
    stack.time.forward(10)
    assert (await refused(stack, "GetUser", id=user, **asked))[0] == "RESOURCE_NOT_FOUND"


async def test_members_and_groups_as_they_were(directories: Directories, stack: Stack, user: str) -> None:
    bob = await directories.create_user("d", "bob")  # 4
    inner = await directories.create_group("d", "inner")  # 5
    group = await directories.create_group("d", "old name", [user, bob, inner])  # 6, 7 to 9
    await directories.patch("d", group, {"op": "replace", "path": "displayName", "value": "new name"})  # 10
    await directories.patch("d", group, {"op": "remove", "path": f'members[value eq "{bob}"]'})  # 11
    await directories.delete("d", inner)  # 12
    await directories.patch("d", user, {"op": "replace", "path": "userName", "value": "lovelace"})  # 13

    async def members(number: int, **more: Any) -> list[str]:
        seen: list[str] = []
        token = ""
        while True:
            page = await stack.call(
                "DirectorySync/ListGroupMembers", group_id=group, directory_id="d", page_size=1, page_token=token,
                as_of={"directory_sequence": number}, **more,
            )  # fmt: skip
            seen += [f"{one.group_name}: {one.member_name}" for one in page.members]
            token = page.next_page_token
            if not token:
                return sorted(seen)

    assert await members(9) == ["old name: ada", "old name: bob", "old name: inner"]
    assert await members(9, users_only=True) == ["old name: ada", "old name: bob"]
    assert await members(11) == ["new name: ada", "new name: inner"]
    assert await members(13) == ["new name: lovelace"]
    asked = {"user_id": user, "directory_id": "d"}
    groups = await stack.call("DirectorySync/ListUserGroups", **asked, as_of={"directory_sequence": 9})
    assert [one.name for one in groups.groups] == ["old name"]
    assert not (await stack.call("DirectorySync/ListUserGroups", **asked, as_of={"directory_sequence": 5})).groups
    rows = (await stack.call("DirectorySync/ListMemberships", directory_id="d")).memberships
    assert [(one.group_name, one.member_name) for one in rows] == [("new name", "lovelace")]


async def test_pages_stay_at_the_moment_of_the_first(directories: Directories, stack: Stack, user: str) -> None:
    users = [user] + [await directories.create_user("d", f"u{number}") for number in range(3)]
    group = await directories.create_group("d", "g", users)
    await sequence(stack)
    asked = {"directory_id": "d", "as_of": {"time": datetime(2099, 1, 1, tzinfo=UTC)}, "page_size": 2}
    first = await stack.call("DirectorySync/ListMemberships", **asked)
    await directories.patch("d", group, {"op": "remove", "path": "members"})
    rest = await stack.call("DirectorySync/ListMemberships", **asked, page_token=first.next_page_token)
    assert {one.member_id for page in (first, rest) for one in page.memberships} == set(users)
    assert not (await stack.call("DirectorySync/ListMemberships", **asked)).memberships


async def test_both_sides_of_memberships_are_resolved(directories: Directories, stack: Stack, user: str) -> None:
    group = await directories.create_group("d", "one", [user])  # 4, 5
    await directories.patch("d", group, {"op": "replace", "path": "displayName", "value": "two"})  # 6
    await retitle(directories, user, "later")  # 7
    eve = await directories.create_user("other", "eve")
    team = await directories.create_group("other", "team", [eve])
    await sequence(stack)

    def moment(number: int, directory: str = "d", of: str = user, within: str = group) -> dict[str, Any]:
        return {"directory_id": directory, "directory_sequence": number, "group_id": within, "user_id": of}

    moments = [moment(5), moment(7), moment(3, "other", eve, team), moment(9), moment(5, "nobody"), moment(5, of=group)]

    async def resolved(secret: str | None = None) -> list[tuple[str, str]]:
        answer = await stack.call("DirectorySync/ResolveMemberships", secret, moments=moments)
        return [(one.user.job_title or one.user.user_name, one.group.name) for one in answer.memberships]

    assert await resolved() == [("3", "one"), ("later", "two"), ("eve", "team"), ("", ""), ("", ""), ("", "one")]
    secret = await stack.key("watch", directories=["other"])
    assert await resolved(secret) == [("", ""), ("", ""), ("eve", "team"), ("", ""), ("", ""), ("", "")]
    assert not (await stack.call("DirectorySync/ResolveMemberships")).memberships
    assert await refused(stack, "ResolveMemberships", moments=[moment(5)] * 1001) == ("ARGUMENT_INVALID", "moments")
    assert await refused(stack, "ResolveMemberships", moments=[moment(5, of="")]) == (
        "ARGUMENT_INVALID",
        "moments.user_id",
    )
    # What retention took is unset, the rest is not lost with it.
    await stack.pool.execute("DELETE FROM event WHERE directory_id = 'd' AND seq <= 6")
    assert (await resolved())[:3] == [("", ""), ("later", "two"), ("eve", "team")]


async def test_directories_that_are_not_there_are_looked_for_together(
    directories: Directories, stack: Stack, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = await directories.create_group("d", "one", [user])
    looked: list[int] = []
    resolve = directories_table.resolve

    async def counted(pool: Any, names: Sequence[str]) -> Any:
        looked.append(len(names))
        return await resolve(pool, names)

    monkeypatch.setattr(directories_table, "resolve", counted)
    place = {"directory_sequence": 5, "group_id": group, "user_id": user}
    moments = [{"directory_id": f"nobody_{number}", **place} for number in range(999)]
    moments.append({"directory_id": "d", **place})
    answer = await stack.call("DirectorySync/ResolveMemberships", moments=moments)
    assert [one.HasField("user") for one in answer.memberships] == [False] * 999 + [True]
    assert sum(looked) == 1_000
    assert len(looked) == 2, "at most 500 names a query"


async def test_only_keys_made_for_it_see_when_memberships_changed(
    directories: Directories, stack: Stack, user: str
) -> None:
    secret = await stack.key("read")
    await stack.pool.execute("UPDATE api_key SET membership_update_time = true WHERE name = 'key'")
    lonely = await directories.create_user("d", "lonely")
    group = await directories.create_group("d", "g", [user])
    found = (await stack.call("DirectorySync/GetUser", secret, id=user)).user
    joined = (await directories.events("d"))[-1].create_time
    assert found.membership_update_time == joined
    assert not (await stack.call("DirectorySync/GetUser", id=user)).user.HasField("membership_update_time")
    await directories.patch("d", group, {"op": "remove", "path": "members"})
    left = (await directories.events("d"))[-1].create_time
    assert left.ToDatetime() > joined.ToDatetime()
    for name, fields in (
        ("ListUsers", {"directory_id": "d"}),
        ("BatchGetUsers", {"ids": [user, lonely]}),
    ):
        seen = {one.id: one for one in (await stack.call(f"DirectorySync/{name}", secret, **fields)).users}
        assert seen[user].membership_update_time == left
        assert not seen[lonely].HasField("membership_update_time")
    seen_by_name = (await stack.call("DirectorySync/LookupUsers", secret, user_name="ADA")).users
    assert [one.membership_update_time for one in seen_by_name] == [left]


async def test_every_probe_begins_at_one_place_of_an_index(stack: Stack, database_url: str) -> None:
    """The first event of a user behind a number is found without reading those of others between."""
    connection = await connect(database_url)
    await connection.execute(
        """INSERT INTO event (directory_id, seq, day, id, organization_id, type, entity_id, entity_version,
                              transaction_end, created_at, payload)
           SELECT 'd', i, current_date, 'e' || i, 'o', 'dsync.user.updated', 'directory_user_' || i % 3000, 2, true,
                  now(), ''
             FROM generate_series(1, 30000) AS i"""
    )
    await connection.execute("ANALYZE event")
    rows = await connection.fetch(
        """EXPLAIN (COSTS OFF) SELECT x.type FROM event x
            WHERE x.directory_id = 'd' AND (x.entity_id, x.seq) > ('directory_user_7', 5)
              AND x.entity_id <= 'directory_user_7' AND x.entity_version > 0
            ORDER BY x.entity_id, x.seq LIMIT 1"""
    )
    await connection.close()
    plan = "\n".join(row[0] for row in rows)
    assert "entity_id_seq_idx" in plan
    assert "_pkey" not in plan
    assert "Filter" not in plan
