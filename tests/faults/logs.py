"""What a server wrote about itself."""

from collections.abc import Iterable

_EVENTS = ('"event":"unexpected_error"', '"event":"fault"')


def faults_in(lines: Iterable[str]) -> list[str]:
    """Lines about faults of the service itself. That a database is away is none."""
    return [
        line
        for line in lines
        if line.startswith("Traceback") or any(event in line.replace('": "', '":"') for event in _EVENTS)
    ]
