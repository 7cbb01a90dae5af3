"""A DirectorySync whose every call follows a script: the failures of networks and servers, on demand."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from directorysync.v1 import directory_sync_pb2 as sync_pb2
from directorysync.v1 import directory_sync_pb2_grpc as sync_grpc
from directorysync.v1 import events_pb2

Message = sync_pb2.WatchEventsResponse
Ending = Exception | str | None
Call = tuple[Sequence[Message], "End"]


class End:
    """How a scripted call ends."""

    def __init__(self, code: grpc.StatusCode | None, reason: str = "", retry: float = 0, **metadata: str) -> None:
        self.code, self.reason, self.retry, self.metadata = code, reason, retry, metadata

    def details(self) -> grpc.Status:
        details = []
        if self.reason:
            info = any_pb2.Any()
            info.Pack(
                error_details_pb2.ErrorInfo(reason=self.reason, domain="directorysync.v1", metadata=self.metadata)
            )
            details.append(info)
        if self.retry:
            delay = any_pb2.Any()
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromMilliseconds(int(self.retry * 1000))
            delay.Pack(retry)
            details.append(delay)
        assert self.code is not None
        return rpc_status.to_status(
            status_pb2.Status(code=self.code.value[0], message=f"{self.reason or self.code.name}!", details=details)
        )


STAYS_OPEN = End(None)
CLEAN = End(grpc.StatusCode.OK)
UNAVAILABLE = End(grpc.StatusCode.UNAVAILABLE)
DRAINING = End(grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING", retry=0.01)
TOO_SLOW = End(grpc.StatusCode.RESOURCE_EXHAUSTED, "CONSUMER_TOO_SLOW", cursor="c1")


class FakeDirectorySync(sync_grpc.DirectorySyncServicer):
    """Plays `script`, one entry a call, and keeps what it was asked."""

    def __init__(self) -> None:
        self.script: list[Call] = []
        self.watched: list[sync_pb2.WatchEventsRequest] = []
        self.credentials: list[str | None] = []
        self.unary: Callable[[], End | None] = lambda: None
        self.unary_calls = 0
        self.answers: dict[str, list[object]] = {}
        self.asked: list[object] = []

    async def WatchEvents(self, request, context):  # noqa: N802
        self.watched.append(request)
        self.credentials.append(dict(context.invocation_metadata()).get("authorization"))
        messages, end = self.script.pop(0) if self.script else ([], STAYS_OPEN)
        for message in messages:
            await context.write(message)
        if end.code is None:
            await asyncio.Event().wait()
        if end.code is not grpc.StatusCode.OK:
            await context.abort_with_status(end.details())

    async def GetServerInfo(self, request, context):  # noqa: N802
        self.unary_calls += 1
        self.credentials.append(dict(context.invocation_metadata()).get("authorization"))
        if end := self.unary():
            await context.abort_with_status(end.details())
        return sync_pb2.GetServerInfoResponse(version="fake")

    def _answer(self, method: str, request: object) -> object:
        """The next of the answers laid out for a method."""
        self.asked.append(request)
        return self.answers[method].pop(0)

    @property
    def starts(self) -> list[str]:
        """Where each call began: the name of its position, or the cursor."""
        return [
            call.start.cursor or call.start.WhichOneof("position") or "unset" if call.HasField("start") else "unset"
            for call in self.watched
        ]


def _scripted(method: str) -> Callable[..., object]:
    async def answer(self: FakeDirectorySync, request: object, context: object) -> object:
        return self._answer(method, request)

    return answer


for _name in (
    "GetUser", "GetGroup", "GetDirectory", "BatchGetUsers", "LookupUsers", "BatchListUserGroups", "ListDirectories",
    "ListUsers", "ListGroups", "ListGroupMembers", "ListUserGroups", "ListMemberships", "ListEvents",
):  # fmt: skip
    setattr(FakeDirectorySync, _name, _scripted(_name))
FakeDirectorySync.__abstractmethods__ = frozenset()


@asynccontextmanager
async def serving(service: FakeDirectorySync) -> AsyncIterator[int]:
    """Serves on a free port of 127.0.0.1, and yields it."""
    server = grpc.aio.server()
    sync_grpc.add_DirectorySyncServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


def event(number: int) -> events_pb2.Event:
    return events_pb2.Event(id=f"event_{number}", type="dsync.user.created", directory_sequence=number)


def started(cursor: str, *, caught_up: bool = False) -> Message:
    return Message(cursor=cursor, started=True, caught_up=caught_up)


def part(cursor: str = "", *, complete: bool = False, begins: bool = False, **entities: object) -> Message:
    """A part of a snapshot."""
    return Message(cursor=cursor, started=begins, snapshot=sync_pb2.SnapshotPart(complete=complete, **entities))


def batch(cursor: str, *numbers: int, continues: bool = False, caught_up: bool = False) -> Message:
    return Message(events=map(event, numbers), cursor=cursor, continues=continues, caught_up=caught_up)
