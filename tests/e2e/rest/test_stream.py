"""`/events` as server-sent events, live."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Serving
from tests.e2e.rest.conftest import Company, NewCompany
from tests.support.server import RunningServe

STREAM = {"accept": "text/event-stream"}


async def frames(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """The events of a stream, as a client reads them."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if line and name:
            fields[name] = value
        elif not line:
            yield fields
            fields = {}


async def take(stream: AsyncIterator[dict[str, str]], count: int) -> list[dict[str, Any]]:
    """The next events; each is under the id and the type that its data tell."""
    found = []
    async with asyncio.timeout(30):
        for _ in range(count):
            frame = await anext(stream)
            event = json.loads(frame["data"])
            assert (frame["id"], frame["event"]) == (event["id"], event["event"])
            found.append(event)
    return found


async def test_a_stream_is_the_log_and_goes_on(api: httpx.AsyncClient, new_company: NewCompany) -> None:
    company: Company = await asyncio.to_thread(new_company, "Streamed", people=3, members=2)
    query = {"directory_id": company.directory_id, "limit": 100}
    logged = (await api.get("/events", params=query)).json()["data"]
    query = {"directory_id": company.directory_id, "after": logged[0]["id"]}
    async with api.stream("GET", "/events", params=query, headers=STREAM) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        stream = frames(answer)
        assert await take(stream, len(logged) - 1) == logged[1:]
        user = await asyncio.to_thread(company.user, "late")
        (event,) = await take(stream, 1)
        assert (event["event"], event["data"]["id"]) == ("dsync.user.created", user)


async def test_a_stream_resumes_behind_what_was_seen(api: httpx.AsyncClient, new_company: NewCompany) -> None:
    company: Company = await asyncio.to_thread(new_company, "Resumed", people=1)
    query = {
        "directory_id": company.directory_id,
        "events": "dsync.user.created",
        "range_start": "2020-01-01T00:00:00Z",
    }
    async with api.stream("GET", "/events", params=query, headers=STREAM) as answer:
        (first,) = await take(frames(answer), 1)
    missed = await asyncio.to_thread(company.user, "missed")
    headers = {**STREAM, "last-event-id": first["id"]}
    async with api.stream("GET", "/events", params=query, headers=headers) as answer:
        (second,) = await take(frames(answer), 1)
    assert second["data"]["id"] == missed


async def test_without_a_beginning_a_stream_begins_now(api: httpx.AsyncClient, new_company: NewCompany) -> None:
    company: Company = await asyncio.to_thread(new_company, "Nowadays", people=2)
    query = {"organization_id": company.organization_id}
    async with api.stream("GET", "/events", params=query, headers=STREAM) as answer:
        user = await asyncio.to_thread(company.user, "new")
        (event,) = await take(frames(answer), 1)
    assert event["data"]["id"] == user


async def test_an_unknown_event_is_an_error_and_no_stream(api: httpx.AsyncClient) -> None:
    headers = {**STREAM, "last-event-id": "event_01ARZ3NDEKTSV4RRFFQ69G5FAV"}
    answer = await api.get("/events", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/json")


@pytest.mark.parametrize("given", ["event_01ARZ3NDEKTSV4RRFFQ69G5FAV", "nonsense", "x" * 300])
async def test_a_bad_last_event_id_is_reported_under_its_own_name(api: httpx.AsyncClient, given: str) -> None:
    answer = await api.get("/events", headers={**STREAM, "last-event-id": given})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["Last-Event-ID"]
    answer = await api.get("/events", params={"after": given}, headers=STREAM)
    assert [error["field"] for error in answer.json()["errors"]] == ["after"]


async def test_a_stop_ends_streams_cleanly_and_they_resume(serving: Serving) -> None:
    server: RunningServe = await serving(DIRSYNC_LOG_LEVEL="warning")
    headers = {"authorization": f"Bearer {server.api_key}"}
    async with httpx.AsyncClient(base_url=server.http_url, headers=headers, timeout=60) as client:
        made = (await client.post("/organizations", json={"name": "Stopped"})).json()
        body = {"organization_id": made["id"], "name": "HR"}
        async with client.stream("GET", "/events", headers=STREAM) as answer:
            stream = frames(answer)
            await client.post("/directories", json=body)
            (event,) = await take(stream, 1)
            await asyncio.to_thread(server.stop)
            # The end of the body arrives whole: no error, and no half event.
            assert [frame async for frame in stream] == []
        await asyncio.to_thread(server.start)
        await client.post("/directories", json=body)
        async with client.stream("GET", "/events", headers={**STREAM, "last-event-id": event["id"]}) as answer:
            (again,) = await take(frames(answer), 1)
        assert again["event"] == "dsync.token.created"
        assert again["id"] > event["id"]
