import json
from typing import Any

import pytest

from directorysync.v1 import directory_ingest_pb2 as pb
from tests.support.stack import Refused, Stack

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


async def test_the_existence_check_finds_in_any_case_and_tells_groups(client: Client) -> None:
    ada = await client.stack.put_user(client.directory, userName="Ada@X.org", active=False)
    await client.stack.put_group(client.directory, ada, displayName="Ops")
    found = await client.search(filter='userName eq "ADA@x.ORG"')
    assert found["totalResults"] == found["itemsPerPage"] == 1
    (resource,) = found["Resources"]
    assert (resource["id"], resource["userName"], resource["active"]) == (ada.id, "Ada@X.org", False)
    assert [group["display"] for group in resource["groups"]] == ["Ops"]
    assert resource["meta"]["location"] == f"{BASE}/Users/{ada.id}"
    assert resource["meta"]["version"] == 'W/"1"'


@pytest.mark.parametrize(
    "filter", ['userName eq "u1"', 'id eq "{id}"', 'externalId eq "x1"', 'emails.value eq "u1@x.org"']
)
async def test_paging_of_what_an_index_finds(client: Client, filter: str) -> None:  # noqa: A002
    user = await client.stack.put_user(client.directory, userName="u1", externalId="x1", emails=[{"value": "u1@x.org"}])
    await client.stack.put_user(client.directory, userName="u2", externalId="x2", emails=[{"value": "u2@x.org"}])
    text = filter.replace("{id}", user.id)
    for paging, seen in (
        ({}, 1),
        ({"count": 0}, 0),
        ({"count": -1}, 0),
        ({"start_index": 2}, 0),
        ({"start_index": -3}, 1),
    ):
        found = await client.search(filter=text, **paging)
        assert (found["totalResults"], found["itemsPerPage"], len(found["Resources"])) == (1, seen, seen)


async def test_pages_of_a_list_are_stable_and_tell_the_total(client: Client) -> None:
    users = [await client.stack.put_user(client.directory, userName=f"u{n:03}") for n in range(105)]
    first = await client.search()
    assert (first["totalResults"], first["itemsPerPage"], first["startIndex"]) == (105, 100, 1)
    rest = await client.search(start_index=101)
    assert (rest["totalResults"], rest["itemsPerPage"], rest["startIndex"]) == (105, 5, 101)
    assert [r["id"] for r in first["Resources"] + rest["Resources"]] == [user.id for user in users]
    for paging, seen in (
        ({"count": 0}, 0),
        ({"count": -5}, 0),
        ({"count": 2_000_000}, 105),
        ({"start_index": 0, "count": 3}, 3),
        ({"start_index": 104, "count": 10}, 2),
        ({"start_index": 106}, 0),
        ({"start_index": 2**31 - 1}, 0),
    ):
        found = await client.search(**paging)
        assert (found["totalResults"], found["itemsPerPage"], len(found["Resources"])) == (105, seen, seen), paging
        filtered = await client.search(filter="userName pr", **paging)
        assert filtered == found


async def test_a_page_holds_a_thousand_at_most(client: Client) -> None:
    made = [await client.stack.put_user(client.directory, userName=f"u{n}", externalId="same") for n in range(1_003)]
    for filter in ("", "userName pr", 'externalId eq "same"'):  # noqa: A001
        found = await client.search(filter=filter, count=5_000, attributes=["id"])
        assert (found["totalResults"], found["itemsPerPage"]) == (1_003, 1_000)
        rest = await client.search(filter=filter, start_index=1_001, count=5_000, attributes=["id"])
        assert [r["id"] for r in found["Resources"] + rest["Resources"]] == [user.id for user in made]


async def test_what_filters_select(client: Client) -> None:
    urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    ada = await client.stack.put_user(
        client.directory, userName="ada", displayName="Ada 100%", title="Straße",
        name={"familyName": "Byron"}, active=True,
        emails=[{"value": "ada@x.org", "type": "work"}, {"value": "ada@home.org", "type": "home"}],
        **{urn: {"employeeNumber": "7", "manager": {"value": "boss"}}},
    )  # fmt: skip
    bob = await client.stack.put_user(
        client.directory, userName="bob", displayName="Bob 100x", name={"familyName": "O'Neil"}, active=False,
        emails=[{"value": "bob@x.org", "type": "home"}],
    )  # fmt: skip
    ops = await client.stack.put_group(client.directory, ada, displayName="Ops")
    await client.stack.put_group(client.directory, bob, displayName="Vertrieb Köln")
    for text, names in (
        ('displayName co "100%"', ["ada"]),
        ('displayName sw "ADA"', ["ada"]),
        ('displayName ew "_"', []),
        ('title eq "STRASSE"', ["ada"]),
        ('name.familyName eq "o\'neil"', ["bob"]),
        ('active eq "True"', ["ada"]),
        ("active eq false", ["bob"]),
        ('emails[type eq "work"].value eq "ADA@x.org"', ["ada"]),
        ('emails[type eq "work" and value co "home"]', []),
        ('emails.type eq "home"', ["ada", "bob"]),
        ('not (emails.type eq "work")', ["bob"]),
        (f'{urn}:employeeNumber eq "7"', ["ada"]),
        ('manager eq "boss"', ["ada"]),
        ("title pr", ["ada"]),
        ("title eq null", ["bob"]),
        ('title ne "x"', ["ada", "bob"]),
        (f'groups.value eq "{ops.id}"', ["ada"]),
        ('groups.display co "KÖLN"', ["bob"]),
        ('userName eq "ada" or emails.value eq "bob@x.org"', ["ada", "bob"]),
        ('userName eq "ada" and active eq false', []),
        ('userName gt "ada"', ["bob"]),
        ('meta.lastModified ge "2031-01-01T00:00:00Z"', ["ada", "bob"]),
        ('meta.created gt "2031-01-01T00:00:00Z"', []),
        ("userName eq ada", ["ada"]),
    ):
        assert await client.names(text) == names, text
    for text, names in (
        ('displayName eq "vertrieb KÖLN"', ["Vertrieb Köln"]),
        (f'members eq "{ada.id}"', ["Ops"]),
        (f'id eq "{ops.id}" and members[value eq "{ada.id}"]', ["Ops"]),
        (f'id eq "{ops.id}" and members eq "{bob.id}"', []),
    ):
        assert await client.names(text, GROUPS) == names, text


async def test_a_user_name_is_no_address_of_a_filter(client: Client) -> None:
    await client.stack.put_user(client.directory, userName="ada@x.org")
    assert await client.names('emails.value eq "ada@x.org"') == []


@pytest.mark.parametrize(
    "text",
    [
        'nonsense eq "x"',
        "userName",
        'userName xx "a"',
        '(userName eq "a"',
        'password eq "x"',
        'emails[foo eq "x"]',
        '"',
        "a" * 9000,
    ],
)
async def test_what_cannot_be_read_is_refused(client: Client, text: str) -> None:
    with pytest.raises(Refused) as refused:
        await client.search(filter=text)
    assert refused.value.reason == "SCIM_INVALID_FILTER"


async def test_both_types_at_once_are_users_then_groups(client: Client) -> None:
    ada = await client.stack.put_user(client.directory, userName="ada", displayName="Same")
    await client.stack.put_user(client.directory, userName="bob")
    ops = await client.stack.put_group(client.directory, ada, displayName="Same")
    await client.stack.put_group(client.directory, displayName="Other")
    assert await client.names(kind=BOTH) == ["ada", "bob", "Same", "Other"]
    assert await client.names('displayName eq "same"', BOTH) == ["ada", "Same"]
    # An attribute that a type does not have is absent there (RFC 7644 3.4.2.1).
    assert await client.names('userName eq "bob"', BOTH) == ["bob"]
    assert await client.names(f'id eq "{ops.id}" or userName eq "ada"', BOTH) == ["ada", "Same"]
    assert await client.names('userName ne "ada"', BOTH) == ["bob", "Same", "Other"]
    for start, count, names in (
        (1, 1, ["ada"]),
        (2, 2, ["bob", "Same"]),
        (3, 2, ["Same", "Other"]),
        (4, 9, ["Other"]),
        (5, 1, []),
    ):
        found = await client.search(BOTH, start_index=start, count=count)
        assert found["totalResults"] == 4
        assert [r.get("userName", r["displayName"] if "userName" not in r else "") for r in found["Resources"]] == names
    with pytest.raises(Refused) as refused:
        await client.search(BOTH, 'nonsense eq "x"')
    assert refused.value.reason == "SCIM_INVALID_FILTER"


async def test_sorting(client: Client) -> None:
    urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    rows: list[dict[str, Any]] = [
        {
            "userName": "c",
            "title": "b",
            "name": {"familyName": "Z"},
            "emails": [{"value": "1@x"}, {"value": "9@x", "primary": True}],
        },
        {"userName": "A", "title": "C", "emails": [{"value": "5@x"}, {"value": "0@x"}], urn: {"department": "x"}},
        {"userName": "b", "name": {"familyName": "y"}, "active": False, urn: {"department": "W"}},
        {"userName": "D", "title": "a", "active": True},
    ]
    for row in rows:
        client.stack.time.forward(1)
        await client.stack.put_user(client.directory, **row)
    for sort_by, ascending in (
        ("userName", "AbcD"),
        ("USERNAME", "AbcD"),
        ("title", "DcAb"),
        ("name.familyName", "bcAD"),
        ("emails", "AcbD"),
        ("emails.value", "AcbD"),
        (f"{urn}:department", "bAcD"),
        ("active", "bDcA"),
        ("meta.created", "cAbD"),
        ("id", "cAbD"),
        ("meta.location", "cAbD"),
        ("externalId", "cAbD"),
        ("urn:x:y:foo", "cAbD"),
    ):
        assert "".join(await client.names(sort_by=sort_by)) == ascending, sort_by
    for sort_by, descending in (
        ("userName", "DcbA"),
        ("title", "bAcD"),
        ("active", "cADb"),
        ("meta.lastModified", "DbAc"),
    ):
        assert "".join(await client.names(sort_by=sort_by, sort_descending=True)) == descending, sort_by
    assert await client.names("title pr", sort_by="title", start_index=2, count=1) == ["c"]
    assert await client.names('userName eq "b"', sort_by="title") == ["b"]


@pytest.mark.parametrize(
    "sort_by",
    [
        "nonsense",
        "name",
        "members",
        "groups",
        "password",
        "emails.nonsense",
        "urn:okta:custom:group:1.0",
        "u" * 2000,
        "addresses",
    ],
)
async def test_what_results_cannot_be_sorted_by(client: Client, sort_by: str) -> None:
    with pytest.raises(Refused) as refused:
        await client.search(sort_by=sort_by)
    assert refused.value.reason == "SCIM_INVALID_PATH"


async def test_projection_decides_what_is_sent_and_loaded(client: Client) -> None:
    ada = await client.stack.put_user(client.directory, userName="ada", title="Countess", emails=[{"value": "a@x"}])
    ops = await client.stack.put_group(client.directory, ada, displayName="Ops")
    for text in ("", 'userName eq "ada"', "title pr"):
        (resource,) = (await client.search(filter=text, attributes=["userName", "emails"]))["Resources"]
        assert set(resource) == {"schemas", "id", "userName", "emails"}
        (resource,) = (await client.search(filter=text, attributes=["groups"]))["Resources"]
        assert [group["value"] for group in resource["groups"]] == [ops.id]
        (resource,) = (await client.search(filter=text, excluded=["groups", "title"]))["Resources"]
        assert not {"groups", "title"} & set(resource)
    for text in ("", 'displayName eq "ops"', 'displayName co "p"'):
        (resource,) = (await client.search(GROUPS, text))["Resources"]
        assert [(m["value"], m["type"], m["display"]) for m in resource["members"]] == [(ada.id, "User", "ada")]
        (resource,) = (await client.search(GROUPS, text, excluded=["Members"]))["Resources"]
        assert set(resource) == {"schemas", "id", "displayName", "meta"}


async def test_an_empty_group_has_an_empty_list_of_members(client: Client) -> None:
    await client.stack.put_group(client.directory, displayName="Ops")
    (resource,) = (await client.search(GROUPS))["Resources"]
    assert resource["members"] == []


async def test_a_page_with_too_many_members_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.app.search._MAX_MEMBERSHIPS", 3)
    users = [await client.stack.put_user(client.directory, userName=f"u{n}") for n in range(4)]
    await client.stack.put_group(client.directory, *users, displayName="Ops")
    with pytest.raises(Refused) as refused:
        await client.search(GROUPS)
    assert refused.value.reason == "SCIM_TOO_MANY"
    assert await client.names(kind=GROUPS, excluded=["members"]) == ["Ops"]


async def test_a_query_that_takes_too_long_is_ended(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.app.search._SECONDS", 0.000_001)
    for n in range(50):
        await client.stack.put_user(client.directory, userName=f"u{n}", title="x" * 1000)
    with pytest.raises(Refused) as refused:
        await client.search(filter=" or ".join(['title co "y"'] * 200))
    assert refused.value.reason == "SCIM_TOO_MANY"
    assert await client.names('userName eq "u7"') == ["u7"]


async def test_a_directory_is_searched_alone(client: Client, stack: Stack) -> None:
    other = Client(stack, await stack.directory())
    hidden = await stack.put_user(other.directory, userName="hidden", externalId="1", emails=[{"value": "h@x"}])
    group = await stack.put_group(other.directory, hidden, displayName="hidden")
    for text in (
        "",
        'userName eq "hidden"',
        f'id eq "{hidden.id}"',
        'externalId eq "1"',
        'emails.value eq "h@x"',
        "userName pr",
        'not (userName eq "x")',
        f'groups.value eq "{group.id}"',
        'id pr or userName eq "hidden"',
    ):
        assert await client.names(text, kind=USERS) == []
        assert await client.names(text, kind=USERS, sort_by="userName") == []
    for text in ("", 'displayName eq "hidden"', f'members eq "{hidden.id}"'):
        assert await client.names(text, kind=GROUPS) == []
    with pytest.raises(Refused) as refused:
        await stack.call(
            "DirectoryIngest/SearchResources", client.secret, context=pb.IngestContext(directory=other.directory.id)
        )
    assert refused.value.reason == "CREDENTIALS_INVALID"
    for key, reason in (
        (await stack.key("provision", directories=[client.directory.id]), "RESOURCE_NOT_FOUND"),
        (await stack.key("read"), "SCOPE_MISSING"),
    ):
        with pytest.raises(Refused) as refused:
            await stack.call(
                "DirectoryIngest/SearchResources", key, context=pb.IngestContext(directory=other.directory.id)
            )
        assert refused.value.reason == reason


async def test_discovery_documents(client: Client) -> None:
    async def discover(document: int, name: str = "", **context: Any) -> Any:
        answer = await client.stack.call(
            "DirectoryIngest/GetDiscovery",
            client.secret,
            context=pb.IngestContext(directory=client.directory.id, **{"base_url": BASE, **context}),
            document=document,
            id=name,
        )
        return json.loads(answer.document_json)

    config = await discover(pb.DISCOVERY_DOCUMENT_SERVICE_PROVIDER_CONFIG)
    assert config["filter"] == {"supported": True, "maxResults": 1000}
    assert config["meta"]["location"] == f"{BASE}/ServiceProviderConfig"
    types = await discover(pb.DISCOVERY_DOCUMENT_RESOURCE_TYPES)
    assert [entry["name"] for entry in types["Resources"]] == ["User", "Group"]
    assert types["totalResults"] == types["itemsPerPage"] == 2
    assert (await discover(pb.DISCOVERY_DOCUMENT_RESOURCE_TYPES, "Group"))["endpoint"] == "/Groups"
    schemas = await discover(pb.DISCOVERY_DOCUMENT_SCHEMAS)
    for schema in schemas["Resources"]:
        assert await discover(pb.DISCOVERY_DOCUMENT_SCHEMAS, schema["id"]) == schema
    for document, name, context, reason in (
        (pb.DISCOVERY_DOCUMENT_SCHEMAS, "urn:none", {}, "RESOURCE_NOT_FOUND"),
        (pb.DISCOVERY_DOCUMENT_RESOURCE_TYPES, "Device", {}, "RESOURCE_NOT_FOUND"),
        (pb.DISCOVERY_DOCUMENT_UNSPECIFIED, "", {}, "ARGUMENT_INVALID"),
        (pb.DISCOVERY_DOCUMENT_SCHEMAS, "", {"base_url": "x" * 3000}, "ARGUMENT_INVALID"),
    ):
        with pytest.raises(Refused) as refused:
            await discover(document, name, **context)
        assert refused.value.reason == reason
