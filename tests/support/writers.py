"""Identity providers that write over SCIM without pause, and remember what was acknowledged.

A writer does what providers do when the service is away: it sends the same request again until there is an answer. A
create that had been carried out is then refused with 409, and the user is looked up; a delete with 404.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from directorysync import Client
from directorysync.v1 import directory_admin_pb2 as admin_pb2
from directorysync.v1 import directory_sync_pb2 as sync_pb2

USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
PATIENCE_SECONDS = 120.0
_TRY_AGAIN = {429, 503}
_LONGEST_PAUSE = 1.0
_MOST_USERS = 40


@dataclass(frozen=True, slots=True)
class Target:
    """A directory as its provider knows it, with a group for everyone in it."""

    directory_id: str
    base_url: str
    token: str
    everyone: str = ""

    def headers(self, request_id: str) -> dict[str, str]:
        """Of every request."""
        return {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/scim+json",
            "X-Request-Id": request_id,
        }


async def make_targets(client: Client, http_url: str, count: int) -> list[Target]:
    """New directories of one organization, linked."""
    named = admin_pb2.CreateOrganizationRequest(name="Acme")
    organization = (await client.admin.CreateOrganization(named)).organization
    found = []
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        for number in range(count):
            request = admin_pb2.CreateDirectoryRequest(organization_id=organization.id, name=f"Directory {number}")
            made = await client.admin.CreateDirectory(request)
            target = Target(made.directory.id, f"{http_url}/scim/v2/{made.directory.scim_key}", made.secret)
            group = json.dumps({"schemas": [GROUP_SCHEMA], "displayName": "Everyone"})
            url = f"{target.base_url}/Groups"
            answer = await http.post(url, content=group, headers=target.headers(f"setup-{number}"))
            assert answer.status_code == 201, answer.text
            found.append(Target(target.directory_id, target.base_url, target.token, answer.json()["id"]))
    return found


async def heads_of(client: Client, targets: Sequence[Target]) -> dict[str, int]:
    """Number of the newest event of each directory."""
    answers = [await client.sync.GetDirectory(sync_pb2.GetDirectoryRequest(id=one.directory_id)) for one in targets]
    return {answer.directory.id: answer.directory.sequence for answer in answers}


class Refused(AssertionError):
    """An answer that a provider would not expect."""


class Writer:
    """Writes users, groups and memberships of its own into one directory, one request at a time. `pause` is the mean
    time between two, in seconds.

    `acknowledged` holds the request id of each write that was answered, with the types of the events that it must have
    caused; `users` the userName and title, by id, of the users that must exist; `members` the users of this writer in
    each group. `broken` counts requests whose connection broke, `turned_away` those that were told to try again.
    """

    def __init__(self, name: str, target: Target, *, pause: float, seed: str) -> None:
        self.name = name
        self.target = target
        self.acknowledged: dict[str, list[str]] = {}
        self.users: dict[str, tuple[str, str]] = {}
        self.members: dict[str, set[str]] = {target.everyone: set()}
        self.broken = self.turned_away = 0
        self._pause = pause
        self._random = random.Random(seed)
        self._number = 0
        self._group = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop, and until the write under way is acknowledged."""
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http:
            self._http = http
            await self._create_group()
            while not stop.is_set():
                await self._something()
                await asyncio.sleep(self._random.uniform(0, 2 * self._pause))

    async def _something(self) -> None:
        outside = sorted(self.users.keys() - self.members[self._group])
        if len(self.users) < 4 or (len(self.users) < _MOST_USERS and self._random.random() < 0.3):
            await self._create_user()
            return
        match self._random.randrange(8):
            case 0 | 1 | 2:
                await self._change(self._any(self.users))
            case 3 if outside:
                await self._add(self._group, outside[:3])
            case 4 if self.members[self._group]:
                await self._remove(self._group, self._any(self.members[self._group]))
            case 5 | 6:
                await self._move_in_or_out_of_everyone(self._any(self.users))
            case _:
                await self._delete(self._any(self.users))

    async def _create_group(self) -> None:
        body = {"schemas": [GROUP_SCHEMA], "displayName": f"Group of {self.name}"}
        self._group = await self._create("Groups", body, "displayName", "dsync.group.created")
        self.members[self._group] = set()

    async def _create_user(self) -> None:
        title = f"Title {self._number}"
        user_name = f"{self.name}-{self._number}@example.com"
        body = {"schemas": [USER_SCHEMA], "userName": user_name, "title": title, "active": True}
        created = await self._create("Users", body, "userName", "dsync.user.created")
        self.users[created] = (user_name, title)

    async def _change(self, user: str) -> None:
        title = f"Title {self._number}"
        operation = {"op": "replace", "path": "title", "value": title}
        await self._write("PATCH", f"Users/{user}", _patch(operation), ["dsync.user.updated"])
        self.users[user] = (self.users[user][0], title)

    async def _add(self, group: str, users: Sequence[str]) -> None:
        operation = {"op": "add", "path": "members", "value": [{"value": user} for user in users]}
        await self._write("PATCH", f"Groups/{group}", _patch(operation), ["dsync.group.user_added"] * len(users))
        self.members[group].update(users)

    async def _remove(self, group: str, user: str) -> None:
        operation = {"op": "remove", "path": f'members[value eq "{user}"]'}
        await self._write("PATCH", f"Groups/{group}", _patch(operation), ["dsync.group.user_removed"])
        self.members[group].remove(user)

    async def _move_in_or_out_of_everyone(self, user: str) -> None:
        everyone = self.target.everyone
        if user in self.members[everyone]:
            await self._remove(everyone, user)
        else:
            await self._add(everyone, [user])

    async def _delete(self, user: str) -> None:
        await self._write("DELETE", f"Users/{user}", None, ["dsync.user.deleted"], gone=404)
        del self.users[user]
        for members in self.members.values():
            members.discard(user)

    async def _create(self, endpoint: str, body: dict[str, Any], key: str, event: str) -> str:
        answer = await self._write("POST", endpoint, body, [event], gone=409)
        if answer.status_code == 201:
            return str(answer.json()["id"])
        params = {"filter": f'{key} eq "{body[key]}"'}
        found, _ = await self._send("GET", endpoint, None, f"{self.name}-lookup-{self._number}", params)
        if found.status_code != 200 or found.json()["totalResults"] != 1:
            raise Refused(f"{self.name} looked up {body[key]}: {found.status_code} {found.text}")
        return str(found.json()["Resources"][0]["id"])

    async def _write(
        self, method: str, path: str, body: dict[str, Any] | None, events: list[str], *, gone: int = 0
    ) -> httpx.Response:
        """`gone` is the status that says that an earlier try of this request was carried out."""
        request_id = f"{self.name}-{self._number}"
        self._number += 1
        answer, tries = await self._send(method, path, body, request_id)
        if answer.status_code not in {200, 201, 204} and not (answer.status_code == gone and tries > 1):
            raise Refused(f"{request_id}, try {tries}: {method} {path} {answer.status_code} {answer.text}")
        self.acknowledged[request_id] = events
        return answer

    async def _send(
        self, method: str, path: str, body: dict[str, Any] | None, request_id: str, params: dict[str, str] | None = None
    ) -> tuple[httpx.Response, int]:
        """The answer, and how many tries it took."""
        url = f"{self.target.base_url}/{path}"
        content = None if body is None else json.dumps(body)
        headers = self.target.headers(request_id)
        async with asyncio.timeout(PATIENCE_SECONDS):
            for tries in range(1, 10_000):
                wait = 0.1 * 2 ** min(tries, 4)
                try:
                    answer = await self._http.request(method, url, content=content, headers=headers, params=params)
                except httpx.TransportError:
                    self.broken += 1
                else:
                    if answer.status_code not in _TRY_AGAIN:
                        return answer, tries
                    self.turned_away += 1
                    wait = _wait_asked_for(request_id, answer)
                await asyncio.sleep(min(wait, _LONGEST_PAUSE) * self._random.uniform(0.5, 1))
        raise Refused(f"{request_id} was never answered")

    def _any(self, ids: Any) -> str:
        return str(self._random.choice(sorted(ids)))


class Writers:
    """Writers at work."""

    def __init__(self, writers: Sequence[Writer]) -> None:
        self._writers = writers
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """All at once."""
        self._tasks = [asyncio.create_task(writer.run(self._stop)) for writer in self._writers]

    async def progress(self, writes: int) -> None:
        """Wait until each has got so many more writes acknowledged."""
        goals = [len(writer.acknowledged) + writes for writer in self._writers]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while any(len(one.acknowledged) < goal for one, goal in zip(self._writers, goals, strict=True)):
                self._check()
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Wait until each has its last write acknowledged."""
        self._stop.set()
        await asyncio.gather(*self._tasks)

    def cancel(self) -> None:
        """Give up."""
        for task in self._tasks:
            task.cancel()

    async def until_turned_away(self) -> None:
        """Wait until each was told to try again at least once more."""
        before = [writer.turned_away for writer in self._writers]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while any(one.turned_away <= count for one, count in zip(self._writers, before, strict=True)):
                self._check()
                await asyncio.sleep(0.01)

    @property
    def broken(self) -> int:
        """Requests whose connection broke."""
        return sum(writer.broken for writer in self._writers)

    def acknowledged(self, directory_ids: Collection[str]) -> dict[str, list[str]]:
        """As in Writer, of all that write into these directories."""
        mine = [writer for writer in self._writers if writer.target.directory_id in directory_ids]
        return {request_id: events for one in mine for request_id, events in one.acknowledged.items()}

    async def faults(self, client: Client) -> list[str]:
        """Where the directories differ from what was acknowledged."""
        found = []
        for target in {writer.target.directory_id: writer.target for writer in self._writers}.values():
            mine = [writer for writer in self._writers if writer.target.directory_id == target.directory_id]
            users = {user: facts for writer in mine for user, facts in writer.users.items()}
            members = {(group, user) for writer in mine for group, users in writer.members.items() for user in users}
            listed = await _listed_users(client, target)
            if listed != users:
                found.append(f"{target.directory_id} holds {_difference(listed.items(), users.items())}")
            groups = {group for writer in mine for group in writer.members}
            there = {(group, user) for group in groups for user in await _listed_members(client, group)}
            if there != members:
                found.append(f"groups of {target.directory_id} hold {_difference(there, members)}")
        return found

    def _check(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()


@asynccontextmanager
async def writing(targets: Sequence[Target], each: int, *, pause: float = 0.02) -> AsyncIterator[Writers]:
    """`each` writers per target at work while the block lasts, unless stopped before."""
    writers = Writers(
        [
            Writer(f"writer-{index}-{number}-{target.directory_id}", target, pause=pause, seed=f"{index} {number}")
            for index, target in enumerate(targets)
            for number in range(each)
        ]
    )
    writers.start()
    try:
        yield writers
        await writers.stop()
    finally:
        writers.cancel()


def _wait_asked_for(request_id: str, answer: httpx.Response) -> float:
    asked = answer.headers.get("Retry-After", "")
    if not asked.isdecimal():
        raise Refused(f"{request_id} was turned away without a time to wait: {answer.status_code} {answer.text}")
    return float(asked)


def _patch(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH_SCHEMA], "Operations": list(operations)}


async def _listed_users(client: Client, target: Target) -> dict[str, tuple[str, str]]:
    request = sync_pb2.ListUsersRequest(directory_id=target.directory_id, page_size=1000)
    answer = await client.sync.ListUsers(request)
    assert not answer.next_page_token
    return {user.id: (user.user_name, user.job_title) for user in answer.users}


async def _listed_members(client: Client, group: str) -> list[str]:
    answer = await client.sync.ListGroupMembers(sync_pb2.ListGroupMembersRequest(group_id=group, page_size=1000))
    assert not answer.next_page_token
    return [member.member_id for member in answer.members]


def _difference(actual: Any, expected: Any) -> str:
    actual, expected = set(actual), set(expected)
    return f"not {sorted(expected - actual)[:5]}, but {sorted(actual - expected)[:5]}"
