"""Whether a mirror is what the service holds: every question that it can be asked, against plain reasoning."""

from collections.abc import Collection
from unicodedata import normalize

from directorysync.mirror import Lookups
from directorysync.v1.resources_pb2 import Directory, DirectoryUser
from tests.unit.client.mirror.world import World


def folded(text: str) -> str:
    return normalize("NFKC", normalize("NFKC", text).casefold())


def closure(edges: Collection[tuple[str, str]], start: str) -> set[str]:
    """Whatever can be reached."""
    found, waiting = set(), [start]
    while waiting:
        here = waiting.pop()
        new = {there for source, there in edges if source == here} - found
        found |= new
        waiting += new
    return found


def faults(mirror: Lookups, world: World, directory_ids: Collection[str] | None = None) -> list[str]:
    """Every difference. `directory_ids`: what the mirror is of; None: all."""
    found: list[str] = []

    def compare(what: str, actual: object, expected: object) -> None:
        if actual != expected:
            found.append(f"{what}: {actual} instead of {expected}")

    ids = set(world.directories) if directory_ids is None else set(directory_ids) & set(world.directories)
    users = {key: one for key, one in world.users.items() if one.directory_id in ids}
    groups = {key: one for key, one in world.groups.items() if one.directory_id in ids}
    members = {pair for pair in world.members if pair[0] in groups}
    for directory_id in ids:
        expected = Directory()
        expected.CopyFrom(world.directories[directory_id])
        expected.sequence = world.sequences[directory_id]
        compare("directory", mirror.directory(directory_id), expected)
    compare("directories", {one.id for one in mirror.directories()}, ids)
    compare("users", {one.id: one for one in mirror.users()}, users)
    for group_id, group in groups.items():
        compare("group", mirror.group(group_id), group)
        direct = {member for circle, member in members if circle == group_id}
        compare(f"members of {group_id}", set(mirror.member_ids(group_id)), direct)
        inside = closure(members, group_id) & set(users)
        compare(f"all of {group_id}", set(mirror.member_ids(group_id, effective=True)), inside)
        compare("message", [one.id for one in mirror.members(group_id)], [one for one in mirror.member_ids(group_id)
                                                                         if one in users])  # fmt: skip
        named = sorted(key for key, one in groups.items() if folded(one.name) == folded(group.name))
        compare(f"groups named {group.name}", [one.id for one in mirror.find_groups(group.name.upper())], named)
    upwards = {(member, group) for group, member in members}
    for member_id in [*users, *groups]:
        direct = {group for group, member in members if member == member_id}
        compare(f"groups of {member_id}", set(mirror.group_ids(member_id)), direct)
        around = closure(upwards, member_id) - {member_id}
        compare(f"groups around {member_id}", set(mirror.group_ids(member_id, effective=True)), around)
    for user in users.values():
        _compare_keys(mirror, list(users.values()), user, compare)
    compare("keys left over", _keys_held(mirror), _keys_of(users.values(), groups.values()))
    return found


def _compare_keys(mirror: Lookups, users: list[DirectoryUser], user: DirectoryUser, compare: object) -> None:
    def mail(one: DirectoryUser) -> set[str]:
        return {folded(text) for text in [one.email, *(email.value for email in one.emails)] if text}

    for address in mail(user):
        same = sorted(one.id for one in users if address in mail(one))
        compare(f"by {address}", [one.id for one in mirror.find_users(email=address.upper())], same)
    same = sorted(one.id for one in users if folded(one.user_name) == folded(user.user_name))
    compare(f"named {user.user_name}", [one.id for one in mirror.find_users(user_name=user.user_name)], same)
    if user.idp_id:
        same = sorted(one.id for one in users if one.idp_id == user.idp_id)
        compare(f"idp {user.idp_id}", [one.id for one in mirror.find_users(idp_id=user.idp_id)], same)


def _keys_of(users: Collection[DirectoryUser], groups: Collection[object]) -> list[int]:
    mails = {folded(text) for one in users for text in [one.email, *(email.value for email in one.emails)] if text}
    names = {folded(one.user_name) for one in users}
    return [len(mails), len(names), len({one.idp_id for one in users if one.idp_id}),
            len({folded(one.name) for one in groups})]  # fmt: skip


def _keys_held(mirror: Lookups) -> list[int]:
    state = mirror.held.current()
    return [len(index) for index in (state.emails, state.user_names, state.idp_ids, state.group_names)]
