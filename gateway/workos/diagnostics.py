"""What a provider sent and could not be understood (an own route)."""

from typing import Any, Final

from directorysync.v1 import directory_admin_pb2 as admin_pb
from directorysync.v1 import directory_ingest_pb2 as ingest_pb
from gateway.workos.times import time_text

_KINDS: Final = {ingest_pb.RESOURCE_TYPE_USER: "User", ingest_pb.RESOURCE_TYPE_GROUP: "Group"}


def diagnostic(message: admin_pb.Diagnostic) -> dict[str, Any]:
    """One kind of thing that was not understood. Holds no value."""
    return {
        "object": "directory_diagnostic",
        "resource_type": _KINDS.get(message.resource_type),
        "path": message.path,
        "reason": message.reason,
        "count": message.count,
        "first_seen_at": time_text(message.first_seen_time),
        "last_seen_at": time_text(message.last_seen_time),
        "last_request_id": message.last_request_id,
    }
