"""`dirsync events tail` against a service that does what it is told."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from grpc import StatusCode

from tests.unit.client.fake_service import STAYS_OPEN, UNAVAILABLE, End, FakeDirectorySync, batch, started

Tail = Callable[..., Any]


@pytest.fixture
def tail(port: int) -> Tail:
    """Starts `dirsync events tail`; the process is ended with the block."""

    @asynccontextmanager
    async def run(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-m", "directorysync.cli", "events", "tail", *arguments),
            env=os.environ | {"DIRSYNC_ADDRESS": f"127.0.0.1:{port}", "DIRSYNC_API_KEY": "sk_test"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # A shell's background jobs, and what they start, ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    return run


async def lines(process: asyncio.subprocess.Process, count: int) -> list[dict[str, Any]]:
    assert process.stdout is not None
    return [json.loads(await process.stdout.readline()) for _ in range(count)]


async def test_follows_through_breaks_and_writes_each_event_at_once(service: FakeDirectorySync, tail: Tail) -> None:
    service.script = [
        ([started("c0"), batch("c1", 1)], UNAVAILABLE),
        ([started("c1"), batch("c2", 2)], STAYS_OPEN),
    ]
    async with tail("--from", "beginning", "--output", "json") as process:
        found = await lines(process, 2)
    assert [(event["directory_sequence"], event["cursor"]) for event in found] == [(1, "c1"), (2, "c2")]
    assert service.starts == ["beginning", "c1"]


async def test_without_follow_it_ends_at_the_newest_event(service: FakeDirectorySync, tail: Tail) -> None:
    service.script = [([started("c0"), batch("c1", 1), batch("c2", 2, caught_up=True), batch("c3", 3)], STAYS_OPEN)]
    async with tail("--no-follow", "--output", "json") as process:
        output, _ = await process.communicate()
    assert [json.loads(line)["directory_sequence"] for line in output.splitlines()] == [1, 2]
    assert process.returncode == 0
    assert service.starts == ["beginning"]


async def test_cursor_of_a_line_inside_a_command_goes_back_to_its_beginning(
    service: FakeDirectorySync, tail: Tail
) -> None:
    service.script = [([started("c0"), batch("c1", 1), batch("c3", 2, 3, caught_up=True)], STAYS_OPEN)]
    async with tail("--no-follow", "--output", "json") as process:
        found = await lines(process, 3)
    assert [event["cursor"] for event in found] == ["c1", "c1", "c3"]


async def test_begins_behind_a_cursor_with_the_filter_that_was_asked_for(
    service: FakeDirectorySync, tail: Tail
) -> None:
    service.script = [([started("c7", caught_up=True)], STAYS_OPEN)]
    wanted = ["--directory", "d1", "--directory", "d2", "--organization", "o1", "--type", "dsync.user.*"]
    async with tail("--from", "c7", "--no-follow", *wanted) as process:
        output, _ = await process.communicate()
    assert (output, process.returncode) == (b"", 0)
    (request,) = service.watched
    assert request.start.cursor == "c7"
    assert list(request.filter.directory_ids) == ["d1", "d2"]
    assert list(request.filter.organization_ids) == ["o1"]
    assert list(request.filter.types) == ["dsync.user.*"]


async def test_following_begins_now_unless_told_otherwise(service: FakeDirectorySync, tail: Tail) -> None:
    service.script = [([started("c0"), batch("c1", 1)], STAYS_OPEN)]
    async with tail("--output", "json") as process:
        await lines(process, 1)
    assert service.starts == ["now"]


async def test_expired_cursor_is_one_line_and_exit_code_1(service: FakeDirectorySync, tail: Tail) -> None:
    service.script = [([], End(StatusCode.OUT_OF_RANGE, "CURSOR_EXPIRED"))]
    async with tail("--from", "c1") as process:
        _, errors = await process.communicate()
    assert process.returncode == 1
    assert errors == b"dirsync: CURSOR_EXPIRED!\n"


async def test_interrupt_ends_it_quietly(service: FakeDirectorySync, tail: Tail) -> None:
    service.script = [([started("c0"), batch("c1", 1)], STAYS_OPEN)]
    async with tail("--from", "beginning", "--output", "json") as process:
        await lines(process, 1)
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
    assert process.returncode == 130
    assert errors == b""


async def test_closed_pipe_ends_it_quietly(service: FakeDirectorySync, tail: Tail) -> None:
    messages = [batch(f"c{number}", number) for number in range(20_000)]
    service.script = [([started("c"), *messages], STAYS_OPEN)]
    async with tail("--from", "beginning", "--output", "json") as process:
        await lines(process, 1)
        process.stdout._transport.close()
        async with asyncio.timeout(60):
            errors = await process.stderr.read()
            assert await process.wait() == 0
    assert errors == b""


async def test_ends_quietly_when_nobody_reads_any_more(service: FakeDirectorySync, tail: Tail) -> None:
    service.script = [([started("c0"), batch("c1", 1)], STAYS_OPEN)]
    async with tail("--from", "beginning", "--output", "json") as process:
        await lines(process, 1)
        process.stdout._transport.close()  # as `head` does, with no event to come
        async with asyncio.timeout(20):
            assert await process.wait() == 0
        assert await process.stderr.read() == b""
