"""What the listener refuses before it is a request: under which id, and never in the place of another answer."""

import asyncio
import io
from typing import Any

import pytest
from google.protobuf.message import Message

from tests.unit.gateway.conftest import HEAD, MakeApp, Serving, exchange_bytes, lines, post_head, scim_error
from tests.unit.gateway.fake_upstream import FakeChannel


def header_of(raw: bytes, name: bytes) -> list[str]:
    head = raw.partition(b"\r\n\r\n")[0]
    pairs = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
    return [value.decode() for key, _, value in pairs if key.lower() == name]


CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("chunks", "status", "line"),
    [
        ([b"\x16\x03\x01 hello\r\n\r\n"], 400, "refused"),
        ([b"GET / HTTP/1.1\r\nBad Name: 1\r\n\r\n"], 400, "refused"),
        ([b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n"], 400, "refused"),
        ([b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"], 400, "refused"),
        ([b"CONNECT a.test:443 HTTP/1.1\r\nHost: a\r\n\r\n"], 400, "refused"),
        ([b"GET / HTTP/1.1\r\nX: " + b"x" * 3_000 + b"\r\n\r\n"], 431, "refused"),
        ([b"GET /?" + b"x" * 3_000 + b" HTTP/1.1\r\n\r\n"], 431, "refused"),
        ([b"GET / HTTP/1.1\r\n"], 408, "refused"),
        ([post_head(b"Content-Length: 10"), b"{"], 408, "request"),
        ([post_head(CHUNKED), b"no size\r\n"], 400, "request"),
        ([post_head(CHUNKED) + b"no size\r\n"], 400, "request"),
    ],
    ids=[
        "no-http", "name", "length", "lengths", "tunnel", "large", "url", "slow-head", "slow-body", "chunk",
        "chunk-at-once",
    ],
)  # fmt: skip
async def test_a_refusal_by_the_listener_has_an_id_that_the_log_knows(
    make_app: MakeApp, serving: Serving, log_text: io.StringIO, chunks: list[bytes], status: int, line: str
) -> None:
    limits = {"max_head_bytes": 2_048, "head_seconds": 0.1, "body_seconds": 0.1}
    async with serving(make_app(), **limits) as server:
        raw = await exchange_bytes(server.port, *chunks, pause=0.02)
    assert scim_error(raw)[0] == status
    (request_id,) = header_of(raw, b"x-request-id")
    assert request_id.startswith("req_")
    assert [(one["event"], one["request_id"]) for one in lines(log_text)] == [(line, request_id)]


@pytest.mark.parametrize(
    "end", [b"A: 1\r\nBad Name: 1\r\n\r\n", b"X: " + b"x" * 3_000 + b"\r\n\r\n", CHUNKED + b"\r\n\r\nno size\r\n"]
)
async def test_a_refusal_by_the_listener_keeps_the_id_that_was_offered(
    make_app: MakeApp, serving: Serving, log_text: io.StringIO, end: bytes
) -> None:
    async with serving(make_app(), max_head_bytes=2_048) as server:
        for offered, kept in ((b"mine-1", True), (b"not one", False)):
            head = b"POST /directories HTTP/1.1\r\n" + HEAD + b"X-Request-ID: " + offered + b"\r\n"
            (request_id,) = header_of(await exchange_bytes(server.port, head + end), b"x-request-id")
            assert (request_id == offered.decode()) is kept
            assert [one["request_id"] for one in lines(log_text)][-1] == request_id


async def test_what_follows_a_request_is_refused_under_another_id(make_app: MakeApp, serving: Serving) -> None:
    get = b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Request-ID: first\r\n\r\n"
    async with serving(make_app()) as server:
        raw = await exchange_bytes(server.port, get, b"\x16\x03\x01 hello\r\n\r\n", pause=0.1)
    answered, _, refused = raw.partition(b"HTTP/1.1 400")
    assert header_of(answered, b"x-request-id") == ["first"]
    (request_id,) = header_of(b"HTTP/1.1 400" + refused, b"x-request-id")
    assert request_id.startswith("req_")


@pytest.mark.parametrize(
    "end",
    [
        b"\x16\x03\x01 hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 3_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n",
        post_head(b"Content-Length: 10") + b"{",
        post_head(CHUNKED) + b"no size\r\n",
    ],
    ids=["no-http", "large", "slow-head", "slow-body", "chunk"],
)
async def test_a_refusal_is_never_taken_for_the_answer_to_the_request_before(
    make_app: MakeApp, serving: Serving, channel: FakeChannel, end: bytes
) -> None:
    release, reply = asyncio.Event(), channel.replies["GetResource"]
    assert isinstance(reply, Message)

    async def held(_: Any) -> Message:
        await release.wait()
        return reply

    channel.replies["GetResource"] = held
    limits = {"max_head_bytes": 2_048, "head_seconds": 0.1, "body_seconds": 0.1}
    get = b"GET /scim/v2/key-1/Users/1 HTTP/1.1\r\nX-Request-ID: first\r\n" + HEAD + b"\r\n"
    async with asyncio.timeout(10), serving(make_app(), **limits) as server:
        answered = asyncio.create_task(exchange_bytes(server.port, get, end, pause=0.02))
        await asyncio.sleep(0.3)
        release.set()
        raw = await answered
    assert raw.count(b"HTTP/1.1 ") <= 1
    if raw:
        assert raw.startswith(b"HTTP/1.1 200")
        assert header_of(raw, b"x-request-id") == ["first"]
        assert header_of(raw, b"connection") == ["close"]


async def test_what_was_answered_is_not_refused_as_well(make_app: MakeApp, serving: Serving) -> None:
    head = b"POST /scim/v2/key-1/Nothing HTTP/1.1\r\n" + HEAD + CHUNKED + b"\r\n\r\n"
    async with serving(make_app()) as server:
        raw = await exchange_bytes(server.port, head, b"no size\r\n", pause=0.1)
    assert raw.startswith(b"HTTP/1.1 404")
    assert raw.count(b"HTTP/1.1 ") == 1
