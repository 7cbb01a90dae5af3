"""Deliveries a second to a receiver that is fast, beside a bare loop of the same HTTP client with the same body.

Each delivery is read from the log, rendered, signed twice, sent, and recorded; the bare loop only sends. A directory's
events go one after the other, so the rate grows with directories and with endpoints.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import aiohttp
import uvloop
from google.protobuf.timestamp_pb2 import Timestamp

from benchmarks import preload
from benchmarks.bench import Bench, interleaved
from benchmarks.results import Row
from directorysync.v1 import events_pb2
from directorysync.v1 import webhooks_pb2 as pb
from gateway.webhooks.samples import sample
from gateway.webhooks.signing import signed_headers
from gateway.workos.events import render_event

NAME = "webhooks"
_EVENTS = 4_000
_PATIENCE_SECONDS = 120.0
_CONNECTIONS = 8
_SECRET = "whsec_" + "bmV3" * 11
_CASES = ((1, 1), (1, 8), (8, 8))
"""Endpoints and directories."""
_DOCUMENT = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    "userName": "ada@example.com",
    "name": {"givenName": "Ada", "familyName": "Lovelace", "formatted": "Ada Lovelace"},
    "emails": [{"value": "ada@example.com", "type": "work", "primary": True}],
    "addresses": [{"type": "work", "locality": "London", "country": "GB", "streetAddress": "12 St James's Square"}],
    "title": "Analyst",
    "active": True,
}


class _Receiver:
    """The receiver's process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.port = int(self._answer())

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def reset(self) -> None:
        self._ask("reset")

    def report(self) -> tuple[int, float]:
        """Requests since the reset, and seconds from the first to the last."""
        found = json.loads(self._ask("report"))
        return found["count"], found["seconds"]

    def _ask(self, word: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def _receiving() -> Iterator[_Receiver]:
    command = [sys.executable, "-m", "benchmarks.webhook_receiver"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield _Receiver(process)
    finally:
        process.terminate()
        process.wait(10)


def run(bench: Bench) -> list[Row]:
    """One endpoint with one directory and with eight; eight endpoints."""
    event = sample("dsync.user.created", "webhook_replay_01", Timestamp(seconds=1)).event
    event.user.raw_attributes_json = json.dumps(_DOCUMENT)
    with _receiving() as receiver:
        return [_row(bench, receiver, event, *case) for case in _CASES]


def _row(bench: Bench, receiver: _Receiver, event: events_pb2.Event, endpoints: int, directories: int) -> Row:
    row = Row(NAME, f"{endpoints} endpoints, {directories} directories", "deliveries/s", limit_name="bare loop")
    connections = min(_CONNECTIONS, directories) * endpoints
    measures = [
        partial(_deliver, bench, receiver, event, endpoints, directories, row),
        partial(_bare, receiver, event, connections, row),
    ]
    interleaved(max(1, bench.size.rounds - 1), measures)
    return row


def _deliver(
    bench: Bench, receiver: _Receiver, event: events_pb2.Event, endpoints: int, directories: int, row: Row
) -> None:
    """Endpoints that are off while the log is filled, then on: from the first request to the last."""
    made = [_endpoint(bench, receiver.url(f"/{number}")) for number in range(endpoints)]
    try:
        each = _EVENTS // directories // endpoints
        logs = [preload.fill_log(bench.deployment, event, each) for _ in range(directories)]
        wanted = events_pb2.EventFilter(types=["dsync.user.created"], directory_ids=[log.id for log in logs])
        receiver.reset()
        before = bench.deployment.cpu()
        for endpoint_id in made:
            _update(bench, pb.UpdateWebhookEndpointRequest(id=endpoint_id, enabled=True, filter=wanted))
        expected = each * directories * endpoints
        count, seconds = _awaited(receiver, expected)
        row.cpu += bench.deployment.cpu() - before
    finally:
        for endpoint_id in made:
            request = pb.DeleteWebhookEndpointRequest(id=endpoint_id)
            bench.deployment.admin.DeleteWebhookEndpoint(request, metadata=bench.deployment.metadata)
    row.operations += count
    row.ours.append(count / seconds if seconds else 0.0)
    if count < expected:
        row.wrong.append(f"{count} requests for {expected} events")
    elif count > expected:
        row.note = f"{count - expected} came twice"


def _awaited(receiver: _Receiver, expected: int) -> tuple[int, float]:
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while (found := receiver.report())[0] < expected and time.monotonic() < give_up:
        time.sleep(0.05)
    return found


def _endpoint(bench: Bench, url: str) -> str:
    request = pb.CreateWebhookEndpointRequest(
        endpoint_url=url, filter=events_pb2.EventFilter(types=["webhook_endpoint.disabled"])
    )
    made = bench.deployment.admin.CreateWebhookEndpoint(request, metadata=bench.deployment.metadata).endpoint
    _update(bench, pb.UpdateWebhookEndpointRequest(id=made.id, enabled=False))
    return str(made.id)


def _update(bench: Bench, request: pb.UpdateWebhookEndpointRequest) -> None:
    bench.deployment.admin.UpdateWebhookEndpoint(request, metadata=bench.deployment.metadata)


def _bare(receiver: _Receiver, event: events_pb2.Event, connections: int, row: Row) -> None:
    """The client alone, in a process of its own loop: the same headers and body each time."""
    receiver.reset()
    uvloop.run(_posts(receiver.url("/bare"), render_event(event), connections))
    count, seconds = receiver.report()
    row.limit.append(count / seconds if seconds else 0.0)
    row.limit_operations += count


async def _posts(url: str, body: bytes, connections: int) -> None:
    headers = signed_headers([_SECRET], _SECRET, "event_1", time.time(), body)
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def some(count: int) -> None:
            for _ in range(count):
                async with session.post(url, data=body, headers=headers) as response:
                    await response.read()

        await asyncio.gather(*(some(_EVENTS // connections) for _ in range(connections)))
