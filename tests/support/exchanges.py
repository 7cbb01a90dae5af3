"""Recorded exchanges of identity providers: read from `tests/providers` and played against a server.

`tests/providers/README.md` describes the format.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import msgspec

from tests.support.matching import NOTHING, expand, faults

ROOT = Path(__file__).resolve().parents[1] / "providers"
SCIM_MEDIA_TYPES = ("application/scim+json", "application/json")
ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"
LIST_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
V1_SCHEMA = "urn:scim:schemas:core:1.0"
PATIENCE_SECONDS = 20.0


class Request(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the client sends. A body that is a string goes out as it stands, anything else as JSON."""

    method: str
    path: str
    headers: dict[str, str | None] = {}
    body: Any = msgspec.UNSET


class Expect(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the server must answer."""

    status: int | list[int]
    headers: dict[str, Any] = {}
    body: Any = msgspec.UNSET


class Held(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A request whose body is still on its way while the step's own request is made."""

    request: Request
    expect: Expect


class Step(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One request and its answer."""

    name: str
    request: Request
    expect: Expect
    rows: list[str] = []
    repeat: int = 1
    while_uploading: Held | None = None


class Headers(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the client sends with every request."""

    without_body: dict[str, str] = {}
    with_body: dict[str, str] = {}


class Recording(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One file."""

    provider: str
    source: list[str]
    headers: Headers
    steps: list[Step]
    events: list[dict[str, Any]]
    settings: dict[str, str] = {}
    base: Literal["v1", "v2"] = "v2"


def load(path: Path) -> Recording:
    """A file as a Recording. A key that does not exist is an error, so that no expectation is lost to a typo."""
    return msgspec.json.decode(path.read_bytes(), type=Recording)


def recordings(*providers: str) -> list[Path]:
    """All files, or those of some providers, in order."""
    found = sorted(ROOT.glob("*/*.json"))
    return [path for path in found if not providers or path.parent.name in providers]


def name_of(path: Path) -> str:
    """How a file is called in test reports."""
    return path.relative_to(ROOT).with_suffix("").as_posix()


@dataclass(slots=True)
class Player:
    """Sends the requests of a recording, byte for byte as recorded. `caused` holds the step behind each request id."""

    base_url: str
    token: str
    names: dict[str, str] = field(default_factory=dict)
    caused: dict[str, str] = field(default_factory=dict)
    passwords: set[str] = field(default_factory=set)
    base: Literal["v1", "v2"] = "v2"

    async def play(self, recording: Recording) -> None:
        """Every step in order; fails at the first answer that is not the expected one."""
        self.base = recording.base
        self.names |= {"token": self.token, "base": self.base_url}
        async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
            for step in recording.steps:
                for number in range(1, step.repeat + 1):
                    self.names["i"] = str(number)
                    await self._step(http, recording.headers, step)

    async def _step(self, http: httpx.AsyncClient, headers: Headers, step: Step) -> None:
        if step.while_uploading is not None:
            await self._step_during(http, headers, step, step.while_uploading)
            return
        self._check(step.name, step.expect, await http.send(self._request(headers, step.request)))

    async def _step_during(self, http: httpx.AsyncClient, headers: Headers, step: Step, held: Held) -> None:
        """Makes the step's request again and again until the upload is in its way. The upload begins anew when it was
        itself the one that was turned away.
        """
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                release = asyncio.Event()
                upload = asyncio.create_task(http.send(self._request(headers, held.request, release)))
                for _ in range(20):
                    await asyncio.sleep(0.01)
                    answer = await http.send(self._request(headers, step.request))
                    if answer.status_code == step.expect.status:
                        release.set()
                        self._check(step.name, step.expect, answer)
                        self._check(f"{step.name}, the upload", held.expect, await upload)
                        return
                upload.cancel()

    def _request(self, defaults: Headers, request: Request, release: asyncio.Event | None = None) -> httpx.Request:
        has_body = request.body is not msgspec.UNSET
        headers = {"Authorization": "Bearer ${token}", **(defaults.with_body if has_body else defaults.without_body)}
        merged = expand({**headers, **request.headers}, self.names)
        target = self.base_url + expand(request.path, self.names)
        body = self._body(request)
        sent: dict[str, str] = {name: value for name, value in merged.items() if value is not None}
        if has_body:
            sent["Content-Length"] = str(len(body))
        return httpx.Request(
            request.method,
            self.base_url,
            headers=sent,
            content=body if release is None else _in_halves(body, release),
            extensions={"target": _target(target)},
        )

    def _body(self, request: Request) -> bytes:
        if request.body is msgspec.UNSET:
            return b""
        body = expand(request.body, self.names)
        if isinstance(body, dict) and isinstance(body.get("password"), str):
            self.passwords.add(body["password"])
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return text.encode()

    def _check(self, name: str, expect: Expect, answer: httpx.Response) -> None:
        found = [*self._status_faults(expect, answer), *_protocol_faults(answer, self.base)]
        found += [f"the password is in the answer {answer.text}" for word in self.passwords if word in answer.text]
        if expect.body is not msgspec.UNSET and not found:
            found += faults(expect.body, answer.json(), self.names, "body")
        for header, wanted in expect.headers.items():
            found += faults(wanted, answer.headers.get(header, NOTHING), self.names, header)
        assert not found, "\n".join([f"{name}: {answer.status_code} {answer.text[:2000]}", *found])
        self.caused[answer.headers["x-request-id"]] = name

    @staticmethod
    def _status_faults(expect: Expect, answer: httpx.Response) -> list[str]:
        wanted = expect.status if isinstance(expect.status, list) else [expect.status]
        return [] if answer.status_code in wanted else [f"expected the status {expect.status}"]


def _target(url: str) -> bytes:
    """What stands in the request line, untouched by any library's idea of a proper URL."""
    return ("/" + url.split("/", 3)[3]).encode()


async def _in_halves(body: bytes, release: asyncio.Event) -> AsyncIterator[bytes]:
    middle = len(body) // 2
    yield body[:middle]
    await release.wait()
    yield body[middle:]


def _protocol_faults(answer: httpx.Response, base: Literal["v1", "v2"]) -> list[str]:
    """What holds for every answer (dialects, rules 1, 5, 6, 11)."""
    if not answer.content:
        return [] if answer.status_code in {204, 304} else [f"{answer.status_code} without a body"]
    if answer.status_code == 204:
        return ["204 with a body"]
    body = answer.json()
    found = [f"null at {where}" for where in _nulls(body, "body")] + _FORMS[base](answer, body)
    if answer.status_code < 400 and "Resources" in body:
        found += _list_faults(body)
    elif answer.status_code == 201 and answer.headers.get("location") != body.get("meta", {}).get("location"):
        found.append("Location is not meta.location")
    return found


def _v2_faults(answer: httpx.Response, body: dict[str, Any]) -> list[str]:
    media_type = answer.headers.get("content-type", "")
    found = [] if media_type in SCIM_MEDIA_TYPES else [f"the media type is {media_type!r}"]
    if not isinstance(body.get("schemas"), list) or not body["schemas"]:
        found.append("schemas is missing")
    if answer.status_code < 400 and ("Resources" in body) != (body.get("schemas") == [LIST_SCHEMA]):
        found.append("Resources and the schema of a list do not go together")
    return found + (_error_faults(answer, body) if answer.status_code >= 400 else [])


def _v1_faults(answer: httpx.Response, body: dict[str, Any]) -> list[str]:
    """SCIM 1.1: plain JSON, one core schema, nothing of 2.0, and its own form of errors."""
    found = faults("application/json", answer.headers.get("content-type", NOTHING), {}, "content-type")
    if answer.status_code >= 400:
        error = {"description": {"$any": True}, "code": str(answer.status_code)}
        return found + faults({"$keys": ["Errors"], "Errors": [error]}, body, {}, "error")
    if "urn:ietf:params:scim" in answer.text:
        found.append("a URN of 2.0 is in the answer")
    return found + faults(V1_SCHEMA, (body.get("schemas") or [NOTHING])[0], {}, "schemas[0]")


_FORMS: dict[str, Callable[[httpx.Response, dict[str, Any]], list[str]]] = {"v1": _v1_faults, "v2": _v2_faults}


def _error_faults(answer: httpx.Response, body: dict[str, Any]) -> list[str]:
    expected: dict[str, Any] = {"schemas": [ERROR_SCHEMA], "status": str(answer.status_code), "detail": {"$any": True}}
    if answer.status_code == 409:
        expected["scimType"] = "uniqueness"
    return faults(expected, body, {}, "error")


def _list_faults(body: dict[str, Any]) -> list[str]:
    numbers = [body.get(name) for name in ("totalResults", "startIndex", "itemsPerPage")]
    found = [] if all(type(number) is int for number in numbers) else ["a number of the list is no integer"]
    if not isinstance(body.get("Resources"), list) or len(body["Resources"]) != body.get("itemsPerPage"):
        found.append("itemsPerPage is not the number of Resources")
    return found


def _nulls(value: Any, where: str) -> Iterator[str]:
    if value is None:
        yield where
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from _nulls(inner, f"{where}.{key}")
