"""Frames of a snapshot: elements of SnapshotPart, ready to send."""

from collections.abc import Iterable, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from directorysync.v1 import resources_pb2
from service.domain.directory import DirectorySummary
from service.domain.group import Group
from service.domain.user import User
from service.rpc import convert
from service.rpc.framing import delimited, varint
from service.storage.snapshot import Membership

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
    False: _MEMBER_TYPE + varint(resources_pb2.MEMBER_TYPE_USER),
    True: _MEMBER_TYPE + varint(resources_pb2.MEMBER_TYPE_GROUP),
}


class StateFrames:
    """Users, groups and directories by way of their messages; memberships, of which there are most, byte by byte."""

    def directories(self, values: Sequence[DirectorySummary]) -> list[bytes]:
        """Elements of `directories`."""
        return [delimited(_DIRECTORIES, convert.summary(value).SerializeToString()) for value in values]

    def groups(self, values: Iterable[Group]) -> list[bytes]:
        """Elements of `groups`."""
        return [delimited(_GROUPS, convert.group(value).SerializeToString()) for value in values]

    def users(self, values: Iterable[User]) -> list[bytes]:
        """Elements of `users`."""
        return [delimited(_USERS, convert.user(value).SerializeToString()) for value in values]

    def memberships(self, values: Sequence[Membership]) -> list[bytes]:
        """Elements of `memberships`. Neighbours are mostly of one group, and often of one command."""
        frames: list[bytes] = []
        group, group_id = b"", ""
        time, micros = b"", -1
        for next_group_id, group_name, member_id, nested, member_name, created in values:
            if next_group_id != group_id:
                group_id = next_group_id
                group = _text(_GROUP_ID, group_id) + _text(_GROUP_NAME, group_name)
            if created != micros:
                micros = created
                time = _moment(micros)
            member, name = member_id.encode(), member_name.encode()
            named = delimited(_MEMBER_NAME, name) if name else b""
            fields = (group, _MEMBER_ID, varint(len(member)), member, _TYPES[nested], named, time)
            frames.append(delimited(_MEMBERSHIPS, b"".join(fields)))
        return frames


def _text(tag: bytes, value: str) -> bytes:
    return delimited(tag, value.encode()) if value else b""


def _moment(micros: int) -> bytes:
    seconds, rest = divmod(micros, 1_000_000)
    message = Timestamp(seconds=seconds, nanos=rest * 1000)
    return delimited(_CREATE_TIME, message.SerializeToString())
