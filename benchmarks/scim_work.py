"""What one operation of each SCIM workload sends, and which answer is the right one.

Every class has `once(connection, number)`: it does operation `number` and returns the id and the value to be found when
read back, or None for reads. A wrong answer raises WrongAnswerError. Instances travel to the load generator by pickle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

import msgspec

from benchmarks.http_connection import Connection

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_USER = "urn:ietf:params:scim:schemas:core:2.0:User"
_PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_BULK_REQUEST = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
_decode = msgspec.json.decode
_encode = msgspec.json.encode

Written = tuple[str, str] | None


class WrongAnswerError(Exception):
    """The server answered, but not what is right."""


@dataclass(frozen=True, slots=True)
class ScimBase:
    """Where a directory is reached and what opens it. `path` begins with a slash."""

    path: str
    token: str

    def get(self, rest: str) -> bytes:
        """A GET request."""
        return self._head("GET", rest) + b"\r\n"

    def send(self, method: str, rest: str, body: object) -> bytes:
        """A request with a JSON body."""
        data = _encode(body)
        head = b"Content-Type: application/scim+json\r\nContent-Length: %d\r\n\r\n" % len(data)
        return self._head(method, rest) + head + data

    def _head(self, method: str, rest: str) -> bytes:
        return (
            f"{method} {self.path}{rest} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\n"
            f"Accept: application/scim+json\r\nAuthorization: Bearer {self.token}\r\n"
        ).encode()


class Work(Protocol):
    """A workload."""

    async def once(self, connection: Connection, number: int) -> Written:
        """Operation `number`, from 0."""


def by_user_name(base: ScimBase, user_name: str) -> bytes:
    """The look-up that providers do before each user: `userName eq`."""
    return base.get("/Users?filter=" + quote(f'userName eq "{user_name}"'))


def enterprise_user(user_name: str, number: int) -> dict[str, Any]:
    """A new user of about 1.1 KB with the enterprise extension."""
    first, last = f"Given{number}", f"Family{number}"
    return {
        "schemas": [_USER, ENTERPRISE],
        "externalId": f"00u{user_name}",
        "userName": user_name,
        "name": {"givenName": first, "familyName": last, "formatted": f"{first} {last}"},
        "displayName": f"{first} {last}",
        "title": "Senior Software Engineer",
        "preferredLanguage": "en-GB",
        "locale": "en-GB",
        "timezone": "Europe/London",
        "active": True,
        "emails": [
            {"value": user_name, "type": "work", "primary": True},
            {"value": f"private.{user_name}", "type": "home"},
        ],
        "phoneNumbers": [{"value": "+44 20 7946 0123", "type": "work"}, {"value": "+44 7700 900123", "type": "mobile"}],
        "addresses": [
            {
                "type": "work", "streetAddress": "100 Universal Road", "locality": "London", "postalCode": "EC1A 1BB",
                "country": "GB", "formatted": "100 Universal Road\nLondon EC1A 1BB\nGB", "primary": True,
            }
        ],
        ENTERPRISE: {
            "employeeNumber": f"{number:07d}", "costCenter": "4130", "organization": "Example Incorporated",
            "division": "Research and Development", "department": "Platform",
            "manager": {"value": "26118915-6090-4610-87e4-49d8ca9f808d", "displayName": "Jo Manager"},
        },
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Provision:
    """W1: the look-up of a new name, which must find nothing, then the POST. `look_up=False` leaves out the first."""

    bases: Sequence[ScimBase]
    run: str
    look_up: bool = True

    async def once(self, connection: Connection, number: int) -> Written:
        """One user more; its directory is `number` modulo the directories."""
        base = self.bases[number % len(self.bases)]
        user_name = f"{self.run}.{number}@example.com"
        if self.look_up:
            status, body = await connection.exchange(by_user_name(base, user_name))
            if status != 200 or _decode(body)["totalResults"] != 0:
                raise WrongAnswerError(f"look-up of a new name: {status} {body[:200]!r}")
        status, body = await connection.exchange(base.send("POST", "/Users", enterprise_user(user_name, number)))
        if status != 201:
            raise WrongAnswerError(f"POST: {status} {body[:200]!r}")
        made = _decode(body)
        if made["userName"] != user_name or made[ENTERPRISE]["employeeNumber"] != f"{number:07d}":
            raise WrongAnswerError("POST answered with another user")
        return made["id"], user_name


def _patch(*operations: tuple[str, str, object]) -> dict[str, object]:
    found = [{"op": op, "path": path, "value": value} for op, path, value in operations]
    return {"schemas": [_PATCH_OP], "Operations": found}


@dataclass(frozen=True, slots=True)
class Update:
    """W2: PATCH replaces title and enterprise department."""

    base: ScimBase
    ids: Sequence[str]
    run: str

    async def once(self, connection: Connection, number: int) -> Written:
        """The users in turn; title and department never had the value before."""
        user_id, title = self.ids[number % len(self.ids)], f"{self.run} {number}"
        body = _patch(("replace", "title", title), ("replace", f"{ENTERPRISE}:department", title))
        status, answer = await connection.exchange(self.base.send("PATCH", f"/Users/{user_id}", body))
        if status != 200:
            raise WrongAnswerError(f"PATCH: {status} {answer[:200]!r}")
        user = _decode(answer)
        if (user["id"], user["title"], user[ENTERPRISE]["department"]) != (user_id, title, title):
            raise WrongAnswerError("PATCH answered with other values")
        return user_id, title


@dataclass(frozen=True, slots=True)
class BulkUpdate:
    """W2 as providers with many changes could send it: `size` of its PATCHes in one bulk request."""

    base: ScimBase
    ids: Sequence[str]
    run: str
    size: int

    async def once(self, connection: Connection, number: int) -> Written:
        """The users in turn; returns the last one. Each operation is a command of its own."""
        title = f"{self.run} {number}"
        data = _patch(("replace", "title", title), ("replace", f"{ENTERPRISE}:department", title))
        chosen = [self.ids[(number * self.size + place) % len(self.ids)] for place in range(self.size)]
        operations = [{"method": "PATCH", "path": f"/Users/{user_id}", "data": data} for user_id in chosen]
        body = {"schemas": [_BULK_REQUEST], "Operations": operations}
        status, answer = await connection.exchange(self.base.send("POST", "/Bulk", body))
        done = _decode(answer).get("Operations", []) if status == 200 else []
        if len(done) != self.size or any(one["status"] != "200" for one in done):
            raise WrongAnswerError(f"bulk request: {status} {answer[:200]!r}")
        return chosen[-1], title


@dataclass(frozen=True, slots=True)
class Deactivate:
    """W3: PATCH replaces active. The first pass over the users deactivates, the next one reactivates, and so on."""

    base: ScimBase
    ids: Sequence[str]

    async def once(self, connection: Connection, number: int) -> Written:
        """The users in turn."""
        turn, place = divmod(number, len(self.ids))
        user_id, active = self.ids[place], turn % 2 == 1
        body = _patch(("replace", "active", active))
        status, answer = await connection.exchange(self.base.send("PATCH", f"/Users/{user_id}", body))
        if status != 200:
            raise WrongAnswerError(f"PATCH: {status} {answer[:200]!r}")
        user = _decode(answer)
        if user["id"] != user_id or user["active"] is not active:
            raise WrongAnswerError("PATCH answered with another state")
        return user_id, str(active)


@dataclass(frozen=True, slots=True)
class AddMember:
    """W4: PATCH adds one member; the groups take turns, so that they are measured side by side."""

    base: ScimBase
    groups: Sequence[str]
    members: Sequence[str]

    async def once(self, connection: Connection, number: int) -> Written:
        """A member that the group does not have yet."""
        turn, place = divmod(number, len(self.groups))
        group_id, member_id = self.groups[place], self.members[turn]
        body = _patch(("add", "members", [{"value": member_id}]))
        status, answer = await connection.exchange(self.base.send("PATCH", f"/Groups/{group_id}", body))
        if status not in {200, 204}:
            raise WrongAnswerError(f"PATCH: {status} {answer[:200]!r}")
        return group_id, member_id


@dataclass(frozen=True, slots=True)
class LookUp:
    """W5: the look-up of a name that is there."""

    base: ScimBase
    names: Sequence[str]
    ids: Sequence[str]

    async def once(self, connection: Connection, number: int) -> Written:
        """Names from all over the directory."""
        place = number * 7919 % len(self.names)
        status, body = await connection.exchange(by_user_name(self.base, self.names[place]))
        found = _decode(body) if status == 200 else {}
        if found.get("totalResults") != 1 or found["Resources"][0]["id"] != self.ids[place]:
            raise WrongAnswerError(f"look-up: {status} {body[:200]!r}")
        return None


@dataclass(frozen=True, slots=True)
class ListPage:
    """W6: a page of the listing of `total` users, `size` to a page. Operation `number` reads page `number * stride`."""

    base: ScimBase
    total: int
    size: int = 100
    stride: int = 1

    async def once(self, connection: Connection, number: int) -> Written:
        """Returns startIndex and the ids, joined by blanks, to be compared with what there is."""
        start = number * self.stride * self.size + 1
        status, body = await connection.exchange(self.base.get(f"/Users?startIndex={start}&count={self.size}"))
        found = _decode(body) if status == 200 else {}
        if found.get("totalResults") != self.total:
            raise WrongAnswerError(f"page from {start}: {status} {body[:200]!r}")
        return str(start), " ".join(user["id"] for user in found["Resources"])


class ReadUser(NamedTuple):
    """What is compared when a directory is read back."""

    user_name: str
    title: str
    department: str
    active: bool


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Pages of a whole directory, to be compared with what was written."""

    base: ScimBase
    size: int = 1000

    async def once(self, connection: Connection, number: int) -> Written:
        """Page `number`, from 0."""
        names = f"userName,title,active,{ENTERPRISE}:department"
        rest = f"/Users?startIndex={number * self.size + 1}&count={self.size}&attributes={quote(names)}"
        status, body = await connection.exchange(self.base.get(rest))
        if status != 200:
            raise WrongAnswerError(f"read back: {status} {body[:200]!r}")
        return str(number), body.decode()

    def users(self, pages: Sequence[tuple[str, str]]) -> dict[str, ReadUser]:
        """The users of all pages by id."""
        found = [user for _, page in pages for user in _decode(page)["Resources"]]
        return {
            user["id"]: ReadUser(
                user["userName"], user.get("title", ""), user.get(ENTERPRISE, {}).get("department", ""), user["active"]
            )
            for user in found
        }
