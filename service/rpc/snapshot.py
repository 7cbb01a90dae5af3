"""Frames of a snapshot: elements of SnapshotPart, ready to send."""

from collections.abc import Sequence
from datetime import datetime

from directorysync.v1 import resources_pb2
from service.domain.directory import DirectorySummary
from service.domain.group import Group
from service.domain.user import User
from service.rpc import convert
from service.rpc.framing import delimited, varint
from service.storage.rows import Row

# Tags of SnapshotPart.
_DIRECTORIES, _GROUPS, _USERS, _MEMBERSHIPS = b"\x0a", b"\x12", b"\x1a", b"\x22"
# Tags of Membership.
_GROUP_ID, _GROUP_NAME, _MEMBER_ID, _MEMBER_TYPE, _MEMBER_NAME, _CREATE_TIME = (
    b"\x0a",
    b"\x12",
    b"\x1a",
    b"\x20",
    b"\x2a",
    b"\x32",
)
_TYPES = {
    "User": _MEMBER_TYPE + varint(resources_pb2.MEMBER_TYPE_USER),
    "Group": _MEMBER_TYPE + varint(resources_pb2.MEMBER_TYPE_GROUP),
}


class StateFrames:
    """Users, groups and directories by way of their messages; memberships, of which there are most, byte by byte."""

    def directories(self, values: Sequence[DirectorySummary]) -> list[bytes]:
        """Elements of `directories`."""
        return [delimited(_DIRECTORIES, convert.summary(value).SerializeToString()) for value in values]

    def groups(self, values: Sequence[Group]) -> list[bytes]:
        """Elements of `groups`."""
        return [delimited(_GROUPS, convert.group(value).SerializeToString()) for value in values]

    def users(self, values: Sequence[User]) -> list[bytes]:
        """Elements of `users`."""
        return [delimited(_USERS, convert.user(value).SerializeToString()) for value in values]

    def memberships(self, rows: Sequence[Row]) -> list[bytes]:
        """Elements of `memberships`. Neighbours are mostly of one group, and often of one command."""
        frames: list[bytes] = []
        group_id, group, created_at, created = None, b"", None, b""
        for row in rows:
            if row["group_id"] != group_id:
                group_id = row["group_id"]
                group = delimited(_GROUP_ID, group_id.encode()) + _text(_GROUP_NAME, row["group_name"])
            if row["created_at"] != created_at:
                created_at = row["created_at"]
                created = _moment(created_at)
            member = delimited(_MEMBER_ID, row["member_id"].encode()) + _TYPES[row["member_type"]]
            frames.append(delimited(_MEMBERSHIPS, group + member + _text(_MEMBER_NAME, row["member_name"]) + created))
        return frames


def _text(tag: bytes, value: str | None) -> bytes:
    return delimited(tag, value.encode()) if value else b""


def _moment(value: datetime) -> bytes:
    message = convert.timestamp(value)
    return b"" if message is None else delimited(_CREATE_TIME, message.SerializeToString())
