"""Those who wait until a mirror holds what they know of."""

import asyncio

from directorysync.mirror.lookups import Held


class Waiting:
    """Waits for numbers of directories."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._waiting: dict[asyncio.Future[None], tuple[str, int]] = {}

    async def until(self, directory_id: str, sequence: int) -> None:
        """Returns once the copy holds everything of the directory up to the number; nothing, when it was deleted."""
        if self._reached(directory_id, sequence):
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting[future] = (directory_id, sequence)
        try:
            await future
        finally:
            del self._waiting[future]

    def check(self) -> None:
        """The copy has changed."""
        for future, (directory_id, sequence) in self._waiting.items():
            if not future.done() and self._reached(directory_id, sequence):
                future.set_result(None)

    def _reached(self, directory_id: str, sequence: int) -> bool:
        state = self._held.state
        if state is None:
            return False
        return state.sequences.get(directory_id, 0) >= sequence or directory_id in state.gone
