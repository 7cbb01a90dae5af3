"""`--as-of`: a moment of a directory as it is typed, and the directory it is one of."""

import re
from dataclasses import dataclass
from typing import Annotated

import typer

from directorysync.cli.spans import Moment, as_moment
from directorysync.client import Client
from directorysync.v1 import directory_sync_pb2 as sync_pb2

_TIME = re.compile(r"\d{4}-|\d+[smhdw]$")


@dataclass(frozen=True, slots=True)
class AsOf:
    """The contract's form of a number, a time, how long ago, or a cursor."""

    message: sync_pb2.AsOf

    @staticmethod
    def parse(text: str) -> "AsOf":
        """BadParameter for what looks like a time and is none."""
        if text.isdecimal() and len(text) <= 18:
            return AsOf(sync_pb2.AsOf(directory_sequence=int(text)))
        if _TIME.match(text):
            return AsOf(sync_pb2.AsOf(time=as_moment(Moment.parse(text))))
        return AsOf(sync_pb2.AsOf(cursor=text))


AsOfOption = Annotated[
    AsOf | None,
    typer.Option(
        "--as-of",
        parser=AsOf.parse,
        metavar="NUMBER|TIME|CURSOR",
        help="As it was behind that event of its directory, at that time (or so long ago: 2h), or at a cursor.",
    ),
]
DirectoryOption = Annotated[
    str, typer.Option("--directory", help="Its directory's id; with --as-of needed for what is no longer there.")
]


async def directory_of_user(client: Client, user_id: str, given: str) -> str:
    """What was given, else where the user is now."""
    return given or (await client.sync.GetUser(sync_pb2.GetUserRequest(id=user_id))).user.directory_id


async def directory_of_group(client: Client, group_id: str, given: str) -> str:
    """As `directory_of_user`."""
    return given or (await client.sync.GetGroup(sync_pb2.GetGroupRequest(id=group_id))).group.directory_id
