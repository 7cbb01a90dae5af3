"""Directory Sync for Python: `Client` reads, writes and follows directories; `directorysync.v1` is the contract."""

from directorysync.client import Client
from directorysync.credentials import Tls
from directorysync.errors import DirectorySyncError
from directorysync.v1.directory_sync_pb2 import WatchStart
from directorysync.v1.events_pb2 import Event, EventFilter
from directorysync.watch import EventBatch

__all__ = ["Client", "DirectorySyncError", "Event", "EventBatch", "EventFilter", "Tls", "WatchStart"]
