"""Moments of requests, and the past as protobuf: the bytes of events are read here and nowhere deeper."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from directorysync.v1 import directory_sync_pb2, events_pb2, resources_pb2
from service.app.time_travel import AsOf
from service.domain.errors import ArgumentError
from service.domain.group import Group
from service.domain.time_travel import Past, Recorded
from service.domain.user import User
from service.rpc import convert
from service.rpc.arguments import moment, required_id

_decode = msgspec.json.decode


def as_of(request: Any) -> tuple[str, AsOf] | None:
    """The directory and the moment that a request asks about; None: now."""
    if not request.HasField("as_of"):
        return None
    return required_id(request.directory_id, "directory_id"), _moment(request.as_of)


def _moment(message: directory_sync_pb2.AsOf) -> AsOf:
    match message.WhichOneof("moment"):
        case "directory_sequence":
            if message.directory_sequence < 0:
                raise ArgumentError("directory_sequence cannot be negative", field="as_of.directory_sequence")
            return message.directory_sequence
        case "time":
            time = moment(message, "time")
            assert time is not None  # noqa: S101 (the oneof says so)
            return time
        case "cursor":
            return message.cursor
        case _:
            raise ArgumentError("one of directory_sequence, time and cursor is needed", field="as_of")


def recorded(payload: bytes) -> Recorded:
    """The stored bytes of an event of a user or group."""
    event = events_pb2.Event.FromString(payload)
    previous = _decode(event.previous_attributes_json) if event.previous_attributes_json else {}
    entity = _user(event.user) if event.HasField("user") else _group(event.group)
    return Recorded(event.type, entity, previous)


def past_user(past: Past) -> resources_pb2.DirectoryUser:
    """Past -> resources.proto; what cannot be told is unset."""
    assert isinstance(past.entity, User)  # noqa: S101 (narrowing)
    message = convert.user(past.entity)
    message.version = past.version
    if past.updated_at is None:
        message.ClearField("update_time")
    return message


def past_group(past: Past) -> resources_pb2.DirectoryGroup:
    """As `past_user`."""
    assert isinstance(past.entity, Group)  # noqa: S101 (narrowing)
    message = convert.group(past.entity)
    message.version = past.version
    if past.updated_at is None:
        message.ClearField("update_time")
    return message


def _user(message: resources_pb2.DirectoryUser) -> User:
    return User(
        directory_id=message.directory_id,
        organization_id=message.organization_id,
        id=message.id,
        document=_decode(message.raw_attributes_json),
        version=message.version,
        created_at=_time(message.create_time),
        updated_at=_time(message.update_time),
    )


def _group(message: resources_pb2.DirectoryGroup) -> Group:
    return Group(
        directory_id=message.directory_id,
        organization_id=message.organization_id,
        id=message.id,
        document=_decode(message.raw_attributes_json),
        idp_id=message.idp_id,
        version=message.version,
        created_at=_time(message.create_time),
        updated_at=_time(message.update_time),
    )


def _time(value: Timestamp) -> datetime:
    return value.ToDatetime(tzinfo=UTC)
