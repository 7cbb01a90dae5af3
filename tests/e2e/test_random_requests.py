"""Whatever a provider sends, the answer is not a 500, and it is SCIM's."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.e2e.conftest import Serving
from tests.e2e.test_bad_input import Place, make_place
from tests.fuzz.run import CORPUS
from tests.property.scim import strategies as s

quick = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"
kinds = st.sampled_from(["Users", "Groups"])
resources = st.sampled_from(["/Users/{user}", "/Groups/{group}"])
methods = st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "post", "GET", ""])
bulk_operations = st.fixed_dictionaries(
    {"method": methods, "path": st.sampled_from(["/Users", "/Groups", "/Users/bulkId:b", "/Users/x", "Groups/", "/"])},
    optional={"bulkId": st.sampled_from(["a", "b", ""]), "data": s.bodies | s.patches, "version": s.texts},
)
searches = st.fixed_dictionaries(
    {},
    optional={
        "filter": s.fragments,
        "sortBy": s.names,
        "sortOrder": st.sampled_from(["ascending", "descending", "", "x"]),
        "count": s.scalars,
        "startIndex": s.scalars,
        "attributes": st.lists(s.names, max_size=3) | s.names,
        "excludedAttributes": s.names,
        "cursor": s.texts,
    },
)


@pytest.fixture(scope="module")
async def place(serving: Serving) -> AsyncIterator[Place]:
    server = await serving()
    async with server.client() as client, httpx.AsyncClient(timeout=30, trust_env=False) as http:
        yield await make_place(client, http, server.http_url)


def assert_scim(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        body = answer.json()
        assert (body["schemas"], body["status"]) == ([ERROR_SCHEMA], str(answer.status_code))
        assert body["detail"]


def as_json(value: object) -> bytes:
    """The body as a client that checks nothing would write it: NaN, halves of surrogate pairs and all."""
    return json.dumps(value).encode()


@quick
@given(s.fragments, kinds, s.names)
async def test_queries(place: Place, text: str, kind: str, sort_by: str) -> None:
    query = f"filter={quote(text, errors='replace')}&sortBy={quote(sort_by, errors='replace')}&count=2"
    assert_scim(await place.send("GET", f"/{kind}?{query}"))
    assert_scim(await place.send("GET", f"/{kind}?filter={quote(text, errors='replace')}&count=2"))


@quick
@given(searches | s.values, st.sampled_from(["/Users", "/Groups", ""]))
async def test_searches(place: Place, body: object, where: str) -> None:
    assert_scim(await place.send("POST", f"{where}/.search", as_json(body)))


@quick
@given(s.patches | s.values, resources)
async def test_patches(place: Place, body: object, resource: str) -> None:
    assert_scim(await place.send("PATCH", resource, as_json(body)))
    assert_scim(await place.send("GET", resource))


@quick
@given(s.bodies, kinds, st.booleans())
async def test_new_resources(place: Place, body: object, kind: str, put: bool) -> None:
    answer = await place.send("POST", f"/{kind}", as_json(body))
    assert_scim(answer)
    if answer.status_code == 201:
        one = f"/{kind}/{answer.json()['id']}"
        if put:
            again = await place.send("PUT", one, answer.content)
            assert (again.status_code, again.json()) == (200, answer.json())
        assert_scim(await place.send("DELETE", one))


@quick
@given(st.fixed_dictionaries({"Operations": st.lists(bulk_operations, max_size=4)}) | s.values)
async def test_bulk_requests(place: Place, body: object) -> None:
    answer = await place.send("POST", "/Bulk", as_json(body))
    assert_scim(answer)
    results: list[dict[str, Any]] = answer.json().get("Operations", []) if answer.status_code == 200 else []
    assert all(result["status"][0] in "24" for result in results), results


_SENT: dict[str, list[tuple[str, str]]] = {
    "patch": [("PATCH", "/Users/{user}"), ("PATCH", "/Groups/{group}")],
    "document": [("POST", "/Users"), ("POST", "/Groups")],
    "v1": [("PATCH", "/Users/{user}"), ("POST", "/Users"), ("PATCH", "/Groups/{group}")],
    "message": [("POST", "/Bulk"), ("POST", "/.search")],
}


@pytest.mark.parametrize("target", ["filter", "path", *_SENT])
async def test_what_the_fuzzer_kept(place: Place, target: str) -> None:
    """The same inputs through HTTP and into PostgreSQL."""
    at = replace(place, url=place.url.replace("/v2/", "/v1/")) if target == "v1" else place
    for path in sorted((CORPUS / target).iterdir()):
        data = path.read_bytes()
        text = data.decode("utf-8", "replace")
        if target == "filter":
            answers = [await at.send("GET", f"/{kind}?count=1&filter={quote(text)}") for kind in ("Users", "Groups")]
        elif target == "path":
            operation = {"op": "add", "path": text, "value": [{"value": "x", "type": "work"}]}
            answers = [await at.send("PATCH", "/Users/{user}", {"Operations": [operation]})]
        else:
            answers = [await at.send(method, where, data) for method, where in _SENT[target]]
        assert all(answer.status_code < 500 for answer in answers), (path, [answer.text for answer in answers])
