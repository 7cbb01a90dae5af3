"""A provider's writes and single reads: text in, resource out. What they mean is decided in service.domain."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from service.app.clock import IdSource
from service.app.commit import Committer
from service.app.diagnostics import Diagnostics
from service.domain import commands, ids
from service.domain.caller import not_found
from service.domain.decision import Outcome
from service.domain.directory import Directory
from service.domain.group import Group
from service.domain.user import User
from service.scim.documents import decode
from service.scim.errors import InvalidSyntax, TooLarge
from service.scim.member_refs import MemberRef
from service.scim.members import split_members
from service.scim.messages import parse_patch
from service.scim.projection import Projection
from service.scim.rendering import GroupRef
from service.scim.schema import GROUP, USER, ResourceType
from service.storage import resources
from service.storage.database import Pool

MAX_DOCUMENT_BYTES = 2_048_000  # as the gateway and other services of this kind have it: 2,000 KB
MAX_ID = 256
# A PATCH answers with a group's members up to this number, and with no document above it: what a membership costs must
# not depend on the size of the group, and clients that insist on a document have small groups.
MAX_ANSWERED_MEMBERS = 100


@dataclass(frozen=True, slots=True)
class Loaded:
    """A resource with what its projection asks for. `groups` and `members` are None when they were not wanted."""

    entity: User | Group
    groups: Sequence[GroupRef] | None = None
    members: Sequence[MemberRef] | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The answer to a write. `loaded` is None when a document would cost more than the write did (DESIGN section 5)."""

    outcome: Outcome
    loaded: Loaded | None


def parse_json(text: str) -> object:
    """Decoded JSON, or InvalidSyntax, or TooLarge."""
    if len(text) > MAX_DOCUMENT_BYTES:
        raise TooLarge(f"the body is larger than {MAX_DOCUMENT_BYTES} bytes")
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise InvalidSyntax("the body is not JSON") from error


def _check_id(kind: ResourceType, resource_id: str) -> None:
    """An id that no resource can have is not found, whatever is in it."""
    if not 0 < len(resource_id) <= MAX_ID or "\0" in resource_id:
        raise not_found(kind.name, resource_id[:MAX_ID])


class Ingest:
    """Commands and reads on one resource of one directory."""

    def __init__(self, pool: Pool, committer: Committer, new_ids: IdSource, diagnostics: Diagnostics) -> None:
        self._pool = pool
        self._committer = committer
        self._ids = new_ids
        self._diagnostics = diagnostics

    async def create(
        self, directory: Directory, kind: ResourceType, text: str, projection: Projection, request_id: str
    ) -> Written:
        """POST."""
        make = commands.CreateUser if kind is USER else commands.CreateGroup
        command = make(self.new_id(kind), decode(parse_json(text), kind))
        outcome = await self._submit(directory, command, text, request_id)
        return Written(outcome, await self._complete(outcome, projection, fresh=True))

    async def replace(
        self,
        directory: Directory,
        kind: ResourceType,
        resource_id: str,
        *,
        text: str,
        if_match: Sequence[str],
        projection: Projection,
        request_id: str,
    ) -> Written:
        """PUT."""
        _check_id(kind, resource_id)
        decoded = decode(parse_json(text), kind)
        make = commands.ReplaceUser if kind is USER else commands.ReplaceGroup
        outcome = await self._submit(directory, make(resource_id, decoded, if_match), text, request_id)
        return Written(outcome, await self._complete(outcome, projection))

    async def patch(
        self,
        directory: Directory,
        kind: ResourceType,
        resource_id: str,
        *,
        text: str,
        if_match: Sequence[str],
        projection: Projection,
        request_id: str,
        document_wanted: bool,
    ) -> Written:
        """PATCH. `document_wanted`: the client named attributes, so it gets a document whatever that costs."""
        _check_id(kind, resource_id)
        operations = parse_patch(parse_json(text))
        command: commands.Command
        if kind is USER:
            command = commands.PatchUser(resource_id, operations, if_match)
        else:
            command = commands.PatchGroup(resource_id, split_members(operations, GROUP), if_match)
        outcome = await self._submit(directory, command, text, request_id)
        most = None if document_wanted else MAX_ANSWERED_MEMBERS
        return Written(outcome, await self._complete(outcome, projection, most_members=most))

    async def delete(
        self, directory: Directory, kind: ResourceType, resource_id: str, if_match: Sequence[str], request_id: str
    ) -> Outcome:
        """DELETE."""
        _check_id(kind, resource_id)
        make = commands.DeleteUser if kind is USER else commands.DeleteGroup
        return await self._submit(directory, make(resource_id, if_match), "", request_id)

    def new_id(self, kind: ResourceType) -> str:
        """An id for a resource to be created."""
        return self._ids.new(ids.USER if kind is USER else ids.GROUP)

    async def run(self, directory: Directory, command: commands.Command, size: int, request_id: str) -> Outcome:
        """Commit a command that is decoded already."""
        outcome = await self._committer.submit(directory.id, command, request_id=request_id, size=size)
        if outcome.diagnostics:
            kind = USER if isinstance(outcome.entity, User) else GROUP
            self._diagnostics.note(directory.id, kind.name, outcome.diagnostics, request_id)
        return outcome

    async def get(self, directory: Directory, kind: ResourceType, resource_id: str, projection: Projection) -> Loaded:
        """GET of one resource."""
        _check_id(kind, resource_id)
        read = resources.user if kind is USER else resources.group
        entity = await read(self._pool, directory.id, resource_id)
        if entity is None:
            raise not_found(kind.name, resource_id)
        return await self._load(entity, projection)

    async def _submit(self, directory: Directory, command: commands.Command, text: str, request_id: str) -> Outcome:
        return await self.run(directory, command, len(text), request_id)

    async def _complete(
        self, outcome: Outcome, projection: Projection, *, fresh: bool = False, most_members: int | None = None
    ) -> Loaded | None:
        """The written resource as it is answered, reading only what the command did not know."""
        if outcome.members is not None:
            members = [
                MemberRef(member.member_id, member.type, member.display or member.name) for member in outcome.members
            ]
            return Loaded(outcome.entity, members=members if projection.wants("members") else None)
        if fresh:
            return Loaded(outcome.entity, groups=[] if projection.wants("groups") else None)
        loaded = await self._load(outcome.entity, projection, most_members)
        if most_members is not None and loaded.members is not None and len(loaded.members) > most_members:
            return None
        return loaded

    async def _load(self, entity: User | Group, projection: Projection, most_members: int | None = None) -> Loaded:
        if isinstance(entity, User):
            wanted = projection.wants("groups")
            groups = await resources.groups_of(self._pool, entity.directory_id, entity.id) if wanted else None
            return Loaded(entity, groups=groups)
        if not projection.wants("members"):
            return Loaded(entity)
        limit = None if most_members is None else most_members + 1
        return Loaded(entity, members=await resources.members_of(self._pool, entity.directory_id, entity.id, limit))
