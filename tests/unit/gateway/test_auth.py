"""Credentials in the Authorization header."""

import base64

import httpx
import pytest

from tests.unit.gateway.fake_upstream import FakeChannel
from tests.unit.gateway.test_routes import assert_scim_error


@pytest.mark.parametrize("value", ["Bearer abc", "bearer abc", "BEARER  abc ", "OAuth abc", "Token abc", "token abc"])
async def test_the_scheme_is_read_in_any_case_and_the_token_goes_on_as_bearer(
    client: httpx.AsyncClient, channel: FakeChannel, value: str
) -> None:
    assert (await client.get("/Users/1", headers={"authorization": value})).status_code == 200
    assert channel.last.metadata["authorization"] == "Bearer abc"


@pytest.mark.parametrize(
    "value",
    [
        "dst_abc",
        "Bearer Bearer dst_abc",
        "SSWS dst_abc",
        'Bearer "dst_abc"',
        "Basic " + base64.b64encode(b"scim:dst_abc").decode(),
        "basic " + base64.b64encode(b"dst_abc:").decode(),
    ],
)
async def test_a_directory_token_is_known_by_its_beginning(
    client: httpx.AsyncClient, channel: FakeChannel, value: str
) -> None:
    assert (await client.get("/Users/1", headers={"authorization": value})).status_code == 200
    assert channel.last.metadata["authorization"] == "Bearer dst_abc"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Basic é",
        "Basic dst",
        "dst_a b",
        "Basic " + base64.b64encode(b"dst_a b:").decode(),
        "abc",
        "Bearer a b",
        "Bearer a, Bearer b",
        "Bearer é",
        "Bearer " + "x" * 5000,
    ],
)
async def test_anything_else_is_401_and_never_reaches_the_service(
    client: httpx.AsyncClient, channel: FakeChannel, value: str
) -> None:
    answer = await client.get("/Users/1", headers={"authorization": value.encode()})
    assert_scim_error(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert not channel.calls


@pytest.mark.parametrize("path", ["", "/Users", "/Me", "/ServiceProviderConfig"])
async def test_without_a_credential_every_endpoint_is_401(
    client: httpx.AsyncClient, channel: FakeChannel, path: str
) -> None:
    del client.headers["authorization"]
    assert_scim_error(await client.get(path), 401)
    assert not channel.calls


async def test_a_body_is_not_read_before_the_credential(client: httpx.AsyncClient, channel: FakeChannel) -> None:
    del client.headers["authorization"]
    assert_scim_error(await client.post("/Users", content="x" * 3_000_000), 401)
