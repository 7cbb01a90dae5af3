# ruff: noqa: INP001, T201
"""Look up a person by e-mail, with their groups.

    python examples/look_up_user.py ada@example.com

It needs the scope `read`. Where it runs and with which key: `DIRSYNC_ADDRESS`, `DIRSYNC_API_KEY`.
"""

import asyncio
import sys

from directorysync import Client, DirectorySyncError
from directorysync.paging import every
from directorysync.v1.directory_sync_pb2 import ListUserGroupsRequest, LookupUsersRequest
from directorysync.v1.resources_pb2 import DirectoryUserState


async def look_up(email: str) -> int:
    """Exit status: 1 when nobody in any directory has this address."""
    async with Client.connect() as client:
        users = (await client.sync.LookupUsers(LookupUsersRequest(email=email))).users
        for user in users:
            state = DirectoryUserState.Name(user.state).removeprefix("DIRECTORY_USER_STATE_").lower()
            print(f"{user.id}  {user.user_name}  {user.display_name or '-'}  {state}  in {user.directory_id}")
            async for group in every(client.sync.ListUserGroups, ListUserGroupsRequest(user_id=user.id), "groups"):
                print(f"  {group.id}  {group.name}")
    return 0 if users else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: look_up_user.py EMAIL")
    try:
        sys.exit(asyncio.run(look_up(sys.argv[1])))
    except DirectorySyncError as error:
        sys.exit(f"{type(error).__name__}: {error}")
