"""DirectoryAdmin: GetEventLog."""

from google.protobuf.duration_pb2 import Duration

from directorysync.v1 import directory_admin_pb2 as pb
from service.app.event_log import reach_of_log
from service.domain.caller import Scope
from service.rpc.convert import timestamp
from service.rpc.edge import Call, Method
from service.rpc.methods import unary_methods
from service.storage.database import Pool


class EventLogHandlers:
    """Check, convert, call, convert."""

    def __init__(self, pool: Pool, retention_days: int) -> None:
        self._pool = pool
        self._retention = Duration(seconds=retention_days * 86_400)

    def methods(self) -> list[Method]:
        """GetEventLog."""
        return unary_methods(pb.DESCRIPTOR, "DirectoryAdmin", (Scope.ADMIN,), {"GetEventLog": self.get_event_log})

    async def get_event_log(self, _: pb.GetEventLogRequest, call: Call) -> pb.GetEventLogResponse:
        """GetEventLog."""
        reach = await reach_of_log(self._pool, call.caller)
        return pb.GetEventLogResponse(
            retention=self._retention,
            event_count=reach.events,
            size_bytes=reach.bytes,
            oldest_time=timestamp(reach.oldest_at),
            newest_time=timestamp(reach.newest_at),
            oldest_cursor=reach.oldest_cursor,
            newest_cursor=reach.newest_cursor,
            positions=reach.positions,
            days=[
                pb.EventLogDay(day=str(part.day), event_count=part.events, size_bytes=part.bytes) for part in reach.days
            ],
        )
