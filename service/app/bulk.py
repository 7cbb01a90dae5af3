"""Bulk requests (RFC 7644 section 3.7): many commands, with references between them.

Ids of new resources are chosen before anything is carried out, so that `bulkId:` references, circular ones too, are
replaced once. Operations are handed to the commit path in their order without waiting for each other, and so share
commits; one that refers to an earlier one waits for that one, and with `failOnErrors` each waits for all before it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from service.app.ingest import Ingest, parse_json
from service.domain import commands
from service.domain.caller import not_found
from service.domain.decision import Outcome
from service.domain.directory import Directory
from service.domain.errors import DirectorySyncError
from service.scim.documents import decode
from service.scim.errors import InvalidSyntax, InvalidValue, ScimError
from service.scim.limits import MAX_DEPTH
from service.scim.members import split_members
from service.scim.messages import BulkOperation, parse_bulk, parse_patch
from service.scim.schema import GROUP, RESOURCE_TYPES, USER, ResourceType

PREFIX = "bulkId:"
# A PATCH has its values three levels down: Operations, an operation, its value.
_MAX_DEPTH = MAX_DEPTH + 3
# Tasks begin in the order in which they are made, so operations queue up in theirs; so many do before a commit can take
# them, and before others get their turn.
_TOGETHER = 16
_ENDPOINTS = {kind.endpoint.strip("/").lower(): kind for kind in RESOURCE_TYPES}


@dataclass(frozen=True, slots=True)
class BulkAnswer:
    """What became of one operation. `kind` is None when its path names no kind of resource."""

    operation: BulkOperation
    kind: ResourceType | None
    resource_id: str
    result: Outcome | Exception


class Bulk:
    """Carries out bulk requests on one directory."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    async def run(self, directory: Directory, text: str, request_id: str) -> list[BulkAnswer]:
        """Answers in the order of the request, as many as were carried out. Raises for the request as a whole."""
        request = parse_bulk(parse_json(text))
        new_ids = self._new_ids(request.operations)
        running: list[asyncio.Task[BulkAnswer]] = []
        named: dict[str, list[asyncio.Task[BulkAnswer]]] = {}
        errors = 0
        try:
            for operation in request.operations:
                if request.fail_on_errors is not None:
                    errors += sum([isinstance((await task).result, Exception) for task in running[-1:]])
                    if errors >= request.fail_on_errors:
                        break
                earlier = [task for name in _references(operation) for task in named.get(name, ())]
                blocked = any(isinstance(answer.result, Exception) for answer in await asyncio.gather(*earlier))
                task = asyncio.create_task(self._answer(directory, operation, new_ids, request_id, blocked=blocked))
                running.append(task)
                if operation.bulk_id:
                    named.setdefault(operation.bulk_id, []).append(task)
                if len(running) % _TOGETHER == 0:
                    await asyncio.sleep(0)
            return list(await asyncio.gather(*running))
        except BaseException:
            for task in running:
                task.cancel()
            raise

    def _new_ids(self, operations: Sequence[BulkOperation]) -> dict[str, str]:
        chosen: dict[str, str] = {}
        for operation in operations:
            if operation.method != "POST" or operation.bulk_id is None:
                continue
            if operation.bulk_id in chosen:
                raise InvalidValue("two operations have one bulkId")
            endpoint, name = _split(operation.path)
            kind = _ENDPOINTS.get(endpoint.lower())
            if kind is not None and not name:
                chosen[operation.bulk_id] = self._ingest.new_id(kind)
        return chosen

    async def _answer(
        self,
        directory: Directory,
        operation: BulkOperation,
        new_ids: Mapping[str, str],
        request_id: str,
        *,
        blocked: bool,
    ) -> BulkAnswer:
        kind, resource_id = None, ""
        try:
            kind, resource_id = _target(operation, new_ids)
            if blocked:
                raise InvalidValue("an operation that this one refers to has failed")
            command = _command(operation, kind, resource_id, new_ids)
            size = len(msgspec.json.encode(operation.data))
            return BulkAnswer(
                operation, kind, resource_id, await self._ingest.run(directory, command, size, request_id)
            )
        except (ScimError, DirectorySyncError) as error:
            return BulkAnswer(operation, kind, resource_id, error)


def _target(operation: BulkOperation, new_ids: Mapping[str, str]) -> tuple[ResourceType, str]:
    """The kind and id that a path such as `/Users/<id>` names; for a POST the id that was chosen."""
    endpoint, name = _split(operation.path)
    kind = _ENDPOINTS.get(endpoint.lower())
    if kind is None:
        raise not_found("Endpoint", operation.path[:100])
    if operation.method == "POST":
        if name or operation.bulk_id is None:
            raise InvalidSyntax("a POST names an endpoint and has a bulkId")
        return kind, new_ids[operation.bulk_id]
    if not name:
        raise InvalidSyntax(f"a {operation.method} names a resource")
    return kind, str(_resolved(name, new_ids))


def _split(path: str) -> tuple[str, str]:
    """Endpoint and id of a path, which may be a whole URL or begin as the base URL does."""
    segments = path.strip("/").split("/")
    for length in (1, 2):
        if len(segments) > length and segments[-length].lower() in _ENDPOINTS:
            segments = segments[-length:]
            break
    return segments[0], "/".join(segments[1:])


def _command(
    operation: BulkOperation, kind: ResourceType, resource_id: str, new_ids: Mapping[str, str]
) -> commands.Command:
    versions = [operation.version] if operation.version else []
    if operation.method == "DELETE":
        return (commands.DeleteUser if kind is USER else commands.DeleteGroup)(resource_id, versions)
    data = _resolved(operation.data, new_ids)
    if operation.method == "PATCH":
        operations = parse_patch(data)
        if kind is USER:
            return commands.PatchUser(resource_id, operations, versions)
        return commands.PatchGroup(resource_id, split_members(operations, GROUP), versions)
    decoded = decode(data, kind)
    if operation.method == "PUT":
        return (commands.ReplaceUser if kind is USER else commands.ReplaceGroup)(resource_id, decoded, versions)
    return (commands.CreateUser if kind is USER else commands.CreateGroup)(resource_id, decoded, announced=True)


def _references(operation: BulkOperation) -> set[str]:
    """The bulkIds that an operation refers to."""
    found: set[str] = set()
    _collect(operation.data, found)
    name = _split(operation.path)[1]
    if name.startswith(PREFIX):
        found.add(name.removeprefix(PREFIX))
    return found


def _collect(value: Any, found: set[str], depth: int = 0) -> None:
    if isinstance(value, str):
        if value.startswith(PREFIX):
            found.add(value.removeprefix(PREFIX))
    elif depth > _MAX_DEPTH:
        return  # `_resolved` refuses it.
    elif isinstance(value, dict):
        for inner in value.values():
            _collect(inner, found, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, found, depth + 1)


def _resolved(value: Any, new_ids: Mapping[str, str], depth: int = 0) -> Any:
    """The value with every reference replaced by the id it stands for."""
    if depth > _MAX_DEPTH:
        raise InvalidValue(f"the data of an operation is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        if not value.startswith(PREFIX):
            return value
        found = new_ids.get(value.removeprefix(PREFIX))
        if found is None:
            raise InvalidValue("a bulkId that no POST of the request has is referred to")
        return found
    if isinstance(value, dict):
        return {key: _resolved(inner, new_ids, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner, new_ids, depth + 1) for inner in value]
    return value
