"""A portal link from its making to the page behind it."""

from typing import Any

import httpx
import pytest

from tests.e2e.rest.conftest import Company


async def link(api: httpx.AsyncClient, company: Company, **more: Any) -> str:
    answer = await api.post("/portal/generate_link", json={"organization": company.organization_id, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["link"])


@pytest.fixture
async def browser() -> Any:
    async with httpx.AsyncClient(follow_redirects=True) as client:
        yield client


async def press(browser: httpx.AsyncClient, url: str) -> httpx.Response:
    base, _, token = url.partition("?token=")
    return await browser.post(base, data={"token": token}, headers={"sec-fetch-site": "same-origin"})


async def test_a_link_opens_once(api: httpx.AsyncClient, browser: httpx.AsyncClient, company: Company) -> None:
    url = await link(api, company, return_url="https://app.test/back")
    for _ in range(3):
        # What a mail scanner does.
        assert (await browser.get(url)).status_code == 200
        assert (await browser.head(url)).status_code == 200
    opened = await press(browser, url)
    assert opened.status_code == 200
    assert opened.url.path == "/portal"
    assert "Acme" in opened.text
    assert 'href="https://app.test/back"' in opened.text
    again = await press(browser, url)
    assert again.status_code == 401
    assert "can no longer be used" in again.text
    # The session goes on.
    assert (await browser.get(str(opened.url))).status_code == 200


async def test_a_revoked_link_does_not_open_and_its_session_ends(
    api: httpx.AsyncClient, browser: httpx.AsyncClient, company: Company
) -> None:
    opened, unopened = [await link(api, company, external_user_id="u-7") for _ in range(2)]
    home = await press(browser, opened)
    assert home.status_code == 200
    body = {"organization": company.organization_id, "external_user_id": "u-7"}
    assert (await api.post("/portal/revoke_link", json=body)).status_code == 204
    assert (await press(browser, unopened)).status_code == 401
    assert (await browser.get(str(home.url))).status_code == 401


async def test_a_link_is_made_for_what_there_is(api: httpx.AsyncClient, company: Company) -> None:
    for more, status in (
        ({"organization": "org_x"}, 404),
        ({"organization": ""}, 422),
        ({"intent": "sso"}, 422),
        ({"return_url": "javascript:alert(1)"}, 422),
        ({"it_contact_emails": "it@acme.test"}, 422),
    ):
        body = {"organization": company.organization_id, **more}
        answer = await api.post("/portal/generate_link", json=body)
        assert answer.status_code == status, more
