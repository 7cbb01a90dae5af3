"""Directory users and groups as WorkOS shows them (workos.com/docs/reference/directory-sync/directory-user)."""

from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from directorysync.v1 import resources_pb2 as pb
from gateway.workos.json import document
from gateway.workos.times import optional_time, time_text

_MEMBER_OBJECTS: Final = {pb.MEMBER_TYPE_USER: "directory_user", pb.MEMBER_TYPE_GROUP: "directory_group"}


def directory_user(message: pb.DirectoryUser) -> dict[str, Any]:
    """A DirectoryUser as events hold it: without `groups`."""
    return {
        "object": "directory_user",
        "id": message.id,
        "directory_id": message.directory_id,
        "organization_id": message.organization_id,
        "idp_id": message.idp_id,
        "email": message.email or None,
        "first_name": message.first_name or None,
        "last_name": message.last_name or None,
        "name": message.display_name or None,
        "emails": [email(one) for one in message.emails],
        "job_title": message.job_title or None,
        "username": message.user_name or None,
        "state": user_state(message.state),
        "custom_attributes": document(message.custom_attributes_json),
        "raw_attributes": document(message.raw_attributes_json),
        "created_at": time_text(message.create_time),
        "updated_at": time_text(message.update_time),
    }


def directory_user_with_groups(
    message: pb.DirectoryUser, groups: Iterable[Any], *, moved_by_memberships: bool = False
) -> dict[str, Any]:
    """A DirectoryUserWithGroups of REST. `groups`: as `directory_group` shows them. `moved_by_memberships`: joining or
    leaving one moves `updated_at`.
    """
    shown = directory_user(message)
    if moved_by_memberships and _ticks(message.membership_update_time) > _ticks(message.update_time):
        shown["updated_at"] = time_text(message.membership_update_time)
    shown["groups"] = list(groups)
    return shown


def directory_group(message: pb.DirectoryGroup) -> dict[str, Any]:
    """A DirectoryGroup."""
    return {
        "object": "directory_group",
        "id": message.id,
        "idp_id": message.idp_id,
        "directory_id": message.directory_id,
        "organization_id": message.organization_id,
        "name": message.name,
        "raw_attributes": document(message.raw_attributes_json),
        "created_at": time_text(message.create_time),
        "updated_at": time_text(message.update_time),
    }


def membership(message: pb.Membership) -> dict[str, Any]:
    """One member of a group (an own route): references, not documents."""
    return {
        "object": "directory_group_membership",
        "group_id": message.group_id,
        "member": {
            "object": _MEMBER_OBJECTS.get(message.member_type, "directory_user"),
            "id": message.member_id,
            "name": message.member_name,
        },
        "created_at": optional_time(message, "create_time"),
    }


def email(message: pb.Email) -> dict[str, Any]:
    """One address."""
    return {"primary": message.primary, "type": message.type or None, "value": message.value}


def user_state(state: pb.DirectoryUserState.ValueType) -> str:
    """`active` or `inactive`."""
    return "inactive" if state == pb.DIRECTORY_USER_STATE_INACTIVE else "active"


def _ticks(value: Timestamp) -> tuple[int, int]:
    return value.seconds, value.nanos
