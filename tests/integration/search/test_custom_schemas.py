"""Extension schemas that only a directory's own resources show."""

import json
from typing import Any

import pytest

from directorysync.v1 import directory_ingest_pb2 as pb
from tests.support.stack import Refused, Stack

URN = "urn:acme:params:custom:2.0:User"
TYPES, SCHEMAS = pb.DISCOVERY_DOCUMENT_RESOURCE_TYPES, pb.DISCOVERY_DOCUMENT_SCHEMAS


class Client:
    """A provider of one directory."""

    def __init__(self, stack: Stack, made: Any) -> None:
        self.stack = stack
        self.directory = made.directory
        self.secret = made.secret
        self.context = pb.IngestContext(directory=made.directory.id)

    async def discover(self, document: Any, name: str = "") -> Any:
        answer = await self.stack.call(
            "DirectoryIngest/GetDiscovery", self.secret, context=self.context, document=document, id=name
        )
        return json.loads(answer.document_json)

    async def names(self, filter: str, **fields: Any) -> list[str]:  # noqa: A002
        answer = await self.stack.call(
            "DirectoryIngest/SearchResources",
            self.secret,
            context=self.context,
            resource_type=pb.RESOURCE_TYPE_USER,
            filter=filter,
            **fields,
        )
        return [resource["userName"] for resource in json.loads(answer.list_json)["Resources"]]


@pytest.fixture
async def client(stack: Stack) -> Client:
    made = Client(stack, await stack.directory())
    extension = {
        "badge": "B-7",
        "level": 3,
        "load": 0.5,
        "remote": True,
        "tags": ["x", "y"],
        "desk": {"room": "R1", "floor": 2},
        "cars": [{"plate": "P1"}, {"plate": "P2", "ports": [1]}],
        "none": [],
    }
    await stack.put_user(made.directory, userName="ada", **{URN: extension})
    await stack.put_user(made.directory, userName="bob", **{URN: {"badge": "B-8", "level": 4}})
    await stack.put_user(made.directory, userName="eve", **{"urn:text": "no object", "title": "x"})
    await stack.put_group(made.directory, displayName="g", **{"urn:acme:group": {"cost": 7}})
    return made


async def test_the_schema_is_shown_with_what_its_attributes_hold(client: Client) -> None:
    shown = await client.discover(SCHEMAS, URN)
    assert shown["id"] == URN
    attributes = {a["name"]: (a["type"], a["multiValued"]) for a in shown["attributes"]}
    assert attributes == {
        "badge": ("string", False),
        "level": ("integer", False),
        "load": ("decimal", False),
        "remote": ("boolean", False),
        "tags": ("string", True),
        "desk": ("complex", False),
        "cars": ("complex", True),
        "none": ("string", True),
    }
    desk, cars = (next(a for a in shown["attributes"] if a["name"] == name) for name in ("desk", "cars"))
    assert {(s["name"], s["type"]) for s in desk["subAttributes"]} == {("room", "string"), ("floor", "integer")}
    assert {(s["name"], s["multiValued"]) for s in cars["subAttributes"]} == {("plate", False), ("ports", True)}


async def test_resource_types_name_their_own_extensions(client: Client) -> None:
    kinds = (await client.discover(TYPES))["Resources"]
    named = {kind["name"]: [each["schema"] for each in kind["schemaExtensions"]] for kind in kinds}
    assert named["User"][1:] == [URN]
    assert named["Group"] == ["urn:acme:group"]
    listed = [schema["id"] for schema in (await client.discover(SCHEMAS))["Resources"]]
    assert {URN, "urn:acme:group"} < set(listed)
    assert "urn:text" not in listed


async def test_no_other_directory_shows_it(client: Client) -> None:
    other = Client(client.stack, await client.stack.directory())
    with pytest.raises(Refused) as refused:
        await other.discover(SCHEMAS, URN)
    assert refused.value.reason == "RESOURCE_NOT_FOUND"
    assert "schemaExtensions" not in await other.discover(TYPES, "Group")


async def test_a_new_schema_is_shown_within_half_a_minute(client: Client) -> None:
    await client.discover(SCHEMAS)
    await client.stack.put_user(client.directory, userName="new", **{"urn:acme:late": {"x": 1}})
    client.stack.time.forward(31)
    assert (await client.discover(SCHEMAS, "urn:acme:late"))["attributes"][0]["type"] == "integer"


@pytest.mark.parametrize(
    ("filter", "names"),
    [
        (f'{URN}:badge eq "B-7"', ["ada"]),
        (f'{URN.upper()}:BADGE eq "B-7"', ["ada"]),
        (f"{URN}:level ge 3", ["ada", "bob"]),
        (f"{URN}:level gt 3", ["bob"]),
        (f"{URN}:remote eq true", ["ada"]),
        (f'{URN}:tags eq "y"', ["ada"]),
        (f"{URN}:desk.floor eq 2", ["ada"]),
        (f'{URN}:cars.plate sw "P2"', ["ada"]),
        (f'{URN}:cars[plate eq "P2" and ports eq 1]', ["ada"]),
        (f"{URN}:badge pr and not ({URN}:level eq 3)", ["bob"]),
        (f'schemas eq "{URN}"', ["ada", "bob"]),
        (f'{URN}:nothing eq "x"', []),
    ],
)
async def test_it_is_filterable_by_full_path(client: Client, filter: str, names: list[str]) -> None:  # noqa: A002
    assert await client.names(filter) == names


async def test_it_is_sortable_by_full_path(client: Client) -> None:
    assert await client.names("title pr or userName pr", sort_by=f"{URN}:badge", sort_descending=True) == [
        "eve",
        "bob",
        "ada",
    ]
