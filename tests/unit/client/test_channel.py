"""Every unary call has a deadline, and exactly the reads are sent again."""

import pytest
from google.protobuf.descriptor import MethodDescriptor

from directorysync.channel import STREAMS, service_config
from directorysync.v1 import directory_admin_pb2, directory_ingest_pb2, directory_sync_pb2

METHODS = [
    method
    for file in (directory_sync_pb2, directory_ingest_pb2, directory_admin_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
READING_VERBS = ("Get", "List", "Batch", "Lookup", "Search", "Resolve")


def entry(method: MethodDescriptor) -> dict[str, object]:
    """What gRPC goes by: the entry of the method, else that of its service."""
    service = method.containing_service.full_name
    entries = service_config()["methodConfig"]
    for wanted in ({"service": service, "method": method.name}, {"service": service}):
        found = [one for one in entries if wanted in one["name"]]
        assert len(found) < 2
        if found:
            return found[0]
    return {}


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_unary_calls_have_deadlines_and_only_reads_are_repeated(method: MethodDescriptor) -> None:
    config = entry(method)
    streams = method.server_streaming or method.client_streaming
    assert streams == (method.name in STREAMS)
    assert ("timeout" in config) is not streams
    assert ("retryPolicy" in config) is (not streams and method.name.startswith(READING_VERBS))


def test_nothing_is_configured_that_does_not_exist() -> None:
    known = {(method.containing_service.full_name, method.name) for method in METHODS}
    named = {(name["service"], name["method"]) for one in service_config()["methodConfig"] for name in one["name"]
             if "method" in name}  # fmt: skip
    assert named - known == set()
