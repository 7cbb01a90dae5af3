"""For programs without an event loop: the client and the mirror, on a thread with a loop of its own.

    with SyncClient.connect() as client:
        for user in client.list_users(directory_id):
            print(user.user_name)

Look-ups of a mirror are answered in the caller's thread, without the other one. What is called here may be called from
any thread.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

from directorysync import credentials
from directorysync.client import Client
from directorysync.mirror import Lookups, Mirror, MirrorStatus
from directorysync.reads import Moment
from directorysync.v1.directory_admin_pb2 import GetEventLogResponse
from directorysync.v1.directory_sync_pb2 import WatchStart
from directorysync.v1.events_pb2 import Event, EventFilter
from directorysync.v1.resources_pb2 import Directory, DirectoryGroup, DirectoryUser, Membership
from directorysync.watch import EventBatch, OnExpired

__all__ = ["SyncClient", "SyncMirror"]

_T = TypeVar("_T")


class _Loop:
    """A thread that runs an event loop until it is closed."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="directorysync", daemon=True)
        self._thread.start()

    def result(self, work: Coroutine[Any, Any, _T]) -> _T:
        """The result of work in the loop. An interrupt of the caller (Ctrl-C) cancels the work."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, make: Callable[[], AsyncIterator[_T]]) -> Iterator[_T]:
        """What an async iterator yields; it is closed with this one."""
        source = self.result(_called(make))
        try:
            while True:
                try:
                    yield self.result(_next(source))
                except StopAsyncIteration:
                    return
        finally:
            if not self._loop.is_closed():
                self.result(_close(source))

    def close(self) -> None:
        """Ends the thread, and what is still under way in it."""
        self.result(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class SyncClient:
    """As `directorysync.Client`, with calls that return their answer and plain iterators. Deadlines, retries and errors
    are the same. `call` reaches everything that has no method here.
    """

    def __init__(self, make: Callable[[], Client]) -> None:
        self._loop = _Loop()
        try:
            self._client = self._loop.result(_called(make))
        except BaseException:
            self._loop.close()
            raise

    @classmethod
    def connect(
        cls, address: str | None = None, api_key: str | None = None, *, tls: credentials.Tls | bool | None = None
    ) -> Self:
        """As `Client.connect`."""
        return cls(lambda: Client.connect(address, api_key, tls=tls))

    def call(self, make: Callable[[Client], Awaitable[_T]]) -> _T:
        """What an async function makes of the client, for example
        `client.call(lambda it: it.admin.GetEventLog(GetEventLogRequest()))`.
        """
        return self._loop.result(_awaited(lambda: make(self._client)))

    def get_user(self, user_id: str, *, directory_id: str = "", as_of: Moment | None = None) -> DirectoryUser:
        """As `Client.get_user`."""
        return self._loop.result(self._client.get_user(user_id, directory_id=directory_id, as_of=as_of))

    def get_group(self, group_id: str, *, directory_id: str = "", as_of: Moment | None = None) -> DirectoryGroup:
        """As `Client.get_group`."""
        return self._loop.result(self._client.get_group(group_id, directory_id=directory_id, as_of=as_of))

    def get_directory(self, directory_id: str) -> Directory:
        """As `Client.get_directory`."""
        return self._loop.result(self._client.get_directory(directory_id))

    def get_users(self, user_ids: Iterable[str]) -> list[DirectoryUser]:
        """As `Client.get_users`."""
        return self._loop.result(self._client.get_users(user_ids))

    def find_users(
        self,
        *,
        email: str | None = None,
        user_name: str | None = None,
        idp_id: str | None = None,
        directory_id: str = "",
        organization_id: str = "",
    ) -> list[DirectoryUser]:
        """As `Client.find_users`."""
        found = self._client.find_users(
            email=email,
            user_name=user_name,
            idp_id=idp_id,
            directory_id=directory_id,
            organization_id=organization_id,
        )
        return self._loop.result(found)

    def batch_list_user_groups(self, user_ids: Iterable[str]) -> dict[str, list[DirectoryGroup]]:
        """As `Client.batch_list_user_groups`."""
        return self._loop.result(self._client.batch_list_user_groups(user_ids))

    def list_directories(self, *, organization_id: str = "", search: str = "") -> Iterator[Directory]:
        """As `Client.list_directories`."""
        return self._iterate(lambda it: it.list_directories(organization_id=organization_id, search=search))

    def list_users(self, directory_id: str) -> Iterator[DirectoryUser]:
        """As `Client.list_users`."""
        return self._iterate(lambda it: it.list_users(directory_id))

    def list_groups(self, directory_id: str) -> Iterator[DirectoryGroup]:
        """As `Client.list_groups`."""
        return self._iterate(lambda it: it.list_groups(directory_id))

    def list_group_members(
        self, group_id: str, *, directory_id: str = "", effective: bool = False, as_of: Moment | None = None
    ) -> Iterator[Membership]:
        """As `Client.list_group_members`."""
        return self._iterate(
            lambda it: it.list_group_members(group_id, directory_id=directory_id, effective=effective, as_of=as_of)
        )

    def list_user_groups(
        self, user_id: str, *, directory_id: str = "", effective: bool = False, as_of: Moment | None = None
    ) -> Iterator[DirectoryGroup]:
        """As `Client.list_user_groups`."""
        return self._iterate(
            lambda it: it.list_user_groups(user_id, directory_id=directory_id, effective=effective, as_of=as_of)
        )

    def list_memberships(self, directory_id: str, *, as_of: Moment | None = None) -> Iterator[Membership]:
        """As `Client.list_memberships`."""
        return self._iterate(lambda it: it.list_memberships(directory_id, as_of=as_of))

    def list_events(
        self,
        *,
        filter: EventFilter | None = None,  # noqa: A002 - the contract's own name
        cursor: str = "",
    ) -> Iterator[Event]:
        """As `Client.list_events`."""
        return self._iterate(lambda it: it.list_events(filter=filter, cursor=cursor))

    def event_log(self) -> GetEventLogResponse:
        """As `Client.event_log`."""
        return self._loop.result(self._client.event_log())

    def watch(
        self,
        *,
        filter: EventFilter | None = None,  # noqa: A002 - the contract's own name
        start: WatchStart | None = None,
        on_expired: OnExpired = "raise",
        give_up_after: float | None = None,
    ) -> Iterator[EventBatch]:
        """As `Client.watch`: heals itself, and ends only with an error, or when the iterator is closed."""
        return self._iterate(
            lambda it: it.watch(filter=filter, start=start, on_expired=on_expired, give_up_after=give_up_after)
        )

    def mirror(
        self,
        *,
        directory_ids: Iterable[str] = (),
        organization_ids: Iterable[str] = (),
        path: str | os.PathLike[str] | None = None,
        timeout: float | None = None,
    ) -> "SyncMirror":
        """A started `directorysync.mirror.Mirror`; `timeout` is for the start. Close it before the client."""
        mirror = Mirror(self._client, directory_ids=directory_ids, organization_ids=organization_ids, path=path)
        self._loop.result(mirror.start(timeout))
        return SyncMirror(mirror, self._loop)

    def close(self) -> None:
        """Cancels what is under way and closes the connection."""
        self._loop.result(self._client.close())
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _iterate(self, make: Callable[[Client], AsyncIterator[_T]]) -> Iterator[_T]:
        return self._loop.iterate(lambda: make(self._client))


class SyncMirror(Lookups):
    """As `directorysync.mirror.Mirror`, for any thread."""

    def __init__(self, mirror: Mirror, loop: _Loop) -> None:
        super().__init__(mirror.held)
        self._mirror = mirror
        self._loop = loop

    @property
    def staleness(self) -> float:
        """Seconds since the service was last heard; infinite before."""
        return self._mirror.staleness

    @property
    def caught_up(self) -> bool:
        """Whether the last message reached the newest event."""
        return self._mirror.caught_up

    def status(self) -> MirrorStatus:
        """As `Mirror.status`."""
        return self._mirror.status()

    def wait_caught_up(self, timeout: float | None = None) -> None:
        """As `Mirror.wait_caught_up`."""
        self._loop.result(self._mirror.wait_caught_up(timeout))

    def wait_for(self, what: str | Event, timeout: float | None = None) -> None:
        """As `Mirror.wait_for`."""
        self._loop.result(self._mirror.wait_for(what, timeout))

    def wait_for_sequence(self, directory_id: str, sequence: int, timeout: float | None = None) -> None:
        """As `Mirror.wait_for_sequence`."""
        self._loop.result(self._mirror.wait_for_sequence(directory_id, sequence, timeout))

    def close(self) -> None:
        """Ends the following; what came is written to the file. The copy goes on answering."""
        self._loop.result(self._mirror.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


async def _called(make: Callable[[], _T]) -> _T:
    """In the loop: channels belong to the loop in which they are made."""
    return make()


async def _awaited(make: Callable[[], Awaitable[_T]]) -> _T:
    return await make()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


async def _next(source: AsyncIterator[_T]) -> _T:
    return await anext(source)


async def _close(source: Any) -> None:
    if hasattr(source, "aclose"):
        await source.aclose()
