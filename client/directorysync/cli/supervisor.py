"""Keeps worker processes alive: starts them, replaces one that dies, stops them in time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from directorysync.cli.failure import Failure


class GaveUp(Failure):
    """Something died again and again right after its start."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How often to try. Times in seconds; a death within `quick` of the start counts as quick."""

    quick: float = 10.0
    quick_deaths: int = 5
    first_delay: float = 0.2
    longest_delay: float = 5.0
    stop: float = 5.0


class Deaths:
    """Counts quick deaths in a row and says how long to wait before the next start."""

    def __init__(self, what: str, policy: Policy) -> None:
        self._what = what
        self._policy = policy
        self._quick = 0

    def delay_after(self, lived: float) -> float:
        """Seconds to wait after a life of `lived` seconds. Raises GaveUp after too many short ones."""
        self._quick = self._quick + 1 if lived < self._policy.quick else 0
        if self._quick >= self._policy.quick_deaths:
            raise GaveUp(f"{self._what} died {self._quick} times right after its start; the log says why")
        return float(min(self._policy.longest_delay, self._policy.first_delay * 2 ** max(0, self._quick - 1)))


class Workers:
    """`count` processes of one command.

    A worker writes one line on standard output once it serves. Its standard input is a pipe that nobody writes to: when
    it ends, the supervisor is gone, however it died, and so the worker leaves too.
    """

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        count: int,
        *,
        policy: Policy | None = None,
        ended: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._command = command
        self._environ = environ
        self._count = count
        self._policy = policy or Policy()
        self._ended = ended
        self._log: Any = structlog.get_logger("directorysync.supervisor")
        self._processes: set[asyncio.subprocess.Process] = set()
        self._keepers: list[asyncio.Task[None]] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """All workers serve when the block begins, none is left when it has ended. Raises GaveUp."""
        ready = [asyncio.Event() for _ in range(self._count)]
        self._keepers = [asyncio.create_task(self._keep(number, event)) for number, event in enumerate(ready)]
        try:
            await self._until_ready(ready)
            yield
        finally:
            await self._stop()

    async def failed(self) -> None:
        """Waits until one worker cannot be kept alive, and raises GaveUp."""
        done, _ = await asyncio.wait(self._keepers, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def _until_ready(self, ready: Sequence[asyncio.Event]) -> None:
        for event in ready:
            waiting = asyncio.create_task(event.wait())
            await asyncio.wait([waiting, *self._keepers], return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                waiting.cancel()
                await self.failed()

    async def _keep(self, number: int, ready: asyncio.Event) -> None:
        deaths = Deaths(f"worker {number}", self._policy)
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            status = await self._live(number, ready)
            delay = deaths.delay_after(clock() - began)
            self._log.error("worker_died", worker=number, status=status, restart_in=delay)
            await asyncio.sleep(delay)

    async def _live(self, number: int, ready: asyncio.Event) -> int:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=self._environ,
            start_new_session=True,  # Ctrl-C is for the supervisor, which stops the workers in order
        )
        self._processes.add(process)
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            if await process.stdout.readline():
                self._log.info("worker_ready", worker=number, pid=process.pid)
                ready.set()
            while await process.stdout.read(65536):
                pass
            return await process.wait()
        finally:
            if process.returncode is not None:
                self._processes.discard(process)
                self._ended(process.pid)

    async def _stop(self) -> None:
        self._log.info("workers_stopping")
        for keeper in self._keepers:
            keeper.cancel()
        try:
            await asyncio.gather(*self._keepers, return_exceptions=True)
            for process in self._processes:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
            async with asyncio.timeout(self._policy.stop):
                await asyncio.gather(*(process.wait() for process in self._processes))
        except TimeoutError:
            self._log.warning("workers_killed", after=self._policy.stop)
        finally:
            await self._kill_rest()

    async def _kill_rest(self) -> None:
        for process in list(self._processes):
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await process.wait()
            self._ended(process.pid)
        self._processes.clear()
        self._log.info("workers_stopped")
