"""Request ids, log lines, metrics, and what happens when something breaks."""

import asyncio
import io
import re
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.message import Message
from prometheus_client import CollectorRegistry

from directorysync.v1 import directory_ingest_pb2 as pb
from gateway.config import GatewayConfig
from tests.unit.gateway.conftest import BASE, TOKEN, MakeApp, MakeClient, Serving, exchange_bytes, lines
from tests.unit.gateway.fake_upstream import FakeChannel, rpc_error


@pytest.mark.parametrize("offered", ["abc", "a" * 128, "00-4bf92f-01", "{x}~!"])
async def test_a_sane_request_id_is_kept(client: httpx.AsyncClient, channel: FakeChannel, offered: str) -> None:
    answer = await client.get("/Users/1", headers={"x-request-id": offered})
    assert answer.headers["x-request-id"] == offered
    assert channel.last.metadata["x-request-id"] == offered


@pytest.mark.parametrize("offered", [b"", b"a" * 129, b"a b", b"caf\xe9", b"a\tb"])
async def test_any_other_request_id_is_replaced(client: httpx.AsyncClient, offered: bytes) -> None:
    answer = await client.get("/Users/1", headers={b"x-request-id": offered})
    assert re.fullmatch(r"req_[0-9a-f]{32}", answer.headers["x-request-id"])


@pytest.mark.parametrize("path", ["/scim/v2/key-1/Users", "/scim/v2/key-1/Nothing", "/nothing", "/healthz", "/metrics"])
async def test_every_answer_carries_a_request_id(client: httpx.AsyncClient, path: str) -> None:
    first, second = [await client.get(f"http://gateway.test{path}") for _ in range(2)]
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


async def test_a_request_is_one_line_with_ids_and_codes(client: httpx.AsyncClient, log_text: io.StringIO) -> None:
    answer = await client.get("/Users/directory_user_1", headers={"x-request-id": "r-1"})
    (line,) = lines(log_text)
    assert line.pop("ms") >= 0
    assert line == {
        "event": "request",
        "level": "info",
        "method": "GET",
        "route": "/scim/v2/{key}/Users/{id}",
        "status": 200,
        "bytes": len(answer.content),
        "directory": "key-1",
        "request_id": "r-1",
    }


async def test_a_head_request_sends_no_body(client: httpx.AsyncClient, log_text: io.StringIO) -> None:
    await client.head("/Users/1")
    assert lines(log_text)[0]["bytes"] == 0


async def test_a_refusal_is_logged_with_its_reason(
    client: httpx.AsyncClient, channel: FakeChannel, log_text: io.StringIO
) -> None:
    channel.replies["CreateResource"] = rpc_error(grpc.StatusCode.ALREADY_EXISTS, "UNIQUENESS", "ada is taken")
    await client.post("/Users", content="{}")
    (line,) = lines(log_text)
    assert (line["status"], line["reason"]) == (409, "UNIQUENESS")


@pytest.mark.parametrize("outcome", ["answer", "refusal", "fault", "unauthorized"])
async def test_no_secret_and_no_personal_data_reaches_the_log(
    client: httpx.AsyncClient, channel: FakeChannel, log_text: io.StringIO, outcome: str
) -> None:
    personal = "ada.private@example.com"
    channel.replies["SearchResources"] = {
        "answer": channel.replies["SearchResources"],
        "refusal": rpc_error(grpc.StatusCode.INVALID_ARGUMENT, "SCIM_INVALID_FILTER", f"cannot read {personal}"),
        "fault": RuntimeError(f"{personal} {TOKEN}"),
        "unauthorized": rpc_error(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID", f"{TOKEN} is unknown"),
    }[outcome]
    await client.get("/Users", params={"filter": f'userName eq "{personal}"'})
    await client.post("/Users/.search", json={"filter": f'userName eq "{personal}"'})
    await client.get(f"/Users/{personal}", headers={"x-other": TOKEN})
    await client.get(f"http://gateway.test/{personal}?token={TOKEN}")
    assert len(lines(log_text)) >= 4
    assert personal not in log_text.getvalue()
    assert TOKEN not in log_text.getvalue()


@pytest.mark.parametrize("prefix", ["dst_", "sk_"])
async def test_a_secret_in_the_place_of_the_key_is_not_logged(
    client: httpx.AsyncClient, log_text: io.StringIO, prefix: str
) -> None:
    await client.get(f"http://gateway.test/scim/v2/{prefix}{'x' * 43}/Users")
    [line] = lines(log_text)
    assert (line["route"], line["directory"]) == ("/scim/v2/{key}/Users", None)
    assert prefix not in log_text.getvalue()


async def test_a_fault_is_answered_and_logged_with_its_place(
    client: httpx.AsyncClient, channel: FakeChannel, log_text: io.StringIO
) -> None:
    channel.replies["GetResource"] = ZeroDivisionError("text")
    answer = await client.get("/Users/1", headers={"x-request-id": "r-9"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "r-9")
    assert answer.json()["detail"] == "The request failed here. Its id is r-9."
    fault, request = lines(log_text)
    assert (fault["event"], fault["level"], fault["error"], fault["request_id"]) == (
        "fault",
        "error",
        "ZeroDivisionError",
        "r-9",
    )
    assert any("gateway/upstream.py" in place for place in fault["where"])
    assert (request["status"], request["reason"]) == (500, "INTERNAL")


async def test_requests_are_counted_by_template(make_client: MakeClient, make_app: MakeApp) -> None:
    registry = CollectorRegistry()
    client = make_client(make_app(registry=registry))
    for path in ("/Users/1", "/users/2", "/Users/3/", "/Nothing", "/Else"):
        await client.get(path)
    await client.request("PROPFIND", "/Users")

    def count(method: str, route: str, status: str) -> float | None:
        labels = {"method": method, "route": route, "status": status}
        timed = registry.get_sample_value("directorysync_http_seconds_count", labels)
        counted = registry.get_sample_value("directorysync_http_requests_total", labels)
        assert timed == counted
        return counted

    assert count("GET", "/scim/v2/{key}/Users/{id}", "200") == 3
    assert count("GET", "unmatched", "404") == 2
    assert count("other", "/scim/v2/{key}/Users", "405") == 1


async def test_above_the_ceiling_of_running_requests_the_next_is_told_to_wait(
    make_client: MakeClient, channel: FakeChannel
) -> None:
    release = asyncio.Event()
    reply = channel.replies["GetResource"]
    assert isinstance(reply, Message)

    async def held(_: Any) -> Message:
        await release.wait()
        return reply

    channel.replies["GetResource"] = held
    client = make_client(config=GatewayConfig(max_in_flight=2))
    running = [asyncio.create_task(client.get("/Users/1")) for _ in range(2)]
    while len(channel.calls) < 2:
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        refused = await client.get("/Users/1")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert (await client.get("http://gateway.test/healthz")).status_code == 200
    release.set()
    assert [answer.status_code for answer in await asyncio.gather(*running)] == [200, 200]
    assert (await client.get("/Users/1")).status_code == 200


async def test_a_client_that_leaves_while_it_sends_is_noted_and_nothing_is_done(
    make_app: MakeApp, channel: FakeChannel, log_text: io.StringIO
) -> None:
    sent: list[Any] = []
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/scim/v2/key-1/Users",
        "query_string": b"",
        "headers": [(b"host", b"gateway.test"), (b"authorization", b"Bearer t")],
    }
    await make_app()(scope, receive, send)
    assert not sent
    assert not channel.calls
    assert lines(log_text)[0]["status"] == 499


async def test_a_cancelled_request_is_answered_before_it_ends(make_app: MakeApp, channel: FakeChannel) -> None:
    async def held(_: Any) -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    channel.replies["GetResource"] = held
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": f"{BASE.removeprefix('http://gateway.test')}/Users/1",
        "query_string": b"",
        "headers": [(b"host", b"gateway.test"), (b"authorization", b"Bearer t")],
    }
    task = asyncio.create_task(make_app()(scope, receive, send))
    while not channel.calls:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"1") in sent[0]["headers"]


async def test_an_unknown_path_is_a_json_404(client: httpx.AsyncClient) -> None:
    for path in ("/", "/nothing", "/favicon.ico"):
        answer = await client.get(f"http://gateway.test{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
        assert answer.json() == {"message": "Not found."}


async def test_more_rooms_are_found_by_the_first_segment(make_client: MakeClient, make_app: MakeApp) -> None:
    async def room(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"pages"})

    client = make_client(make_app(extra_routes=[("pages", room), ("", room)]))
    for path in ("/pages", "/pages/x", "/"):
        answer = await client.get(f"http://gateway.test{path}")
        assert (answer.text, "x-request-id" in answer.headers) == ("pages", True)
    with pytest.raises(ValueError, match="two rooms for /scim"):
        make_app(extra_routes=[("scim", room)])


async def test_an_answer_that_the_server_cannot_send_ends_the_connection_and_is_a_fault(
    make_app: MakeApp, serving: Serving, channel: FakeChannel, log_text: io.StringIO
) -> None:
    resource = pb.ResourceDocument(document_json="{}", etag="bad\r\nx-injected: 1")
    channel.replies["GetResource"] = pb.GetResourceResponse(resource=resource)
    async with serving(make_app()) as server:
        head = f"GET /scim/v2/key-1/Users/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        assert b"x-injected" not in await exchange_bytes(server.port, head.encode())
    fault, request = lines(log_text)
    assert (fault["event"], request["status"], request["reason"]) == ("fault", 500, "INTERNAL")
