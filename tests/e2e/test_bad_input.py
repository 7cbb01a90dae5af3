"""Bad input gets a clear error, and nothing is lost or changed by it."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from directorysync import Client
from directorysync.errors import CursorDiverged, CursorInvalid, DirectorySyncError, InvalidArgument
from directorysync.v1 import directory_admin_pb2 as admin_pb2
from directorysync.v1 import directory_sync_pb2 as sync_pb2
from directorysync.v1.events_pb2 import EventFilter
from tests.e2e.conftest import Serving

ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"


@dataclass
class Place:
    """A directory with one user and one group that it is a member of."""

    client: Client
    http: httpx.AsyncClient
    id: str
    url: str
    secret: str
    token_id: str
    user: str = ""
    group: str = ""

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """A body that is neither bytes nor None goes out as JSON."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        given = {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/scim+json"}
        path = path.replace("{user}", self.user).replace("{group}", self.group)
        return await self.http.request(method, self.url + path, content=content, headers=given | headers)

    async def snapshot(self) -> tuple[int, Any, Any]:
        """Number of the newest event, all users, all groups with their members."""
        directory = await self.client.sync.GetDirectory(sync_pb2.GetDirectoryRequest(id=self.id))
        users, groups = await self.send("GET", "/Users"), await self.send("GET", "/Groups")
        return directory.directory.sequence, users.json()["Resources"], groups.json()["Resources"]

    @asynccontextmanager
    async def unchanged(self) -> AsyncIterator[None]:
        """The directory is the same before and after."""
        before = await self.snapshot()
        yield
        assert await self.snapshot() == before


async def make_place(client: Client, http: httpx.AsyncClient, http_url: str) -> Place:
    organization = await client.admin.CreateOrganization(admin_pb2.CreateOrganizationRequest(name="Bad input"))
    wanted = admin_pb2.CreateDirectoryRequest(organization_id=organization.organization.id, name="Bad input")
    made = await client.admin.CreateDirectory(wanted)
    url = f"{http_url}/scim/v2/{made.directory.scim_key}"
    place = Place(client, http, made.directory.id, url, made.secret, made.token.id)
    place.user = (await place.send("POST", "/Users", {"userName": "ada", "title": "Analyst"})).json()["id"]
    group = {"displayName": "Team", "members": [{"value": place.user}]}
    place.group = (await place.send("POST", "/Groups", group)).json()["id"]
    return place


@pytest.fixture(scope="module")
async def place(serving: Serving) -> AsyncIterator[Place]:
    server = await serving()
    async with server.client() as client, httpx.AsyncClient(timeout=30, trust_env=False) as http:
        yield await make_place(client, http, server.http_url)


@pytest.fixture(scope="module")
async def other_place(place: Place) -> Place:
    return await make_place(place.client, place.http, place.url.partition("/scim/")[0])


def assert_refused(answer: httpx.Response, status: int, scim_type: str | None = None) -> None:
    """The SCIM Error of RFC 7644 3.12."""
    body = answer.json()
    assert (answer.status_code, body.get("scimType")) == (status, scim_type), body
    assert body["schemas"] == [ERROR_SCHEMA]
    assert body["status"] == str(status)
    assert body["detail"]
    assert answer.headers["content-type"] == "application/scim+json"


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"Operations": list(operations)}


LONG = secrets.token_hex(5_000)
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
TITLE = {"op": "replace", "path": "title", "value": "lost"}

BODIES = {
    "malformed JSON": (b'{"userName": "bob"', 400, "invalidSyntax"),
    "nothing": (b"", 400, "invalidSyntax"),
    "a list": ([], 400, "invalidSyntax"),
    "text": ("bob", 400, "invalidSyntax"),
    "no UTF-8": (b'{"userName": "b\xf6b"}', 400, "invalidSyntax"),
    "not a number": (b'{"userName": "bob", "x": NaN}', 400, "invalidSyntax"),
    "a number beyond all bounds": (b'{"userName": "bob", "x": 1e999}', 400, "invalidSyntax"),
    "100,000 brackets": (b'{"userName": "bob", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "invalidSyntax"),
    "30 levels": (b'{"userName": "bob", "x": ' + b"[" * 30 + b"]" * 30 + b"}", 400, "invalidValue"),
    "10,000 values": ({"userName": "bob", "x": [1] * 10_000}, 400, "invalidValue"),
    "no userName": ({"displayName": "Bob"}, 400, "invalidValue"),
    "a blank userName": ({"userName": "  "}, 400, "invalidValue"),
    "an object as userName": ({"userName": {"first": "bob"}}, 400, "invalidValue"),
    "a list of userNames": ({"userName": ["bob", "rob"]}, 400, "invalidValue"),
    "a boolean as userName": ({"userName": True}, 400, "invalidValue"),
    "a userName of 10,000 characters": ({"userName": LONG}, 400, "invalidValue"),
    "an externalId of 10,000 characters": (
        {"userName": "bob", "externalId": LONG},
        400,
        "invalidValue",
    ),
    "text of 300,000 characters": ({"userName": "bob", "title": "x" * 300_000}, 400, "invalidValue"),
    "active that is neither": ({"userName": "bob", "active": "perhaps"}, 400, "invalidValue"),
    "an object as active": ({"userName": "bob", "active": {"a": 1}}, 400, "invalidValue"),
    "NUL in a value": (b'{"userName": "b\\u0000b"}', 400, "invalidValue"),
    "NUL in a name": (b'{"userName": "bob", "x\\u0000y": 1}', 400, "invalidValue"),
    "NUL as a byte": (b'{"userName": "b\x00b"}', 400, "invalidSyntax"),
    "half of a surrogate pair": (b'{"userName": "b\\ud800b"}', 400, "invalidSyntax"),
    "3 MB": ({"userName": "bob", "x": ["y" * 100_000] * 30}, 413, None),
}


@pytest.mark.parametrize(("body", "status", "scim_type"), BODIES.values(), ids=BODIES)
async def test_body(place: Place, body: Any, status: int, scim_type: str | None) -> None:
    async with place.unchanged():
        assert_refused(await place.send("POST", "/Users", body), status, scim_type)
        assert_refused(await place.send("PUT", "/Users/{user}", body), status, scim_type)


GROUP_BODIES = {
    "malformed JSON": (b"{", 400, "invalidSyntax"),
    "no displayName": ({"members": []}, 400, "invalidValue"),
    "a displayName of 10,000 characters": ({"displayName": LONG}, 400, "invalidValue"),
    "NUL in a member": ({"displayName": "x", "members": [{"value": "\0"}]}, 400, "invalidValue"),
    "100,001 members": (
        {"displayName": "x", "members": [f"u{n}" for n in range(100_001)]},
        400,
        "invalidValue",
    ),
}


@pytest.mark.parametrize(("body", "status", "scim_type"), GROUP_BODIES.values(), ids=GROUP_BODIES)
async def test_body_of_a_group(place: Place, body: Any, status: int, scim_type: str | None) -> None:
    async with place.unchanged():
        assert_refused(await place.send("POST", "/Groups", body), status, scim_type)
        assert_refused(await place.send("PUT", "/Groups/{group}", body), status, scim_type)


PATCHES = {
    "malformed JSON": (b'{"Operations": [', "invalidSyntax"),
    "no operations": ({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]}, "invalidSyntax"),
    "text as operations": ({"Operations": "replace"}, "invalidSyntax"),
    "an empty list": (patch(), "invalidSyntax"),
    "an unknown operation": (patch(TITLE, {"op": "move", "path": "title"}), "invalidSyntax"),
    "a number as path": (patch(TITLE, {"op": "add", "path": 7, "value": "x"}), "invalidPath"),
    "a malformed path": (patch(TITLE, {"op": "add", "path": "name..givenName", "value": "x"}), "invalidPath"),
    "a part of what has none": (patch(TITLE, {"op": "add", "path": "title.value", "value": "x"}), "invalidPath"),
    "a malformed filter in the path": (
        patch(TITLE, {"op": "add", "path": "emails[type eq", "value": "x"}),
        "invalidFilter",
    ),
    "NUL in the path": (patch(TITLE, {"op": "add", "path": "ti\0tle", "value": "x"}), "invalidPath"),
    "NUL in the filter of the path": (patch(TITLE, {"op": "remove", "path": 'emails[value eq "\0"]'}), "invalidFilter"),
    "NUL in the value": (patch(TITLE, {"op": "add", "path": "nickName", "value": "\0"}), "invalidValue"),
    "no value": (patch(TITLE, {"op": "add", "path": "nickName"}), "invalidValue"),
    "a removal of nothing in particular": (patch(TITLE, {"op": "remove"}), "noTarget"),
    "a removal of the userName": (patch(TITLE, {"op": "remove", "path": "userName"}), "mutability"),
    "another id": (patch(TITLE, {"op": "replace", "path": "id", "value": "x"}), "mutability"),
    "active that is neither": (patch(TITLE, {"op": "replace", "path": "active", "value": "perhaps"}), "invalidValue"),
    "a long userName": (patch({"op": "replace", "path": "userName", "value": "x" * 10_000}), "invalidValue"),
    "2,001 operations": (patch(*[TITLE] * 2_001), "tooMany"),
}


@pytest.mark.parametrize(("body", "scim_type"), PATCHES.values(), ids=PATCHES)
async def test_patch_is_all_or_nothing(place: Place, body: Any, scim_type: str) -> None:
    async with place.unchanged():
        assert_refused(await place.send("PATCH", "/Users/{user}", body), 400, scim_type)


async def test_patch_of_members_is_all_or_nothing(place: Place) -> None:
    remove = {"op": "remove", "path": "members"}
    async with place.unchanged():
        answer = await place.send(
            "PATCH", "/Groups/{group}", patch(remove, {"op": "add", "path": "members[", "value": []})
        )
        assert_refused(answer, 400, "invalidFilter")
        answer = await place.send("PATCH", "/Groups/{group}", patch(remove, {"op": "remove", "path": "displayName"}))
        assert_refused(answer, 400, "mutability")


async def test_a_member_id_that_nobody_can_have_is_passed_over(place: Place) -> None:
    values = ["x" * 3_000, "😀" * 1_000, "", None, [], {"value": None}]
    members = patch({"op": "add", "path": "members", "value": [{"value": value} for value in values]})
    async with place.unchanged():
        assert (await place.send("PATCH", "/Groups/{group}", members)).status_code in {200, 204}


FILTERS = {
    "an unknown attribute": 'shoeSize eq "44"',
    "an unknown part of an attribute": 'name.shoeSize eq "44"',
    "an unknown attribute of an extension": f'{ENTERPRISE}:shoeSize eq "44"',
    "10,000 characters": 'userName eq "' + "x" * 10_000 + '"',
    "1,000 parentheses": "(" * 1_000 + 'userName eq "ada"' + ")" * 1_000,
    "1,000 comparisons": " or ".join(["title pr"] * 500 + ["active eq true"] * 500),
    "no operator": "userName",
    "no value": "userName eq",
    "an unknown operator": 'userName like "ada"',
    "a string without an end": 'userName eq "ada',
    "a bracket without an end": 'emails[type eq "work"',
    "something behind the end": 'userName eq "ada" "bob"',
    "a password": 'password eq "secret"',
    "a time that is none": 'meta.created gt "9999-99-99"',
    "text as a boolean": 'active eq "perhaps"',
    "NUL": 'userName eq "\0"',
    "NUL, escaped": r'userName eq "\u0000"',
}


@pytest.mark.parametrize("text", FILTERS.values(), ids=FILTERS)
async def test_filter(place: Place, text: str) -> None:
    """Refused, and never answered with everything."""
    quoted = str(httpx.QueryParams({"filter": text}))
    async with place.unchanged():
        assert_refused(await place.send("GET", f"/Users?{quoted}"), 400, "invalidFilter")
        assert_refused(await place.send("POST", "/Users/.search", {"filter": text}), 400, "invalidFilter")


QUERIES = {
    "count=many": "invalidValue",
    "startIndex=1.5": "invalidValue",
    "sortOrder=up": "invalidValue",
    "sortBy=shoeSize": "invalidPath",
    "filter=%FF": "invalidValue",
    "filter=a+pr&filter=b+pr": "invalidValue",
}


@pytest.mark.parametrize(("query", "scim_type"), QUERIES.items(), ids=QUERIES)
async def test_query(place: Place, query: str, scim_type: str) -> None:
    assert_refused(await place.send("GET", f"/Users?{query}"), 400, scim_type)


@pytest.mark.parametrize("resource_id", ["x", "x" * 5_000, "%00", "%FF", "a%2Fb", "%F0%9F%98%80", "'; DROP TABLE head"])
async def test_an_id_that_is_none(place: Place, resource_id: str) -> None:
    async with place.unchanged():
        for kind in ("Users", "Groups"):
            assert_refused(await place.send("GET", f"/{kind}/{resource_id}"), 404)
            assert_refused(await place.send("PATCH", f"/{kind}/{resource_id}", patch(TITLE)), 404)
            assert_refused(await place.send("DELETE", f"/{kind}/{resource_id}"), 404)


async def test_ids_of_another_directory(place: Place, other_place: Place) -> None:
    """They are answered like ids that do not exist, and name nobody."""
    user, group = f"/Users/{other_place.user}", f"/Groups/{other_place.group}"
    absent = (await place.send("GET", "/Users/nobody")).json()["detail"].replace("nobody", other_place.user)
    async with place.unchanged(), other_place.unchanged():
        for path, body in ((user, {"userName": "eve"}), (group, {"displayName": "Eves", "members": []})):
            assert_refused(await place.send("GET", path), 404)
            assert_refused(await place.send("PUT", path, body), 404)
            assert_refused(await place.send("PATCH", path, patch(TITLE)), 404)
            assert_refused(await place.send("DELETE", path), 404)
        assert (await place.send("GET", user)).json()["detail"] == absent
        found = await place.send("GET", f'/Users?filter=id+eq+"{other_place.user}"')
        assert found.json()["totalResults"] == 0
        member = patch({"op": "add", "path": "members", "value": [{"value": other_place.user}]})
        assert (await place.send("PATCH", "/Groups/{group}", member)).status_code in {200, 204}


async def assert_locked_out(place: Place, secret: str | None) -> None:
    headers = {"Authorization": f"Bearer {secret}".strip() if secret is not None else ""}
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/ServiceProviderConfig", None),
        ("GET", "/Users", None),
        ("GET", "/Users/{user}", None),
        ("POST", "/Users", {"userName": "eve"}),
        ("PUT", "/Users/{user}", {"userName": "eve"}),
        ("PATCH", "/Groups/{group}", patch({"op": "remove", "path": "members"})),
        ("DELETE", "/Users/{user}", None),
    ):
        answer = await place.send(method, path, body, **headers)
        assert_refused(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"


BAD_TOKENS = {"none": None, "empty": "", "unknown": "dst_" + "0" * 43, "a word": "secret", "huge": "x" * 10_000}


@pytest.mark.parametrize("secret", BAD_TOKENS.values(), ids=BAD_TOKENS)
async def test_a_token_that_is_none(place: Place, secret: str | None) -> None:
    async with place.unchanged():
        await assert_locked_out(place, secret)


async def test_the_token_of_another_directory(place: Place, other_place: Place) -> None:
    async with place.unchanged(), other_place.unchanged():
        await assert_locked_out(place, other_place.secret)


async def test_a_revoked_token(place: Place) -> None:
    made = await place.client.admin.CreateDirectoryToken(admin_pb2.CreateDirectoryTokenRequest(directory_id=place.id))
    assert (await place.send("GET", "/Users", Authorization=f"Bearer {made.secret}")).status_code == 200
    revoke = admin_pb2.RevokeDirectoryTokenRequest(directory_id=place.id, id=made.token.id)
    await place.client.admin.RevokeDirectoryToken(revoke)
    async with place.unchanged():
        await assert_locked_out(place, made.secret)


async def test_an_expired_token(place: Place) -> None:
    expire_time = Timestamp(seconds=int(time.time()) + 2)
    wanted = admin_pb2.CreateDirectoryTokenRequest(directory_id=place.id, expire_time=expire_time)
    made = await place.client.admin.CreateDirectoryToken(wanted)
    while time.time() <= expire_time.seconds:
        await asyncio.sleep(0.05)
    async with place.unchanged():
        await assert_locked_out(place, made.secret)


async def test_an_api_key_is_known_here_by_its_bounds(place: Place, other_place: Place) -> None:
    """A key that was made for another directory is told that this one does not exist."""
    wanted = admin_pb2.CreateApiKeyRequest(name="bounded", scopes=["provision"], directory_ids=[other_place.id])
    made = await place.client.admin.CreateApiKey(wanted)
    async with place.unchanged():
        answer = await place.send("POST", "/Users", {"userName": "eve"}, Authorization=f"Bearer {made.secret}")
        assert_refused(answer, 404)
        readers = admin_pb2.CreateApiKeyRequest(name="reader", scopes=["read"], directory_ids=[place.id])
        reader = await place.client.admin.CreateApiKey(readers)
        answer = await place.send("POST", "/Users", {"userName": "eve"}, Authorization=f"Bearer {reader.secret}")
        assert_refused(answer, 403)


async def events_behind(client: Client, cursor: str, *directory_ids: str) -> sync_pb2.ListEventsResponse:
    scope = EventFilter(directory_ids=directory_ids)
    return await client.sync.ListEvents(sync_pb2.ListEventsRequest(filter=scope, cursor=cursor))


async def assert_cursor_refused(place: Place, cursor: str, error: type[DirectorySyncError]) -> None:
    with pytest.raises(error):
        await events_behind(place.client, cursor, place.id)
    start = sync_pb2.WatchStart(cursor=cursor)
    watch = place.client.watch(filter=EventFilter(directory_ids=[place.id]), start=start)
    with pytest.raises(error):
        await anext(watch)


async def test_a_cursor_from_another_database(place: Place, serving: Serving) -> None:
    elsewhere = await serving("--transport", "grpc")
    async with elsewhere.client() as client:
        foreign = await make_place(client, place.http, elsewhere.http_url)
        of_feed = (await events_behind(client, "")).cursor
        of_directory = (await events_behind(client, "", foreign.id)).cursor
    async with place.unchanged():
        await assert_cursor_refused(place, of_feed, CursorDiverged)
        await assert_cursor_refused(place, of_directory, CursorInvalid)


CURSORS = {"a letter": "x", "a sign": "\N{SNOWMAN}", "letters": "AAAAAAAAAAAAAAAAAAAAAA"}


@pytest.mark.parametrize("cursor", CURSORS.values(), ids=CURSORS)
async def test_a_cursor_that_is_none(place: Place, cursor: str) -> None:
    await assert_cursor_refused(place, cursor, CursorInvalid)


async def test_a_cursor_that_is_too_long(place: Place) -> None:
    await assert_cursor_refused(place, "A" * 10_000, InvalidArgument)


async def test_a_cursor_that_was_changed(place: Place) -> None:
    cursor = (await events_behind(place.client, "", place.id)).cursor
    for index in range(len(cursor) - 1):  # of the last character some bits say nothing
        other = "B" if cursor[index] == "A" else "A"
        with pytest.raises(CursorInvalid):
            await events_behind(place.client, cursor[:index] + other + cursor[index + 1 :], place.id)


async def test_a_cursor_of_another_directory(place: Place, other_place: Place) -> None:
    cursor = (await events_behind(place.client, "", other_place.id)).cursor
    await assert_cursor_refused(place, cursor, CursorInvalid)
