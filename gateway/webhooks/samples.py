"""Made-up events, so that a receiver can be tried before anything happens."""

from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from directorysync.v1 import events_pb2
from directorysync.v1 import resources_pb2 as pb
from gateway.webhooks.log import Entry

_DIRECTORY: Final = "directory_00000000000000000000000000"
_ORGANIZATION: Final = "org_00000000000000000000000000"
_ENDPOINT: Final = "we_00000000000000000000000000"
_USER: Final = "directory_user_00000000000000000000000000"
_GROUP: Final = "directory_group_00000000000000000000000000"
_TOKEN: Final = "directory_token_00000000000000000000000000"  # noqa: S105 (an id)


def sample(event_type: str, replay_id: str, at: Timestamp) -> Entry:
    """An event of a type; its id is that of the replay. Types that are not known hold a user."""
    event = events_pb2.Event(
        id="event_" + replay_id.rpartition("_")[2],
        type=event_type,
        organization_id=_ORGANIZATION,
        create_time=at,
        transaction_end=True,
    )
    room = event_type.removeprefix("dsync.").rpartition(".")[0]
    if event_type in {"dsync.group.user_added", "dsync.group.user_removed"}:
        membership = pb.Membership(
            group_id=_GROUP, group_name="Developers", member_id=_USER, member_name="ada@example.com", create_time=at
        )
        event.membership.CopyFrom(membership)
        event.membership.member_type = pb.MEMBER_TYPE_USER
    elif room == "group":
        event.group.CopyFrom(_group(at))
    elif room == "token":
        token = events_pb2.DirectoryToken(id=_TOKEN, directory_id=_DIRECTORY, suffix="abcd", create_time=at)
        event.token.CopyFrom(token)
    elif event_type == "webhook_endpoint.disabled":
        event.webhook_endpoint.CopyFrom(_disabled(at))
    elif room == "" and event_type.startswith("dsync."):
        event.directory.CopyFrom(_directory(at))
    else:
        event.user.CopyFrom(_user(at))
    return Entry(event, None)


def _directory(at: Timestamp) -> pb.Directory:
    return pb.Directory(
        id=_DIRECTORY,
        organization_id=_ORGANIZATION,
        name="Example directory",
        provider="generic",
        state=pb.DIRECTORY_STATE_LINKED,
        create_time=at,
        update_time=at,
    )


def _disabled(at: Timestamp) -> events_pb2.WebhookEndpointDisabled:
    return events_pb2.WebhookEndpointDisabled(
        id=_ENDPOINT, status_reason="the receiver answered 410 Gone", failing_since_time=at
    )


def _user(at: Timestamp) -> pb.DirectoryUser:
    address = "ada@example.com"
    return pb.DirectoryUser(
        id=_USER,
        directory_id=_DIRECTORY,
        organization_id=_ORGANIZATION,
        idp_id="00u1",
        user_name=address,
        email=address,
        emails=[pb.Email(value=address, type="work", primary=True)],
        first_name="Ada",
        last_name="Lovelace",
        display_name="Ada Lovelace",
        state=pb.DIRECTORY_USER_STATE_ACTIVE,
        create_time=at,
        update_time=at,
    )


def _group(at: Timestamp) -> pb.DirectoryGroup:
    return pb.DirectoryGroup(
        id=_GROUP,
        directory_id=_DIRECTORY,
        organization_id=_ORGANIZATION,
        idp_id="00g1",
        name="Developers",
        create_time=at,
        update_time=at,
    )
