"""A provider reads a directory page by page with cursors (RFC 9865), over HTTP."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from directorysync.v1 import directory_admin_pb2 as admin_pb2
from tests.e2e.conftest import Serving


@pytest.fixture
async def scim(serving: Serving) -> AsyncIterator[httpx.AsyncClient]:
    """A directory with five users and a group."""
    server = await serving()
    async with server.client() as client:
        organization = await client.admin.CreateOrganization(admin_pb2.CreateOrganizationRequest(name="Pages"))
        wanted = admin_pb2.CreateDirectoryRequest(organization_id=organization.organization.id, name="Pages")
        made = await client.admin.CreateDirectory(wanted)
    url = f"{server.http_url}/scim/v2/{made.directory.scim_key}"
    headers = {"Authorization": f"Bearer {made.secret}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False) as http:
        for number in (3, 1, 5, 2, 4):
            assert (await http.post("/Users", json={"userName": f"u{number}"})).status_code == 201
        assert (await http.post("/Groups", json={"displayName": "g"})).status_code == 201
        yield http


def names(page: dict[str, Any]) -> list[str]:
    return [resource.get("userName") or resource["displayName"] for resource in page["Resources"]]


async def test_pages_by_get_are_followed_to_the_end(scim: httpx.AsyncClient) -> None:
    page = (await scim.get("/Users?cursor&count=2&sortBy=userName")).json()
    read = [names(page)]
    while "nextCursor" in page:
        cursor = page["nextCursor"]
        assert quote(cursor, safe="") == cursor
        page = (await scim.get(f"/Users?cursor={cursor}&count=2&sortBy=userName")).json()
        assert page["totalResults"] == 5
        read.append(names(page))
    assert read == [["u1", "u2"], ["u3", "u4"], ["u5"]]


async def test_pages_by_post_over_all_types(scim: httpx.AsyncClient) -> None:
    first = (await scim.post("/.search", json={"cursor": "", "count": 5, "attributes": ["userName"]})).json()
    assert names(first) == ["u3", "u1", "u5", "u2", "u4"]
    second = (await scim.post("/.search", json={"cursor": first["nextCursor"], "count": 5})).json()
    assert names(second) == ["g"]
    assert "nextCursor" not in second


@pytest.mark.parametrize(
    ("query", "scim_type"),
    [
        ("cursor=abc", "invalidCursor"),
        ("cursor&count=0", "invalidCount"),
        ("cursor&count=-1", "invalidCount"),
        ("count=many&cursor", "invalidCount"),
    ],
)
async def test_what_cannot_be_paged_is_refused(scim: httpx.AsyncClient, query: str, scim_type: str) -> None:
    answer = await scim.get(f"/Users?{query}")
    assert (answer.status_code, answer.json()["scimType"]) == (400, scim_type)


async def test_paging_by_index_is_the_default_and_cursors_are_announced(scim: httpx.AsyncClient) -> None:
    page = (await scim.get("/Users?count=2")).json()
    assert page["startIndex"] == 1
    assert "nextCursor" not in page
    config = (await scim.get("/ServiceProviderConfig")).json()
    assert config["pagination"] == {
        "cursor": True,
        "index": True,
        "defaultPaginationMethod": "index",
        "defaultPageSize": 100,
        "maxPageSize": 1000,
    }
