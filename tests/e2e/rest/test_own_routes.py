"""What WorkOS has no calls for: directories are made and changed, tokens, diagnostics, members, deliveries."""

import asyncio
import json
from typing import Any

import httpx

from tests.e2e.rest.conftest import MEMBERS, Company, NewCompany, Receiver
from tests.support.server import RunningServe


async def page(api: httpx.AsyncClient, path: str, **query: Any) -> list[Any]:
    """A list to its end."""
    found: list[Any] = []
    while True:
        answer = (await api.get(path, params=query)).json()
        found += answer["data"]
        if answer["list_metadata"]["after"] is None:
            return found
        query["after"] = answer["list_metadata"]["after"]


async def test_a_directory_is_made_and_its_provider_gets_in(api: httpx.AsyncClient) -> None:
    organization = (await api.post("/organizations", json={"name": "Made"})).json()
    body = {"organization_id": organization["id"], "name": "Made HR", "provider": "entra"}
    made = await api.post("/directories", json=body)
    assert made.status_code == 201
    directory, scim = made.json()["directory"], made.json()["scim"]
    assert (directory["type"], directory["state"]) == ("azure scim v2.0", "unlinked")
    assert scim["base_url"] == f"{str(api.base_url).rstrip('/')}/scim/v2/{directory['external_key']}"
    headers = {"authorization": f"Bearer {scim['bearer_token']}"}
    answer = await api.get(f"{scim['base_url']}/Users", headers=headers)
    assert answer.status_code == 200
    assert (await api.get(f"/directories/{directory['id']}")).json()["state"] == "linked"


async def test_a_directory_is_changed(api: httpx.AsyncClient, new_company: NewCompany) -> None:
    company: Company = await asyncio.to_thread(new_company, "Changed")
    path = f"/directories/{company.directory_id}"
    changed = await api.patch(path, json={"name": "New name", "policy": {"unique_emails": True}})
    assert changed.status_code == 200
    changed = await api.patch(path, json={"policy": {"deactivation": "delete"}})
    policy = (await api.get(path)).json()["policy"]
    assert (policy["unique_emails"], policy["deactivation"]) == (True, "delete")
    disabled = await api.patch(path, json={"disabled": True})
    assert (disabled.json()["disabled"], disabled.json()["state"]) == (True, "unlinked")
    refused = await api.patch(path, json={"policy": {"deactivation": "perhaps"}})
    assert refused.json()["errors"][0]["field"] == "policy.deactivation"


async def test_tokens(api: httpx.AsyncClient, new_company: NewCompany) -> None:
    company: Company = await asyncio.to_thread(new_company, "Tokens")
    path = f"/directories/{company.directory_id}/tokens"
    made = await api.post(path)
    assert made.status_code == 201
    token = made.json()
    assert token["token"].endswith(token["token_suffix"])
    users = f"{company.scim.base_url}Users"
    headers = {"authorization": f"Bearer {token['token']}"}
    assert (await api.get(users, headers=headers)).status_code == 200
    assert (await api.delete(f"{path}/{token['id']}")).status_code == 204
    assert (await api.get(users, headers=headers)).status_code == 401
    listed = (await api.get(path)).json()["data"]
    assert [(one["id"] == token["id"], one["revoked_at"] is not None) for one in listed] == [
        (False, False),
        (True, True),
    ]
    assert not any("token" in one for one in listed)


async def test_members_page_by_page(api: httpx.AsyncClient, company: Company) -> None:
    path = f"/directory_groups/{company.group_id}/members"
    for limit in (3, 100):
        members = await page(api, path, limit=limit, order="asc")
        assert [one["member"]["id"] for one in members] == company.users[:MEMBERS]
    assert members[0]["member"] == {
        "object": "directory_user",
        "id": company.users[0],
        "name": "acme00@acme.test",
    }


async def test_diagnostics_are_a_list(api: httpx.AsyncClient, company: Company) -> None:
    answer = await api.get(f"/directories/{company.directory_id}/diagnostics")
    assert (answer.status_code, answer.json()["object"]) == (200, "list")


async def test_a_large_page(api: httpx.AsyncClient, company: Company) -> None:
    answer = await api.get("/directory_users", params={"directory": company.directory_id, "limit": 1_000})
    assert len(answer.json()["data"]) == len(company.users)
    assert answer.json()["list_metadata"] == {"before": None, "after": None}


async def test_what_was_sent_to_an_endpoint_is_seen_and_sent_again(
    api: httpx.AsyncClient, new_company: NewCompany, receiver: Receiver
) -> None:
    company: Company = await asyncio.to_thread(new_company, "Delivered")
    body = {"endpoint_url": receiver.url, "events": ["dsync.user.*"], "directory_ids": [company.directory_id]}
    endpoint = (await api.post("/webhook_endpoints", json=body)).json()
    path = f"/webhook_endpoints/{endpoint['id']}"
    try:
        await asyncio.to_thread(company.user, "delivered")
        first = await asyncio.to_thread(receiver.next)
        deliveries: list[Any] = []
        async with asyncio.timeout(30):
            while not deliveries or deliveries[0]["state"] != "succeeded":
                deliveries = await page(api, f"{path}/deliveries")
        (delivery,) = deliveries
        assert (delivery["event"], delivery["response_status"]) == ("dsync.user.created", 200)
        shown = (await api.get(f"{path}/deliveries/{delivery['id']}")).json()
        assert [attempt["endpoint_url"] for attempt in shown["attempts"]] == [receiver.url]
        assert (await api.post(f"{path}/deliveries/{delivery['id']}/redeliver")).status_code == 202
        second = await asyncio.to_thread(receiver.next)
        assert second.body == first.body
        assert second.headers["webhook-id"] == first.headers["webhook-id"] == delivery["event_id"]
        tested = await api.post(f"{path}/test", json={"event": "dsync.group.created"})
        assert tested.status_code == 202
        assert b'"event":"dsync.group.created"' in (await asyncio.to_thread(receiver.next)).body
        replayed = await api.post(f"{path}/replay", json={"range_start": "2020-01-01T00:00:00Z"})
        assert replayed.status_code == 202
        assert (await asyncio.to_thread(receiver.next)).body == first.body
        replays = (await api.get(f"{path}/replays")).json()["data"]
        assert [replays[0]["range_start"], replays[1]["test_event"]] == [
            "2020-01-01T00:00:00.000Z",
            "dsync.group.created",
        ]
        rotated = (await api.post(f"{path}/rotate_secret", json={"overlap_seconds": 60})).json()
        assert rotated["secret"] != endpoint["secret"]
        assert [one["secret"] for one in rotated["secrets"]] == [rotated["secret"], endpoint["secret"]]
    finally:
        assert (await api.delete(path)).status_code == 204


async def test_a_key_for_one_organization_sees_nothing_else(
    server: RunningServe, company: Company, new_company: NewCompany
) -> None:
    other: Company = await asyncio.to_thread(new_company, "Elsewhere", people=1)
    made = await asyncio.to_thread(
        server.dirsync, "apikey", "create", "--name", "bounded", "--scope", "read", "--scope", "watch",
        "--organization", company.organization_id, "--output", "json",
    )  # fmt: skip
    headers = {"authorization": f"Bearer {json.loads(made.stdout)['secret']}"}
    async with httpx.AsyncClient(base_url=server.http_url, headers=headers) as bounded:
        assert [one["id"] for one in await page(bounded, "/directories")] == [company.directory_id]
        assert (await bounded.get(f"/directory_users/{other.users[0]}")).status_code == 404
        assert (await bounded.get("/directory_users", params={"directory": other.directory_id})).status_code == 404
        events = await page(bounded, "/events", limit=100)
        assert {one["data"].get("directory_id", company.directory_id) for one in events} == {company.directory_id}
        assert (await bounded.post("/organizations", json={"name": "Not allowed"})).status_code == 403


async def test_joining_a_group_moves_updated_at_for_a_key_that_asks_for_it(
    api: httpx.AsyncClient, server: RunningServe, new_company: NewCompany
) -> None:
    company: Company = await asyncio.to_thread(new_company, "Moved", people=1)
    made = await asyncio.to_thread(
        server.dirsync, "apikey", "create", "--name", "moved", "--scope", "read", "--membership-update-time",
        "--output", "json",
    )  # fmt: skip
    headers = {"authorization": f"Bearer {json.loads(made.stdout)['secret']}"}
    path = f"/directory_users/{company.users[0]}"
    before = (await api.get(path)).json()
    group = await asyncio.to_thread(
        lambda: company.scim.post("/Groups", json={"displayName": "G", "members": [{"value": company.users[0]}]})
    )
    assert group.status_code == 201
    assert (await api.get(path)).json()["updated_at"] == before["updated_at"]
    async with httpx.AsyncClient(base_url=server.http_url, headers=headers) as asking:
        moved = (await asking.get(path)).json()
        assert moved["updated_at"] > before["updated_at"]
        listed = (await asking.get("/directory_users", params={"group": group.json()["id"]})).json()["data"]
        assert listed == [moved]


async def test_who_writes_and_then_reads_finds_what_was_written(
    api: httpx.AsyncClient, new_company: NewCompany
) -> None:
    company: Company = await asyncio.to_thread(new_company, "Prompt", people=1)
    query = {"organization_id": company.organization_id, "events": "dsync.user.created", "order": "desc", "limit": 1}
    after: dict[str, Any] = {"organization_id": company.organization_id, "events": "dsync.user.created"}
    after["after"] = (await api.get("/events", params=query)).json()["data"][0]["id"]
    for number in range(20):
        user = await asyncio.to_thread(company.user, f"prompt{number}")
        (event,) = (await api.get("/events", params=after)).json()["data"]
        (newest,) = (await api.get("/events", params=query)).json()["data"]
        assert event["data"]["id"] == user
        assert newest == event
        after["after"] = event["id"]


async def test_a_key_for_events_reads_them_whole_and_nothing_else(server: RunningServe, company: Company) -> None:
    made = await asyncio.to_thread(
        server.dirsync, "apikey", "create", "--name", "events", "--scope", "watch", "--output", "json"
    )
    headers = {"authorization": f"Bearer {json.loads(made.stdout)['secret']}"}
    async with httpx.AsyncClient(base_url=server.http_url, headers=headers) as events:
        query = {"events": "dsync.group.user_added", "organization_id": company.organization_id}
        answer = await events.get("/events", params=query)
        assert answer.json()["data"][0]["data"]["user"]["email"] == "acme00@acme.test"
        refused = await events.get(f"/directory_users/{company.users[0]}")
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
