"""A running server with a small company in it, and the official clients pointed at it."""

import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import workos

from tests.e2e.conftest import Serving
from tests.support.server import RunningServe

SETTINGS = {"DIRSYNC_WEBHOOK_ALLOW_HTTP": "true", "DIRSYNC_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}
PEOPLE = 12
MEMBERS = 11


NewCompany = Callable[..., "Company"]


@dataclass
class Company:
    """One organization with a directory that its provider has filled. `users` are in the order of their arrival."""

    organization_id: str
    directory_id: str
    scim: httpx.Client
    users: list[str] = field(default_factory=list)
    group_id: str = ""

    def user(self, name: str, **more: Any) -> str:
        """Provisions a user; its id."""
        document = {
            "userName": f"{name}@acme.test",
            "externalId": f"ext-{name}",
            "name": {"givenName": name.title(), "familyName": "Test"},
            "emails": [{"value": f"{name}@acme.test", "type": "work", "primary": True}],
            "active": True,
            **more,
        }
        answer = self.scim.post("/Users", json=document)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def patch(self, path: str, *operations: dict[str, Any]) -> None:
        """Sends a PATCH."""
        schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]
        answer = self.scim.patch(path, json={"schemas": schemas, "Operations": operations})
        assert answer.status_code in {200, 204}, answer.text


@pytest.fixture(scope="session")
async def server(serving: Serving) -> RunningServe:
    return await serving(**SETTINGS)


@pytest.fixture(scope="session")
def client(server: RunningServe) -> Iterator[workos.WorkOSClient]:
    """The official client, unchanged but for where it finds its server."""
    client = workos.WorkOSClient(api_key=server.api_key, base_url=server.http_url, max_retries=0)
    yield client
    client.close()


@pytest.fixture
async def api(server: RunningServe) -> AsyncIterator[httpx.AsyncClient]:
    """A plain client with the admin key."""
    headers = {"authorization": f"Bearer {server.api_key}"}
    async with httpx.AsyncClient(base_url=server.http_url, headers=headers, timeout=30) as client:
        yield client


def _fill(server: RunningServe, name: str, people: int, members: int) -> Company:
    headers = {"authorization": f"Bearer {server.api_key}"}
    with httpx.Client(base_url=server.http_url, headers=headers) as api:
        organization = api.post("/organizations", json={"name": name}).json()
        body = {"organization_id": organization["id"], "name": f"{name} HR", "provider": "okta"}
        made = api.post("/directories", json=body)
    assert made.status_code == 201, made.text
    scim = made.json()["scim"]
    client = httpx.Client(base_url=scim["base_url"], headers={"authorization": f"Bearer {scim['bearer_token']}"})
    company = Company(organization["id"], made.json()["directory"]["id"], client)
    company.users = [company.user(f"{name.lower()}{number:02}") for number in range(people)]
    if members:
        listed = [{"value": user} for user in company.users[:members]]
        answer = client.post("/Groups", json={"displayName": f"{name} staff", "members": listed})
        company.group_id = answer.json()["id"]
    return company


@pytest.fixture(scope="session")
def company(server: RunningServe) -> Iterator[Company]:
    """A company for tests that only read, when its log is whole."""
    made = _fill(server, "Acme", PEOPLE, MEMBERS)
    query = {"organization_id": made.organization_id, "events": "dsync.group.user_added", "limit": "100"}
    give_up = time.monotonic() + 30
    with httpx.Client(base_url=server.http_url, headers={"authorization": f"Bearer {server.api_key}"}) as api:
        while len(api.get("/events", params=query).json()["data"]) < MEMBERS:
            assert time.monotonic() < give_up, "the log stays behind"
    yield made
    made.scim.close()


@pytest.fixture
def new_company(server: RunningServe) -> Iterator[NewCompany]:
    """Makes companies for a test that changes them."""
    companies: list[Company] = []

    def make(name: str, *, people: int = 0, members: int = 0) -> Company:
        companies.append(_fill(server, name, people, members))
        return companies[-1]

    yield make
    for made in companies:
        made.scim.close()


@dataclass(frozen=True)
class Received:
    """One webhook."""

    headers: dict[str, str]
    body: bytes


class Receiver:
    """An endpoint that takes everything. `url` is its address."""

    def __init__(self) -> None:
        received: queue.Queue[Received] = queue.Queue()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                received.put(Received({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.received = received
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def next(self) -> Received:
        """The next webhook."""
        return self.received.get(timeout=30)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()
