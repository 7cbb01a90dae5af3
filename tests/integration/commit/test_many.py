"""Commands that name much: what they need is loaded together, never one by one."""

from typing import Any

import pytest

from service.scim.errors import Uniqueness
from tests.integration.commit.conftest import Directories


def member_operation(op: str, values: list[str]) -> dict[str, Any]:
    return {"op": op, "path": "members", "value": [{"value": value} for value in values]}


async def test_a_group_may_name_many_who_do_not_exist_yet(directories: Directories) -> None:
    await directories.make("d1")
    unknown = [f"nobody-{number}" for number in range(300)]
    by_name = await directories.create_user("d1", "Ada")
    by_external_id = await directories.create_user("d1", "bob", externalId="ext-1")
    group_id = await directories.create_group("d1", "Eng", [*unknown, "ada", "ext-1"])
    rows = await directories.fetch("SELECT member_id FROM membership WHERE group_id = $1", group_id)
    assert {row["member_id"] for row in rows} == {by_name, by_external_id}
    assert len(await directories.fetch("SELECT 1 FROM pending_member")) == 300
    await directories.patch("d1", group_id, member_operation("add", [f"later-{number}" for number in range(300)]))
    assert len(await directories.fetch("SELECT 1 FROM pending_member")) == 600
    await directories.patch("d1", group_id, member_operation("remove", unknown))
    assert len(await directories.fetch("SELECT 1 FROM pending_member")) == 300


async def test_a_user_may_be_awaited_by_many_groups(directories: Directories) -> None:
    await directories.make("d1")
    groups = [await directories.create_group("d1", f"g{number}", ["ada", "ext-1"]) for number in range(30)]
    user_id = await directories.create_user("d1", "Ada", externalId="ext-1")
    rows = await directories.fetch("SELECT group_id, member_id FROM membership")
    assert sorted(map(tuple, rows)) == sorted((group_id, user_id) for group_id in groups)
    assert await directories.fetch("SELECT 1 FROM pending_member") == []
    types = [event.type for event in await directories.events("d1")]
    assert types[-31:] == ["dsync.user.created", *["dsync.group.user_added"] * 30]


async def test_a_group_may_be_awaited_by_many_groups_and_by_itself(directories: Directories) -> None:
    await directories.make("d1")
    groups = [await directories.create_group("d1", f"g{number}", ["later"]) for number in range(30)]
    member = await directories.create_group("d1", "late", ["later"])
    await directories.patch("d1", member, {"op": "add", "path": "externalId", "value": "later"})
    rows = await directories.fetch("SELECT group_id, member_id FROM membership")
    assert sorted(map(tuple, rows)) == sorted((group_id, member) for group_id in groups)


async def test_a_user_may_have_many_addresses_where_they_are_unique(directories: Directories) -> None:
    await directories.make("d1")
    await directories.fetch("""UPDATE directory SET policy = '{"unique_emails": true}'""")
    addresses = [{"value": f"a{number}@x.org"} for number in range(100)]
    await directories.create_user("d1", "ada", emails=addresses)
    with pytest.raises(Uniqueness):
        await directories.create_user("d1", "bob", emails=[{"value": "b@x.org"}, {"value": "A99@x.org"}])
