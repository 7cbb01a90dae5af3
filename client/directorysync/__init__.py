"""Directory Sync for Python: `Client` reads, writes and follows directories; `directorysync.mirror` keeps a live copy;
`directorysync.sync` is for programs without an event loop; `directorysync.v1` is the contract.
"""

from directorysync.client import Client
from directorysync.credentials import Tls
from directorysync.cursors import CursorStore, FileCursorStore
from directorysync.errors import DirectorySyncError
from directorysync.v1.directory_sync_pb2 import WatchStart
from directorysync.v1.events_pb2 import Event, EventFilter
from directorysync.watch import EventBatch, Watch

__all__ = [
    "Client",
    "CursorStore",
    "DirectorySyncError",
    "Event",
    "EventBatch",
    "EventFilter",
    "FileCursorStore",
    "Tls",
    "Watch",
    "WatchStart",
]
