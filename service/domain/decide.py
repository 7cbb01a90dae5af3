"""The one entry: decide a command against a view of its directory."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from service.domain import decide_groups, decide_users
from service.domain.commands import (
    Command,
    CreateGroup,
    CreateUser,
    DeleteGroup,
    DeleteUser,
    PatchGroup,
    PatchUser,
    ReplaceGroup,
    ReplaceUser,
)
from service.domain.decision import Decision, check_writable
from service.domain.needs import Needs
from service.domain.view import View
from service.scim.keys import group_key, user_key

_DECIDE: dict[type, Callable[[View, Any, datetime], Decision]] = {
    CreateUser: decide_users.create_user,
    ReplaceUser: decide_users.replace_user,
    PatchUser: decide_users.patch_user,
    DeleteUser: decide_users.delete_user,
    CreateGroup: decide_groups.create_group,
    ReplaceGroup: decide_groups.replace_group,
    PatchGroup: decide_groups.patch_group,
    DeleteGroup: decide_groups.delete_group,
}


def decide(view: View, command: Command, now: datetime) -> Decision:
    """Changes, rows and answer; raises Missing, or the error that is the command's answer."""
    check_writable(view)
    return _DECIDE[type(command)](view, command, now)


def guess_needs(directory_id: str, command: Command, needs: Needs) -> None:
    """Add what the command will most likely ask for, so that one load serves the batch."""
    if isinstance(command, CreateUser | ReplaceUser):
        document = command.decoded.document
        needs.user_keys.add((directory_id, user_key(document["userName"])))
        if isinstance(command, CreateUser):
            names = (document["userName"], document.get("externalId"))
            needs.pending.update((directory_id, user_key(name)) for name in names if isinstance(name, str))
    elif isinstance(command, CreateGroup):
        document = command.decoded.document
        needs.group_keys.add((directory_id, group_key(document["displayName"])))
        if isinstance(external := document.get("externalId"), str):
            needs.pending.add((directory_id, user_key(external)))
    if isinstance(command, ReplaceUser | PatchUser | DeleteUser):
        needs.user_ids.add((directory_id, command.id))
    elif isinstance(command, ReplaceGroup | PatchGroup | DeleteGroup):
        needs.group_ids.add((directory_id, command.id))
    if isinstance(command, CreateGroup | ReplaceGroup) and command.decoded.members is not None:
        needs.refs.update((directory_id, ref.value) for ref in command.decoded.members)
    if isinstance(command, ReplaceGroup) and command.decoded.members is not None:
        needs.all_members.add((directory_id, command.id))
    if isinstance(command, PatchGroup):
        named = command.plan.named
        needs.refs.update((directory_id, member_id) for member_id in named)
        if command.plan.needs_all:
            needs.all_members.add((directory_id, command.id))
        else:
            needs.members.update((directory_id, command.id, member_id) for member_id in named)
