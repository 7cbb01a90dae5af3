"""A live local copy of directories: look-ups in microseconds, never stale without saying so."""

from directorysync.mirror.changes import Changes, MirrorChange
from directorysync.mirror.file import MirrorFileError
from directorysync.mirror.live import Mirror, MirrorClosed, MirrorStatus
from directorysync.mirror.lookups import Lookups, MirrorNotReady

__all__ = [
    "Changes",
    "Lookups",
    "Mirror",
    "MirrorChange",
    "MirrorClosed",
    "MirrorFileError",
    "MirrorNotReady",
    "MirrorStatus",
]
