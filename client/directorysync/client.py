"""The client of the service: one authenticated channel, typed stubs, reads as methods, and a watch that resumes."""

from types import TracebackType
from typing import Self

import grpc

from directorysync import credentials
from directorysync.channel import CHANNEL_OPTIONS, open_channel
from directorysync.reads import Reads
from directorysync.subscription import Subscription, SubscriptionSettings
from directorysync.v1 import directory_admin_pb2_grpc, directory_ingest_pb2_grpc, directory_sync_pb2_grpc
from directorysync.v1.directory_sync_pb2 import WatchStart
from directorysync.v1.events_pb2 import EventFilter
from directorysync.watch import OnExpired, Watch, WatchSettings

__all__ = ["CHANNEL_OPTIONS", "Client"]


class Client(Reads):
    """A connection to the service. `sync`, `ingest` and `admin` are its three interfaces, typed by the contract; their
    unary calls raise `DirectorySyncError`, end after 5 s (60 s for the deletion of a directory), and are sent again
    only when they read. The methods of `Reads` are short forms of the reads. Use it in one event loop, and as a context
    manager or with `close()`; `directorysync.sync` is for programs without one.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self.sync = directory_sync_pb2_grpc.DirectorySyncStub(channel)
        self.ingest = directory_ingest_pb2_grpc.DirectoryIngestStub(channel)
        self.admin = directory_admin_pb2_grpc.DirectoryAdminStub(channel)

    @classmethod
    def connect(
        cls,
        address: str | None = None,
        api_key: str | None = None,
        *,
        tls: credentials.Tls | bool | None = None,
    ) -> Self:
        """Connects lazily: the first call opens the connection. What is not given is found as
        `directorysync.credentials.resolve` describes. Call it inside a running event loop.
        """
        return cls(open_channel(credentials.resolve(address, api_key, tls)))

    def watch(
        self,
        *,
        filter: EventFilter | None = None,  # noqa: A002 - the contract's own name
        start: WatchStart | None = None,
        max_batch_size: int = 0,
        bookmark_interval: float = 15.0,
        give_up_after: float | None = None,
        on_expired: OnExpired = "raise",
        snapshot: WatchStart.Snapshot | None = None,
    ) -> Watch:
        """Every event behind `start` (default: from now on), then each new one, in order, whole commands at a time:
        `async for batch in client.watch()`, or `await client.watch().run(handler, cursors)`.

        Breaks of any kind are healed by reconnecting behind the last batch, after at most 5 s, for as long as it takes
        or until `give_up_after` seconds without a connection. The first batch is empty and says where the watch began.
        A stream without a message for three times `bookmark_interval` (1 to 300 s) counts as broken.

        With `on_expired="snapshot"`, a cursor whose events are gone is answered with the whole present state: batches
        with `snapshot`, of which the first has `reset`. `snapshot` says what may be left out of it.

        Raises CursorExpired and CursorDiverged when the events behind the cursor are gone, CursorInvalid, and
        CredentialsInvalid or ScopeMissing when the key is not good for this.
        """
        settings = WatchSettings(
            filter, max_batch_size, bookmark_interval, give_up_after, on_expired=on_expired, snapshot=snapshot
        )
        return Watch(self.sync, start, settings)

    def subscribe(
        self,
        name: str,
        *,
        consumer: str = "",
        credit: int = 0,
        max_batch_size: int = 0,
        takeover: bool = False,
        wait: float | None = None,
        bookmark_interval: float = 15.0,
        give_up_after: float | None = None,
    ) -> Subscription:
        """Reads the subscription of this name or id, of which the service keeps the place: `async for batch in
        client.subscribe("billing")` with `batch.ack()` when its effects are stored, or
        `await client.subscribe("billing").run(handler)`. What is not acknowledged comes again.

        One reader at a time. Others wait until it leaves, for ever or up to `wait` seconds (then SubscriptionHeld);
        with `takeover` it has to leave at once. `consumer` is shown to operators; default: host and process.
        `credit` (default 500, at most 10,000) events may be under way and not acknowledged. Breaks are healed as those
        of `watch` are.

        Raises CursorExpired and CursorDiverged when the events behind the kept place are gone (take a snapshot, then
        reset the subscription), NotFound, and CredentialsInvalid or ScopeMissing when the key is not good for this.
        """
        settings = SubscriptionSettings(
            name, consumer, credit, max_batch_size, takeover, wait, bookmark_interval, give_up_after
        )
        return Subscription(self.sync, settings)

    async def close(self) -> None:
        """Cancels what is under way and closes the connection."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
