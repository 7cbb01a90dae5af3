"""Media types and bodies."""

import httpx
import pytest

from gateway.config import GatewayConfig
from tests.unit.gateway.conftest import MakeClient
from tests.unit.gateway.fake_upstream import FakeChannel
from tests.unit.gateway.test_routes import assert_scim_error

SCIM, JSON = "application/scim+json", "application/json"


@pytest.mark.parametrize(
    "content_type",
    [SCIM, JSON, f"{SCIM}; charset=utf-8", f"{JSON};charset=UTF-8", "Application/JSON", "text/json", "", None],
)
async def test_json_by_any_name_is_accepted(client: httpx.AsyncClient, content_type: str | None) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    assert (await client.post("/Users", content=b"{}", headers=headers)).status_code == 201


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "text/xml; a=json", "json"]
)
async def test_an_explicit_foreign_type_is_415(
    client: httpx.AsyncClient, channel: FakeChannel, content_type: str
) -> None:
    assert_scim_error(await client.post("/Users", content=b"{}", headers={"content-type": content_type}), 415)
    assert not channel.calls


async def test_a_compressed_body_is_415(client: httpx.AsyncClient, channel: FakeChannel) -> None:
    answer = await client.post("/Users", content=b"{}", headers={"content-encoding": "gzip"})
    assert_scim_error(answer, 415)
    assert answer.headers["accept-encoding"] == "identity"
    assert not channel.calls


@pytest.mark.parametrize("content_type", ["text/plain", ""])
async def test_the_content_type_of_a_get_does_not_matter(client: httpx.AsyncClient, content_type: str) -> None:
    assert (await client.get("/Users/1", headers={"content-type": content_type})).status_code == 200


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        (SCIM, SCIM),
        (JSON, JSON),
        (f"{JSON}; charset=utf-8", JSON),
        ("*/*", SCIM),
        ("application/*", SCIM),
        ("", SCIM),
        (f"{SCIM}, {JSON}", SCIM),
        (f"{JSON}, {SCIM}", SCIM),
        (f"{JSON}, text/plain, */*", SCIM),
        (f"{JSON}, */*;q=0.1", JSON),
        (f"{JSON};q=0.5, {SCIM};q=0.9", SCIM),
        (f"{SCIM};q=0, {JSON}", JSON),
        ("text/html, text/json", SCIM),
        ("text/html, image/gif, *; q=.2, */*; q=.2", SCIM),
        ("application/vnd.api+json", SCIM),
        (f"{SCIM};q=zero", SCIM),
    ],
)
async def test_the_answer_is_in_the_media_type_that_is_accepted(
    client: httpx.AsyncClient, accept: str, answered: str
) -> None:
    for path in ("/Users/1", "/Users", "/Schemas"):
        answer = await client.get(path, headers={"accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (200, answered)


async def test_without_accept_the_answer_is_scim(client: httpx.AsyncClient) -> None:
    del client.headers["accept"]
    assert (await client.get("/Users/1")).headers["content-type"] == SCIM


@pytest.mark.parametrize(
    "accept", ["text/html", "image/*", "application/json;q=0", "*/*;q=0", "application/xml, text/*"]
)
async def test_an_accept_without_room_for_json_is_406_before_anything_is_done(
    client: httpx.AsyncClient, channel: FakeChannel, accept: str
) -> None:
    assert_scim_error(await client.post("/Users", content=b"{}", headers={"accept": accept}), 406)
    assert not channel.calls


async def test_delete_has_no_body_so_any_accept_suits_it(client: httpx.AsyncClient) -> None:
    assert (await client.delete("/Users/1", headers={"accept": "text/html"})).status_code == 204


@pytest.mark.parametrize("body", [b"", b"  \r\n\t", b"\xef\xbb\xbf", b'{"userName":"\xe9"}', b"\xff\xfe{\x00"])
async def test_an_empty_body_or_one_that_is_not_utf8_is_invalid_syntax(
    client: httpx.AsyncClient, channel: FakeChannel, body: bytes
) -> None:
    answer = await client.post("/Users", content=body)
    assert_scim_error(answer, 400)
    assert answer.json()["scimType"] == "invalidSyntax"
    assert not channel.calls


async def test_a_byte_order_mark_is_dropped(client: httpx.AsyncClient, channel: FakeChannel) -> None:
    assert (await client.post("/Users", content=b'\xef\xbb\xbf{"a":1}')).status_code == 201
    assert channel.last.request.document_json == '{"a":1}'


@pytest.mark.parametrize("charset", ["iso-8859-1", "ISO-8859-1", '"latin1"', "windows-1252", "utf-16"])
async def test_a_body_in_another_charset_is_read_when_it_says_so(
    client: httpx.AsyncClient, channel: FakeChannel, charset: str
) -> None:
    body = '{"userName":"jörg"}'.encode(charset.strip('"'))
    headers = {"content-type": f"application/json; charset={charset}"}
    assert (await client.post("/Users", content=body, headers=headers)).status_code == 201
    assert channel.last.request.document_json == '{"userName":"jörg"}'


async def test_utf8_is_read_as_utf8_whatever_charset_is_said(client: httpx.AsyncClient, channel: FakeChannel) -> None:
    headers = {"content-type": "application/json; charset=iso-8859-1"}
    assert (await client.post("/Users", content='{"a":"ö"}'.encode(), headers=headers)).status_code == 201
    assert channel.last.request.document_json == '{"a":"ö"}'


async def test_a_body_in_no_charset_at_all_is_invalid_syntax(client: httpx.AsyncClient, channel: FakeChannel) -> None:
    headers = {"content-type": "application/json; charset=utf-16"}
    answer = await client.post("/Users", content=b'{"a":"\xff"}', headers=headers)
    assert_scim_error(answer, 400)
    assert not channel.calls


async def test_what_is_not_json_is_the_service_to_judge(client: httpx.AsyncClient, channel: FakeChannel) -> None:
    assert (await client.post("/Users", content=b"not json")).status_code == 201
    assert channel.last.request.document_json == "not json"


@pytest.mark.parametrize(("size", "status"), [(2_048_000, 201), (2_048_001, 413)])
async def test_the_ceiling_of_a_body_is_2048000_bytes(
    client: httpx.AsyncClient, channel: FakeChannel, size: int, status: int
) -> None:
    answer = await client.post("/Users", content=b"1" * size)
    assert answer.status_code == status
    assert len(channel.calls) == (status == 201)


@pytest.mark.parametrize("headers", [{}, {"content-length": "5"}, {"content-length": "nonsense"}])
async def test_the_ceiling_holds_while_the_body_arrives(
    make_client: MakeClient, channel: FakeChannel, headers: dict[str, str]
) -> None:
    async def chunks() -> object:
        for _ in range(10):
            yield b"1" * 500

    client = make_client(config=GatewayConfig(max_body_bytes=2_000))
    answer = await client.post("/Users", content=chunks(), headers=headers)  # type: ignore[arg-type]
    assert_scim_error(answer, 413)
    assert answer.headers["connection"] == "close"
    assert not channel.calls
