import json
from typing import Any

import pytest

from directorysync.v1 import directory_ingest_pb2 as pb
from tests.support.stack import Stack

BASE = "https://dir.example/scim/v2/key"
USERS, GROUPS, BOTH = pb.RESOURCE_TYPE_USER, pb.RESOURCE_TYPE_GROUP, pb.RESOURCE_TYPE_UNSPECIFIED


class Client:
    """A provider with a directory token."""

    def __init__(self, stack: Stack, made: Any) -> None:
        self.stack = stack
        self.directory = made.directory
        self.secret = made.secret

    async def search(self, kind: Any = USERS, filter: str = "", **fields: Any) -> Any:  # noqa: A002
        attributes = fields.pop("attributes", ())
        excluded = fields.pop("excluded", ())
        answer = await self.stack.call(
            "DirectoryIngest/SearchResources",
            self.secret,
            context=pb.IngestContext(directory=self.directory.scim_key, base_url=BASE),
            resource_type=kind,
            filter=filter,
            projection=pb.Projection(attributes=attributes, excluded_attributes=excluded),
            **fields,
        )
        return json.loads(answer.list_json)

    async def names(self, filter: str = "", kind: Any = USERS, **fields: Any) -> list[str]:  # noqa: A002
        found = await self.search(kind, filter, **fields)
        assert found["totalResults"] >= len(found["Resources"]) == found["itemsPerPage"]
        return [resource.get("userName") or resource["displayName"] for resource in found["Resources"]]


@pytest.fixture
async def client(stack: Stack) -> Client:
    return Client(stack, await stack.directory())


async def test_an_empty_directory_answers_an_empty_list(client: Client) -> None:
    assert await client.search(filter='userName eq "nobody"') == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": 0,
        "itemsPerPage": 0,
        "startIndex": 1,
        "Resources": [],
    }
