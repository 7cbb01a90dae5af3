"""Portal links and the pages behind them."""

import io
from typing import Any

import grpc
import httpx
import pytest

from directorysync.v1 import portal_pb2 as pb
from gateway.config import GatewayConfig
from gateway.rest.html import CONTENT_SECURITY_POLICY
from tests.unit.gateway.conftest import MakeClient
from tests.unit.gateway.fake_upstream import FakeChannel, rpc_error

SECRET = "setup_abc-DEF_1"
REDEEMED = pb.RedeemPortalLinkResponse(session_secret="portal_xyz", session_expire_time={"seconds": 1_768_478_400})
LAUNCH = f"/portal/launch?token={SECRET}"


async def test_a_link_holds_the_secret_and_the_public_address(
    make_client: MakeClient, channel: FakeChannel, replies: dict[str, Any]
) -> None:
    replies["CreatePortalLink"] = pb.CreatePortalLinkResponse(secret=SECRET)
    client = make_client(config=GatewayConfig(public_url="https://sync.acme.test"))
    body = {
        "organization": "org_1",
        "return_url": "https://app.test",
        "external_user_id": "u1",
        "admin_emails": ["a@b.test"],
    }
    answer = await client.post("http://gateway.test/portal/generate_link", json=body)
    assert answer.status_code == 201
    assert answer.json() == {"link": f"https://sync.acme.test{LAUNCH}"}
    assert channel.last.request == pb.CreatePortalLinkRequest(
        organization_id="org_1",
        intent="dsync",
        return_url="https://app.test",
        external_user_id="u1",
        it_contact_emails=["a@b.test"],
    )


async def test_a_link_is_revoked(rest: httpx.AsyncClient, channel: FakeChannel, replies: dict[str, Any]) -> None:
    replies["RevokePortalLinks"] = pb.RevokePortalLinksResponse()
    answer = await rest.post("/portal/revoke_link", json={"organization": "org_1", "external_user_id": "u1"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert channel.last.request == pb.RevokePortalLinksRequest(organization_id="org_1", external_user_id="u1")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_opening_a_link_changes_nothing(rest: httpx.AsyncClient, channel: FakeChannel, method: str) -> None:
    answer = await rest.request(method, LAUNCH, headers={"authorization": ""})
    assert answer.status_code == 200
    assert not channel.calls
    assert "set-cookie" not in answer.headers
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY.decode()
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    if method == "GET":
        assert f'<input type="hidden" name="token" value="{SECRET}">' in answer.text


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
async def test_pressing_the_button_opens_the_session(
    make_client: MakeClient, channel: FakeChannel, replies: dict[str, Any], scheme: str, secure: bool
) -> None:
    replies["RedeemPortalLink"] = REDEEMED
    client = make_client(config=GatewayConfig(public_url=f"{scheme}://sync.acme.test"))
    answer = await client.post("http://gateway.test/portal/launch", data={"token": SECRET})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{scheme}://sync.acme.test/portal")
    assert channel.last.metadata["authorization"] == f"Bearer {SECRET}"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("dirsync_portal=portal_xyz; Path=/portal; Expires=Thu, 15 Jan 2026 12:00:00 GMT; HttpOnly")
    assert "SameSite=Lax" in cookie
    assert cookie.endswith("; Secure") is secure


async def test_a_form_of_another_site_is_refused(rest: httpx.AsyncClient, channel: FakeChannel) -> None:
    answer = await rest.post("/portal/launch", data={"token": SECRET}, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert not channel.calls


async def test_where_browsers_tell_only_the_origin_it_counts(
    rest: httpx.AsyncClient, channel: FakeChannel, replies: dict[str, Any]
) -> None:
    replies["RedeemPortalLink"] = REDEEMED
    refused = await rest.post("/portal/launch", data={"token": SECRET}, headers={"origin": "https://evil.test"})
    assert refused.status_code == 403
    assert not channel.calls
    for origin in ("null", "http://gateway.test"):
        answer = await rest.post("/portal/launch", data={"token": SECRET}, headers={"origin": origin})
        assert answer.status_code == 303


@pytest.mark.parametrize(
    "cookie",
    [
        'consent={"a":1,"b":[2]}; dirsync_portal=portal_xyz',
        "a[b]=c; dirsync_portal=portal_xyz; d",
        'x="; dirsync_portal=portal_xyz',
        "dirsync_portal=; dirsync_portal=portal_xyz",
        "ä=ö;dirsync_portal=portal_xyz",
    ],
)
async def test_cookies_of_others_do_not_hide_the_session(
    rest: httpx.AsyncClient, channel: FakeChannel, replies: dict[str, Any], cookie: str
) -> None:
    replies["GetPortalSession"] = pb.GetPortalSessionResponse(organization_name="Acme")
    answer = await rest.get("/portal", headers={b"cookie": cookie.encode()})
    assert answer.status_code == 200
    assert channel.last.metadata["authorization"] == "Bearer portal_xyz"


async def test_a_used_link_is_explained_to_people(rest: httpx.AsyncClient, replies: dict[str, Any]) -> None:
    replies["RedeemPortalLink"] = rpc_error(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID", "no")
    answer = await rest.post("/portal/launch", data={"token": SECRET})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "can no longer be used" in answer.text


@pytest.mark.parametrize("token", ["", "%3Cscript%3E", "a" * 300, "a%22b"])
async def test_what_cannot_be_a_link_is_not_shown_again(
    rest: httpx.AsyncClient, channel: FakeChannel, token: str
) -> None:
    answer = await rest.get(f"/portal/launch?token={token}")
    assert answer.status_code == 404
    assert "script" not in answer.text
    assert (await rest.post("/portal/launch", content=f"token={token}".encode())).status_code == 404
    assert not channel.calls


async def test_a_form_without_end_is_refused(rest: httpx.AsyncClient, channel: FakeChannel) -> None:
    assert (await rest.post("/portal/launch", content=b"token=" + b"a" * 10_000)).status_code == 413
    assert (await rest.post("/portal/launch", content=b"&".join([b"a=b"] * 100))).status_code == 400
    assert not channel.calls


async def test_the_session_shows_the_organization(
    rest: httpx.AsyncClient, channel: FakeChannel, replies: dict[str, Any]
) -> None:
    replies["GetPortalSession"] = pb.GetPortalSessionResponse(
        organization_name="<b>Acme</b>", link=pb.PortalLink(return_url='https://app.test/?a=1&b="2"')
    )
    answer = await rest.get("/portal", headers={"cookie": "a=b; dirsync_portal=portal_xyz"})
    assert answer.status_code == 200
    assert channel.last.metadata["authorization"] == "Bearer portal_xyz"
    assert "<b>" not in answer.text
    assert "&lt;b&gt;Acme&lt;/b&gt;" in answer.text
    assert 'href="https://app.test/?a=1&amp;b=&quot;2&quot;"' in answer.text


async def test_without_a_session_there_is_nothing_to_see(rest: httpx.AsyncClient, replies: dict[str, Any]) -> None:
    replies["GetPortalSession"] = rpc_error(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID", "no")
    assert (await rest.get("/portal")).status_code == 401


async def test_no_secret_reaches_the_log(
    rest: httpx.AsyncClient, replies: dict[str, Any], log_text: io.StringIO
) -> None:
    replies["RedeemPortalLink"] = REDEEMED
    await rest.get(LAUNCH)
    await rest.post("/portal/launch", data={"token": SECRET})
    assert "/portal/launch" in log_text.getvalue()
    assert SECRET not in log_text.getvalue()
    assert "portal_xyz" not in log_text.getvalue()
