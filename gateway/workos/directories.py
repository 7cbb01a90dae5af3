"""Directories and their tokens as WorkOS shows them (workos.com/docs/reference/directory-sync/directory)."""

from collections.abc import Mapping
from typing import Any, Final

from directorysync.v1 import events_pb2
from directorysync.v1 import resources_pb2 as pb
from gateway.workos.times import optional_time, time_text

# Providers whose name at WorkOS is not their own name before ` scim v2.0`.
_TYPES: Final[Mapping[str, str]] = {
    "azure": "azure scim v2.0",
    "entra": "azure scim v2.0",
    "google": "gsuite directory",
    "jumpcloud": "jump cloud scim v2.0",
    "bamboohr": "bamboohr",
    "breathehr": "breathe hr",
    "cezannehr": "cezanne hr",
    "fourthhr": "fourth hr",
    "gusto": "gusto",
    "hibob": "hibob",
    "peoplehr": "people hr",
    "personio": "personio",
    "s3": "s3",
    "sftp": "sftp",
    "sftpworkday": "sftp workday",
    "workday": "workday",
}
_PROVIDERS: Final[Mapping[str, str]] = {name: provider for provider, name in _TYPES.items()}
_SCIM: Final = " scim v2.0"
# WorkOS spells the same state differently in REST and in events.
_REST_STATES: Final[Mapping[pb.DirectoryState.ValueType, str]] = {
    pb.DIRECTORY_STATE_LINKED: "linked",
    pb.DIRECTORY_STATE_DELETED: "deleting",
}
_EVENT_STATES: Final[Mapping[pb.DirectoryState.ValueType, str]] = {
    pb.DIRECTORY_STATE_LINKED: "active",
    pb.DIRECTORY_STATE_DELETED: "deleting",
}
_DEACTIVATIONS: Final[Mapping[pb.Deactivation.ValueType, str]] = {pb.DEACTIVATION_DELETE: "delete"}


def directory_type(provider: str) -> str:
    """WorkOS's name of a provider: `okta scim v2.0`, `gsuite directory` … Others get one alike."""
    plain = provider.lower().replace("_", "").replace("-", "").replace(" ", "")
    return _TYPES.get(plain) or provider.lower() + _SCIM


def provider_of(name: str) -> str:
    """The provider that WorkOS calls so; an empty text for an empty one."""
    return _PROVIDERS.get(name) or name.removesuffix(_SCIM)


def rest_state(state: pb.DirectoryState.ValueType) -> str:
    """`linked`, `unlinked` (not reached yet, or disabled) or `deleting`."""
    return _REST_STATES.get(state, "unlinked")


def event_state(state: pb.DirectoryState.ValueType) -> str:
    """`active`, `inactive` (not reached yet, or disabled) or `deleting`."""
    return _EVENT_STATES.get(state, "inactive")


def directory(message: pb.Directory, *, counts: bool = False) -> dict[str, Any]:
    """A Directory of REST. `counts`: the message comes from GetDirectory, so that it has them."""
    shown: dict[str, Any] = {
        "object": "directory",
        "id": message.id,
        "organization_id": message.organization_id,
        "external_key": message.scim_key,
        "type": directory_type(message.provider),
        "state": rest_state(message.state),
        "name": message.name,
        "created_at": time_text(message.create_time),
        "updated_at": time_text(message.update_time),
    }
    if counts:
        users = {"active": message.user_count - message.inactive_user_count, "inactive": message.inactive_user_count}
        shown["metadata"] = {"users": users, "groups": message.group_count}
    shown["provider"] = message.provider
    shown["disabled"] = message.state == pb.DIRECTORY_STATE_DISABLED
    shown["policy"] = policy(message.policy)
    return shown


def policy(message: pb.DirectoryPolicy) -> dict[str, Any]:
    """A policy, under the names of resources.proto."""
    unique_names = message.unique_group_names if message.HasField("unique_group_names") else None
    return {
        "deactivation": _DEACTIVATIONS.get(message.deactivation, "keep"),
        "announce_on_reactivation": message.announce_on_reactivation,
        "unique_group_names": unique_names,
        "unique_emails": message.unique_emails,
    }


def event_directory(message: pb.Directory, *, deleted: bool = False) -> dict[str, Any]:
    """The `data` of `dsync.activated` and its like; `deleted`: that of `dsync.deleted`, which has fewer keys."""
    shown: dict[str, Any] = {
        "object": "directory",
        "id": message.id,
        "organization_id": message.organization_id,
        "type": directory_type(message.provider),
        "state": event_state(message.state),
        "name": message.name,
        "created_at": time_text(message.create_time),
        "updated_at": time_text(message.update_time),
    }
    if not deleted:
        shown["external_key"] = message.scim_key
        shown["domains"] = []
    return shown


def event_token(message: events_pb2.DirectoryToken, organization_id: str) -> dict[str, Any]:
    """The `data` of `dsync.token.*`."""
    return {
        "object": "directory_token",
        "id": message.id,
        "directory_id": message.directory_id,
        "organization_id": organization_id,
        "token_suffix": message.suffix,
        "created_at": time_text(message.create_time),
    }


def directory_token(message: events_pb2.DirectoryToken) -> dict[str, Any]:
    """A token of REST (an own route), without its secret."""
    return {
        "object": "directory_token",
        "id": message.id,
        "directory_id": message.directory_id,
        "token_suffix": message.suffix,
        "created_at": time_text(message.create_time),
        "expires_at": optional_time(message, "expire_time"),
        "last_used_at": optional_time(message, "last_use_time"),
        "revoked_at": optional_time(message, "revoke_time"),
    }
