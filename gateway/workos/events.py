"""Events as WorkOS sends them: the same bytes in `/events` and in webhooks (workos.com/docs/events)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Raw

from directorysync.v1 import directory_sync_pb2, events_pb2
from directorysync.v1 import resources_pb2 as pb
from gateway.workos import json
from gateway.workos.directories import directory_type, event_directory, event_token
from gateway.workos.times import time_text
from gateway.workos.users import directory_group, directory_user
from gateway.workos.webhooks import disabled_endpoint

Resolved = directory_sync_pb2.ResolvedMembership

_USER_NAMES: Final[Mapping[str, str]] = {"user_name": "username", "display_name": "name"}
# WorkOS has no such root keys, only custom attributes of these names.
_USER_CUSTOM: Final = frozenset({"department_name", "employee_number"})
_USER_UNNAMED: Final = frozenset({"manager_id"})
_DIRECTORY_STATES: Final[Mapping[str, str]] = {"linked": "active", "deleted": "deleting"}


def render_event(event: events_pb2.Event, membership: Resolved | None = None) -> bytes:
    """One event as JSON, written as JavaScript would. `membership`: what a membership event refers to, as it was then;
    what is unset in it is shown by its references alone.
    """
    return json.encode(event_object(event, membership))


def event_object(event: events_pb2.Event, membership: Resolved | None = None) -> dict[str, Any]:
    """The envelope and its data."""
    return {
        "object": "event",
        "id": event.id,
        "event": event.type,
        "data": _data(event, membership),
        "created_at": time_text(event.create_time),
        "context": {},
    }


def _data(event: events_pb2.Event, membership: Resolved | None) -> dict[str, Any]:
    kind = event.WhichOneof("data")
    if kind == "membership":
        return _membership(event, membership)
    if kind == "user":
        return _with_previous(directory_user(event.user), event, _previous_of_user)
    if kind == "group":
        return _with_previous(directory_group(event.group), event, dict)
    if kind == "directory":
        deleted = event.type == "dsync.deleted"
        return _with_previous(event_directory(event.directory, deleted=deleted), event, _previous_of_directory)
    if kind == "token":
        return event_token(event.token, event.organization_id)
    if kind == "webhook_endpoint":
        return disabled_endpoint(event)
    return {"directory_id": event.directory_id, "organization_id": event.organization_id}


def _with_previous(
    data: dict[str, Any], event: events_pb2.Event, convert: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    if event.previous_attributes_json or event.type.endswith(".updated"):
        previous = convert(json.parse_object(event.previous_attributes_json))
        data["previous_attributes"] = Raw(json.stringify(previous))
    return data


def _previous_of_user(before: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    custom = {key: before[key] for key in _USER_CUSTOM if key in before} | before.get("custom_attributes", {})
    for key, value in before.items():
        if key in _USER_CUSTOM or key in _USER_UNNAMED or key == "custom_attributes":
            continue
        shown[_USER_NAMES.get(key, key)] = _emails(value) if key == "emails" else value
    if custom:
        shown["custom_attributes"] = custom
    return shown


def _emails(before: Any) -> Any:
    if not isinstance(before, list):
        return before
    return [
        {"primary": one.get("primary", False), "type": one.get("type") or None, "value": one.get("value")}
        for one in before
    ]


def _previous_of_directory(before: dict[str, Any]) -> dict[str, Any]:
    shown = dict(before)
    if "provider" in shown:
        shown["type"] = directory_type(str(shown.pop("provider")))
    if "state" in shown:
        shown["state"] = _DIRECTORY_STATES.get(shown["state"], "inactive")
    return shown


def _membership(event: events_pb2.Event, resolved: Resolved | None) -> dict[str, Any]:
    place = event.membership
    known = resolved or Resolved()
    group = known.group if known.HasField("group") else _referred_group(event, place.group_id, place.group_name)
    shown: dict[str, Any] = {"directory_id": event.directory_id}
    if place.member_type == pb.MEMBER_TYPE_GROUP:
        member = _referred_group(event, place.member_id, place.member_name)
        return shown | {"group": directory_group(group), "member": directory_group(member)}
    user = known.user if known.HasField("user") else _referred_user(event)
    return shown | {"user": directory_user(user), "group": directory_group(group)}


def _referred_group(event: events_pb2.Event, group_id: str, name: str) -> pb.DirectoryGroup:
    return pb.DirectoryGroup(
        id=group_id,
        directory_id=event.directory_id,
        organization_id=event.organization_id,
        name=name,
        create_time=event.create_time,
        update_time=event.create_time,
    )


def _referred_user(event: events_pb2.Event) -> pb.DirectoryUser:
    # Retention or the end of its directory has taken the user. Whoever acts on `state` must not let it in.
    return pb.DirectoryUser(
        id=event.membership.member_id,
        directory_id=event.directory_id,
        organization_id=event.organization_id,
        user_name=event.membership.member_name,
        state=pb.DIRECTORY_USER_STATE_INACTIVE,
        create_time=event.create_time,
        update_time=event.create_time,
    )
