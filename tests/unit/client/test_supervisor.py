"""Workers are started, replaced when they die, and stopped in time."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from directorysync.cli.supervisor import Deaths, GaveUp, Policy, Workers
from tests.support.processes import alive, kill

# Writes its process id into the directory that it is given, says that it serves, and leaves with its supervisor.
WELL = """
import os, signal, sys
open(os.path.join(os.environ["PLACE"], str(os.getpid())), "w").close()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("ready", flush=True)
sys.stdin.read()
"""
DEAF = WELL.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")
SICK = "import sys; sys.exit(7)"

FAST = Policy(quick=30, quick_deaths=3, first_delay=0.01, longest_delay=0.02, stop=5)


def workers(program: str, place: Path, count: int = 1, policy: Policy = FAST) -> Workers:
    return Workers([sys.executable, "-c", program], os.environ | {"PLACE": str(place)}, count, policy=policy)


def pids(place: Path) -> set[int]:
    return {int(path.name) for path in place.iterdir()}


async def test_all_serve_inside_and_none_is_left_behind(tmp_path: Path) -> None:
    async with workers(WELL, tmp_path, 2).running():
        started = pids(tmp_path)
        assert len(started) == 2
        assert all(map(alive, started))
    assert not any(map(alive, started))


async def test_dead_worker_is_replaced(tmp_path: Path) -> None:
    async with workers(WELL, tmp_path).running():
        (first,) = pids(tmp_path)
        os.kill(first, signal.SIGKILL)
        while pids(tmp_path) == {first}:
            await asyncio.sleep(0.02)
        (second,) = pids(tmp_path) - {first}
        assert alive(second)


async def test_worker_that_never_starts_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(GaveUp, match="died 3 times right after its start"):
        async with workers(SICK, tmp_path).running():
            pytest.fail("it never was ready")


async def test_worker_that_dies_again_and_again_is_given_up(tmp_path: Path) -> None:
    kept = workers(WELL, tmp_path)
    async with kept.running():
        failed = asyncio.create_task(kept.failed())
        while not failed.done():
            for pid in filter(alive, pids(tmp_path)):
                kill(pid)
            await asyncio.sleep(0.02)
        with pytest.raises(GaveUp):
            await failed


async def test_worker_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    async with workers(DEAF, tmp_path, policy=Policy(stop=0.1)).running():
        (deaf,) = pids(tmp_path)
    assert not alive(deaf)


async def test_second_signal_kills_at_once(tmp_path: Path) -> None:
    async def serve() -> None:
        async with workers(DEAF, tmp_path, policy=Policy(stop=3600)).running():
            await asyncio.Event().wait()

    serving = asyncio.create_task(serve())
    while not pids(tmp_path):
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.1)
    (deaf,) = pids(tmp_path)
    serving.cancel()
    await asyncio.sleep(0.05)
    assert alive(deaf)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert not alive(deaf)


async def test_workers_leave_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    supervisor = f"""
import asyncio, os, sys
from directorysync.cli.supervisor import Workers
async def main():
    async with Workers([sys.executable, "-c", {WELL!r}], os.environ, 2).running():
        os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    environ = os.environ | {"PLACE": str(tmp_path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        supervisor,
        env=environ,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == -signal.SIGKILL
    left = pids(tmp_path)
    assert len(left) == 2
    while any(map(alive, left)):
        await asyncio.sleep(0.02)


def test_delays_grow_with_quick_deaths_and_start_over_after_a_long_life() -> None:
    deaths = Deaths("worker", Policy(quick=10, quick_deaths=5, first_delay=0.2, longest_delay=0.5))
    assert [deaths.delay_after(1) for _ in range(4)] == [0.2, 0.4, 0.5, 0.5]
    assert deaths.delay_after(11) == 0.2
    assert [deaths.delay_after(1) for _ in range(4)] == [0.2, 0.4, 0.5, 0.5]
    with pytest.raises(GaveUp):
        deaths.delay_after(1)
