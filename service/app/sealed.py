"""What a stream hands to its carrier."""

from typing import NamedTuple


class Sealed(NamedTuple):
    """A message ready to be sent, and the cursor that it holds: from there its stream can be resumed. Empty: none."""

    message: bytes
    cursor: str
