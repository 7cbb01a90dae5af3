"""The real listener: ceilings, time, shutdown."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf.message import Message

from gateway.config import GatewayConfig
from gateway.server import serve
from tests.unit.gateway.conftest import HEAD, TOKEN, MakeApp, Serving, exchange_bytes, post_head, scim_error
from tests.unit.gateway.fake_upstream import LIST_JSON, USER_JSON, FakeChannel


async def test_requests_over_a_socket(make_app: MakeApp, serving: Serving) -> None:
    async with (
        serving(make_app()) as server,
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{server.port}/scim/v2/key-1", headers={"authorization": f"Bearer {TOKEN}"}
        ) as client,
    ):
        created = await client.post("/Users", content="{}")
        assert (created.status_code, created.text) == (201, USER_JSON)
        assert "server" not in created.headers
        assert created.headers["date"]
        head = await client.head("/Users")
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(LIST_JSON)))
        assert (await client.get('/Users?filter=userName eq "köln+1"')).status_code == 200
        assert (await client.delete("/Users/1")).status_code == 204


async def test_a_name_in_a_url_needs_no_escaping(make_app: MakeApp, serving: Serving, channel: FakeChannel) -> None:
    line = 'GET /scim/v2/key-1/Groups?filter=displayName+eq+"Köln" HTTP/1.1\r\n'.encode()
    async with serving(make_app()) as server:
        raw = await exchange_bytes(server.port, line + HEAD + b"Connection: close\r\n\r\n")
    assert raw.startswith(b"HTTP/1.1 200 ")
    assert channel.last.request.filter == 'displayName eq "Köln"'


async def test_http_1_0_without_a_host(make_app: MakeApp, serving: Serving, channel: FakeChannel) -> None:
    line = f"GET /scim/v2/key-1/Users HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    async with serving(make_app()) as server:
        raw = await exchange_bytes(server.port, line)
        assert channel.last.request.context.base_url == f"http://127.0.0.1:{server.port}/scim/v2/key-1"
    assert raw.startswith(b"HTTP/1.1 200 ")


async def test_a_body_that_grows_too_large_is_refused_while_it_is_sent(
    make_app: MakeApp, serving: Serving, channel: FakeChannel
) -> None:
    async with serving(make_app(config=GatewayConfig(max_body_bytes=10_000))) as server:
        chunk = b"1000\r\n" + b"1" * 0x1000 + b"\r\n"
        raw = await exchange_bytes(server.port, post_head(b"Transfer-Encoding: chunked"), *[chunk] * 50, b"0\r\n\r\n")
    status, body = scim_error(raw)
    assert (status, body["status"]) == (413, "413")
    assert not channel.calls


async def test_a_client_that_sends_all_before_it_reads_still_gets_its_413(make_app: MakeApp, serving: Serving) -> None:
    body = b"1" * 8_000_000
    async with serving(make_app()) as server:
        raw = await exchange_bytes(server.port, post_head(b"Content-Length: %d" % len(body)), body)
    assert scim_error(raw)[0] == 413


async def test_a_client_that_asks_before_it_sends_is_told_413_at_once(make_app: MakeApp, serving: Serving) -> None:
    async with serving(make_app()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(post_head(b"Content-Length: 9000000", b"Expect: 100-continue"))
        assert (await reader.readline()).split()[1] == b"413"
        writer.close()
        await writer.wait_closed()


async def test_a_body_that_never_ends_is_given_up(make_app: MakeApp, serving: Serving, channel: FakeChannel) -> None:
    async with serving(make_app(), body_seconds=0.05) as server:
        raw = await exchange_bytes(server.port, post_head(b"Content-Length: 10"), b"{")
    assert scim_error(raw)[0] == 408
    assert not channel.calls


@pytest.mark.parametrize(
    "chunks",
    [
        [b"GET /scim/v2/key-1 HTTP/1.1\r\nX: " + b"x" * 3_000 + b"\r\n\r\n"],
        [b"GET /scim/v2/key-1 HTTP/1.1\r\nX: ", b"x" * 1_500, b"x" * 1_500],
        [b"GET /scim/v2/key-1?" + b"x" * 3_000 + b" HTTP/1.1\r\n\r\n"],
        [b"GET /scim/v2/key-1 HTTP/1.1\r\n" + b"X: 1\r\n" * 500 + b"\r\n"],
    ],
    ids=["whole", "endless", "url", "many"],
)
async def test_a_head_that_is_too_large_is_431(make_app: MakeApp, serving: Serving, chunks: list[bytes]) -> None:
    async with serving(make_app(), max_head_bytes=2_048) as server:
        status, body = scim_error(await exchange_bytes(server.port, *chunks, pause=0.02))
    assert (status, body["status"]) == (431, "431")


@pytest.mark.parametrize("path", [b"/directory_users?limit=1", b"/events", b"/"])
@pytest.mark.parametrize(
    ("header", "status"), [(b"Bad Name: 1", 400), (b"X: " + b"x" * 3_000, 431)], ids=["malformed", "too-large"]
)
async def test_what_never_became_a_request_is_answered_in_the_form_of_its_path(
    make_app: MakeApp, serving: Serving, path: bytes, header: bytes, status: int
) -> None:
    async with serving(make_app(), max_head_bytes=2_048) as server:
        rest = await exchange_bytes(server.port, b"GET " + path + b" HTTP/1.1\r\n" + header + b"\r\n\r\n")
        scim = await exchange_bytes(server.port, b"GET /scim/v2/k/Users HTTP/1.1\r\n" + header + b"\r\n\r\n")
    code, body = scim_error(rest)
    assert (code, list(body)) == (status, ["message"])
    assert b"content-type: application/json\r\n" in rest
    code, body = scim_error(scim)
    assert (code, body["status"], body["schemas"]) == (
        status,
        str(status),
        ["urn:ietf:params:scim:api:messages:2.0:Error"],
    )


async def test_what_is_not_http_is_400(make_app: MakeApp, serving: Serving) -> None:
    async with serving(make_app()) as server:
        assert scim_error(await exchange_bytes(server.port, b"\x16\x03\x01 hello\r\n\r\n"))[0] == 400


async def test_a_head_that_does_not_come_is_given_up(make_app: MakeApp, serving: Serving) -> None:
    async with serving(make_app(), head_seconds=0.05) as server:
        assert await exchange_bytes(server.port) == b""
        assert scim_error(await exchange_bytes(server.port, b"GET / HTTP/1.1\r\n"))[0] == 408


async def test_a_connection_outlives_the_time_for_one_head(make_app: MakeApp, serving: Serving) -> None:
    async with serving(make_app(), head_seconds=0.1) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for _ in range(3):
            writer.write(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.06)
        writer.close()
        await writer.wait_closed()


async def test_a_connection_outlives_the_time_for_one_body(make_app: MakeApp, serving: Serving) -> None:
    async with asyncio.timeout(10), serving(make_app(), body_seconds=0.1) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for _ in range(2):
            writer.write(post_head(b"Content-Length: 2") + b"{")
            await asyncio.sleep(0.02)
            writer.write(b"}")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 201")
            await reader.readexactly(len(USER_JSON))
            await asyncio.sleep(0.15)
        writer.close()
        await writer.wait_closed()


async def test_an_offer_to_speak_another_protocol_is_passed_over(
    make_app: MakeApp, serving: Serving, channel: FakeChannel
) -> None:
    # The HTTP client of the Java platform offers h2c with every first request.
    offer = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk")
    async with asyncio.timeout(10), serving(make_app()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for body in (b'{"a":1}', b'{"b":2}'):
            writer.write(post_head(b"Content-Length: %d" % len(body), *offer) + body)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 201")
            await reader.readexactly(len(USER_JSON))
            assert channel.last.request.document_json == body.decode()
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_an_offer_without_a_body_is_passed_over_too(make_app: MakeApp, serving: Serving, method: bytes) -> None:
    offer = b" /healthz HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n\r\n"
    async with serving(make_app()) as server:
        raw = await exchange_bytes(server.port, method + offer)
    assert raw.startswith(b"HTTP/1.1 200")
    assert raw.endswith(b'alive"}' if method == b"GET" else b"\r\n\r\n")


async def test_a_tunnel_is_refused(make_app: MakeApp, serving: Serving) -> None:
    async with serving(make_app()) as server:
        assert (
            scim_error(await exchange_bytes(server.port, b"CONNECT a.test:443 HTTP/1.1\r\nHost: a\r\n\r\n"))[0] == 400
        )


async def test_stopping_lets_a_running_request_end(make_app: MakeApp, channel: FakeChannel) -> None:
    release = asyncio.Event()
    reply = channel.replies["GetResource"]
    assert isinstance(reply, Message)

    async def held(_: Any) -> Message:
        await release.wait()
        return reply

    channel.replies["GetResource"] = held
    server = serve(make_app(), GatewayConfig(http_listen="127.0.0.1:0"))
    task = asyncio.create_task(server.serve())
    await server.started()
    get = b"GET /scim/v2/key-1/Users/1 HTTP/1.1\r\n" + HEAD + b"\r\n"
    answered = asyncio.create_task(exchange_bytes(server.port, get))
    while not channel.calls:
        await asyncio.sleep(0.01)
    stopping = asyncio.create_task(server.stop())
    await asyncio.sleep(0.2)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)
    release.set()
    assert (await answered).startswith(b"HTTP/1.1 200")
    await stopping
    await task


async def test_a_request_that_outlives_the_grace_is_told_to_try_again(make_app: MakeApp, channel: FakeChannel) -> None:
    async def held(_: Any) -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    channel.replies["GetResource"] = held
    server = serve(make_app(), GatewayConfig(http_listen="127.0.0.1:0", stop_seconds=1))
    task = asyncio.create_task(server.serve())
    await server.started()
    get = b"GET /scim/v2/key-1/Users/1 HTTP/1.1\r\n" + HEAD + b"\r\n"
    answered = asyncio.create_task(exchange_bytes(server.port, get))
    while not channel.calls:
        await asyncio.sleep(0.01)
    await server.stop()
    await task
    status, body = scim_error(await answered)
    assert (status, body["status"]) == (503, "503")


async def test_two_servers_share_a_port_and_a_given_socket_is_used(make_app: MakeApp) -> None:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", 0))
        first = serve(make_app(), GatewayConfig(), sock=sock)
        second = serve(make_app(), GatewayConfig(http_listen=f"127.0.0.1:{first.port}"))
        assert first.port == second.port == sock.getsockname()[1]
        tasks = [asyncio.create_task(server.serve()) for server in (first, second)]
        await asyncio.gather(first.started(), second.started())
        await first.stop()
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{second.port}/healthz")).status_code == 200
        await second.stop()
        await asyncio.gather(*tasks)


async def test_a_taken_address_is_an_error_and_stopping_before_serving_frees_it(make_app: MakeApp) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="in use"):
            serve(make_app(), GatewayConfig(http_listen=f"127.0.0.1:{sock.getsockname()[1]}"))
    server = serve(make_app(), GatewayConfig(http_listen="127.0.0.1:0"))
    await server.stop()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", server.port))


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A self-signed certificate for 127.0.0.1 that is its own authority, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    kind = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    name = ("-subj", "/CN=gateway", "-addext", "subjectAltName=IP:127.0.0.1")
    command = (openssl, "req", *kind, *name, "-keyout", str(key), "-out", str(cert))
    subprocess.run(command, check=True, capture_output=True)
    return str(cert), str(key)


async def test_tls_with_and_without_a_client_certificate(
    make_app: MakeApp, serving: Serving, channel: FakeChannel, certificate: tuple[str, str]
) -> None:
    cert, key = certificate
    anonymous = ssl.create_default_context(cafile=cert)
    known = ssl.create_default_context(cafile=cert)
    known.load_cert_chain(cert, key)
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with serving(make_app(), tls_cert_file=cert, tls_key_file=key, tls_client_ca_file=cert) as server:
        url = f"https://127.0.0.1:{server.port}/scim/v2/key-1"
        async with httpx.AsyncClient(verify=known, headers=headers) as client:
            assert (await client.get(f"{url}/Users/1")).status_code == 200
        assert channel.last.request.context.base_url == url
        async with httpx.AsyncClient(verify=anonymous, headers=headers) as client:
            with pytest.raises(httpx.TransportError):
                await client.get(f"{url}/Users/1")
    async with (
        serving(make_app(), tls_cert_file=cert, tls_key_file=key) as server,
        httpx.AsyncClient(verify=anonymous, headers=headers) as client,
    ):
        assert (await client.get(f"https://127.0.0.1:{server.port}/scim/v2/key-1/Users/1")).status_code == 200
