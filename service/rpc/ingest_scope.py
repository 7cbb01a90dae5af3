"""What every call of DirectoryIngest goes through first: which directory, and may this caller write or read there."""

from directorysync.v1 import directory_ingest_pb2
from service.app.credentials import invalid
from service.app.directories import Directories
from service.domain import ids
from service.domain.caller import Scope, not_found
from service.domain.directory import Directory, DirectoryState
from service.domain.errors import DirectoryDisabledError
from service.rpc.arguments import required_id
from service.rpc.edge import Call


class IngestScope:
    """Admits calls to a directory by its id or by the key of its SCIM base URL."""

    def __init__(self, directories: Directories) -> None:
        self._directories = directories

    async def admit(self, context: directory_ingest_pb2.IngestContext, call: Call, *, write: bool = False) -> Directory:
        """The directory, linked by its token's first call.

        A directory token at another directory's URL is no credential there (CREDENTIALS_INVALID, which SCIM clients
        understand); an API key that does not reach it is told NOT_FOUND. A disabled directory refuses writes only.
        """
        name = required_id(context.directory, "context.directory")
        caller = call.caller
        caller.require(Scope.PROVISION)
        directory = await self._directories.find(name)
        by_token = caller.id.startswith(ids.TOKEN)
        if directory is None or not caller.reaches(directory.id, directory.organization_id):
            raise invalid() if by_token else not_found("Directory", name)
        if by_token and directory.state is DirectoryState.UNLINKED:
            directory = await self._directories.activate(directory, call.request_id)
        if write and directory.state is DirectoryState.DISABLED:
            raise DirectoryDisabledError("the directory is disabled; its administrator can enable it again")
        return directory
