import asyncio
from typing import Any

import pytest

from directorysync.v1.resources_pb2 import (
    ORGANIZATION_DOMAIN_STATE_PENDING as PENDING,
)
from directorysync.v1.resources_pb2 import (
    ORGANIZATION_DOMAIN_STATE_VERIFIED as VERIFIED,
)
from tests.support.stack import Refused, Stack


async def test_an_organization_is_found_by_both_keys(stack: Stack) -> None:
    made = await stack.organization("Acme", external_id="cus_1")
    for key in ({"id": made.id}, {"external_id": "cus_1"}):
        assert (await stack.call("DirectoryAdmin/GetOrganization", **key)).organization == made
    assert made.id.startswith("org_")


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "\t"},
        {"name": "x" * 257},
        {"name": "a\x07"},
        {"name": "a", "external_id": "y" * 257},
        {"name": "a", "external_id": "\0"},
    ],
)
async def test_what_an_organization_may_not_be_called(stack: Stack, fields: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        await stack.call("DirectoryAdmin/CreateOrganization", **fields)
    assert refused.value.reason == "ARGUMENT_INVALID"


async def test_an_external_id_is_taken_once(stack: Stack) -> None:
    made = await stack.organization("Acme", external_id="cus_1")
    with pytest.raises(Refused) as refused:
        await stack.organization("Other", external_id="cus_1")
    assert refused.value.reason == "UNIQUENESS"
    await stack.organization("Two without one")
    await stack.organization("Two without one")
    await stack.call("DirectoryAdmin/DeleteOrganization", id=made.id)
    await stack.organization("Other", external_id="cus_1")


async def test_organizations_are_listed_by_name_and_in_pages(stack: Stack) -> None:
    made = [await stack.organization(name) for name in ("A", "B", "A", "C", "A")]
    page = await stack.call("DirectoryAdmin/ListOrganizations", page_size=2)
    rest = await stack.call("DirectoryAdmin/ListOrganizations", page_size=1000, page_token=page.next_page_token)
    assert [*page.organizations, *rest.organizations] == made
    assert not rest.next_page_token
    named = await stack.call("DirectoryAdmin/ListOrganizations", name="A", page_size=2)
    more = await stack.call("DirectoryAdmin/ListOrganizations", name="A", page_token=named.next_page_token)
    assert [*named.organizations, *more.organizations] == [made[0], made[2], made[4]]


async def test_page_tokens_belong_to_their_list(stack: Stack) -> None:
    for name in ("A", "A", "A", "B"):
        await stack.organization(name)
    token = (await stack.call("DirectoryAdmin/ListOrganizations", name="A", page_size=1)).next_page_token
    changed = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    for name, fields in (
        ("DirectoryAdmin/ListOrganizations", {"name": "B", "page_token": token}),
        ("DirectoryAdmin/ListOrganizations", {"page_token": token}),
        ("DirectoryAdmin/ListOrganizations", {"name": "A", "page_token": changed}),
        ("DirectoryAdmin/ListOrganizations", {"name": "A", "page_token": "%"}),
        ("DirectoryAdmin/ListOrganizations", {"name": "A", "page_token": "A" * 4000}),
        ("DirectorySync/ListDirectories", {"page_token": token}),
        ("DirectoryAdmin/ListApiKeys", {"page_token": token}),
    ):
        with pytest.raises(Refused) as refused:
            await stack.call(name, **fields)
        assert (refused.value.reason, refused.value.metadata) == ("ARGUMENT_INVALID", {"field": "page_token"})
    with pytest.raises(Refused) as refused:
        await stack.call("DirectoryAdmin/ListOrganizations", page_size=-1)
    assert refused.value.metadata == {"field": "page_size"}


async def test_only_an_organization_without_directories_is_deleted(stack: Stack) -> None:
    organization = await stack.organization()
    made = await stack.directory(organization.id)
    with pytest.raises(Refused) as refused:
        await stack.call("DirectoryAdmin/DeleteOrganization", id=organization.id)
    assert refused.value.reason == "ARGUMENT_INVALID"
    await stack.call("DirectoryAdmin/DeleteDirectory", id=made.directory.id)
    await stack.call("DirectoryAdmin/DeleteOrganization", id=organization.id)
    for name in ("DirectoryAdmin/GetOrganization", "DirectoryAdmin/DeleteOrganization"):
        with pytest.raises(Refused) as refused:
            await stack.call(name, id=organization.id)
        assert refused.value.reason == "RESOURCE_NOT_FOUND"
    with pytest.raises(Refused) as refused:
        await stack.directory(organization.id)
    assert refused.value.reason == "RESOURCE_NOT_FOUND"
    assert not (await stack.call("DirectoryAdmin/ListOrganizations")).organizations
    # Readers who are behind still find the last event and the directory it is about.
    assert [event.type for event in await stack.events(made.directory.id)][-1] == "dsync.deleted"
    assert await stack.pool.fetchval("SELECT count(*) FROM directory JOIN head ON directory_id = id") == 1


async def test_bounded_administrators_see_their_own_and_make_none(stack: Stack) -> None:
    mine = await stack.organization("Mine", external_id="m")
    other = await stack.organization("Other", external_id="o", domains=domains("other.example"))
    inside = await stack.directory(mine.id)
    await stack.directory(other.id)
    for secret in (
        await stack.key("admin", organizations=[mine.id]),
        await stack.key("admin", directories=[inside.directory.id]),
    ):
        listed = (await stack.call("DirectoryAdmin/ListOrganizations", secret)).organizations
        assert [organization.id for organization in listed] == [mine.id]
        assert not (await stack.call("DirectoryAdmin/ListOrganizations", secret, name="Other")).organizations
        assert (await stack.call("DirectoryAdmin/GetOrganization", secret, external_id="m")).organization == mine
        for name, fields, reason in (
            ("DirectoryAdmin/GetOrganization", {"id": other.id}, "RESOURCE_NOT_FOUND"),
            ("DirectoryAdmin/GetOrganization", {"external_id": "o"}, "RESOURCE_NOT_FOUND"),
            ("DirectoryAdmin/GetOrganization", {"domain_id": other.domains[0].id}, "RESOURCE_NOT_FOUND"),
            ("DirectoryAdmin/CreateOrganization", {"name": "More"}, "SCOPE_MISSING"),
            ("DirectoryAdmin/DeleteOrganization", {"id": mine.id}, "SCOPE_MISSING"),
        ):
            with pytest.raises(Refused) as refused:
                await stack.call(name, secret, **fields)
            assert refused.value.reason == reason


async def test_no_key_is_an_error(stack: Stack) -> None:
    for key in ({}, {"id": ""}, {"external_id": ""}):
        with pytest.raises(Refused) as refused:
            await stack.call("DirectoryAdmin/GetOrganization", **key)
        assert refused.value.reason == "ARGUMENT_INVALID"


def domains(*names: str, state: int = 0) -> list[dict[str, Any]]:
    return [{"domain": name, "state": state} for name in names]


async def test_an_organization_has_domains_and_notes(stack: Stack) -> None:
    given = [*domains("Acme.example", state=VERIFIED), *domains("acme.test")]
    made = await stack.organization("Acme", domains=given, metadata={"plan": "pro", "none": ""})
    assert [(d.domain, d.state) for d in made.domains] == [("acme.example", VERIFIED), ("acme.test", PENDING)]
    assert all(d.id.startswith("org_domain_") and d.organization_id == made.id for d in made.domains)
    assert dict(made.metadata) == {"plan": "pro"}
    for key in ({"id": made.id}, {"domain_id": made.domains[1].id}):
        assert (await stack.call("DirectoryAdmin/GetOrganization", **key)).organization == made
    assert list((await stack.call("DirectoryAdmin/ListOrganizations")).organizations) == [made]


async def test_a_domain_belongs_to_one_organization(stack: Stack) -> None:
    first = await stack.organization("First", domains=domains("acme.example"))
    second = await stack.organization("Second", domains=domains("other.example"))
    for call in (
        stack.organization("Third", domains=domains("third.example", "ACME.example")),
        stack.call("DirectoryAdmin/UpdateOrganization", id=second.id, domains={"domains": domains("acme.example")}),
    ):
        with pytest.raises(Refused) as refused:
            await call
        assert (refused.value.reason, refused.value.metadata) == ("UNIQUENESS", {"field": "domains"})
    # Nothing of what was refused is there.
    assert (await stack.call("DirectoryAdmin/GetOrganization", id=second.id)).organization == second
    assert len((await stack.call("DirectoryAdmin/ListOrganizations")).organizations) == 2
    await stack.call("DirectoryAdmin/DeleteOrganization", id=first.id)
    await stack.organization("Third", domains=domains("acme.example"))


async def test_an_organization_is_changed_field_by_field(stack: Stack) -> None:
    given = domains("a.example", "b.example", "c.example")
    made = await stack.organization("Acme", external_id="cus_1", domains=given, metadata={"plan": "pro", "x": "1"})
    stack.time.forward(60)

    async def update(**fields: Any) -> Any:
        return (await stack.call("DirectoryAdmin/UpdateOrganization", id=made.id, **fields)).organization

    assert await update() == made
    assert await update(name="Acme", external_id="cus_1", domains={"domains": given}, metadata={"plan": "pro"}) == made
    named = await update(name="Acme Ltd", metadata={"x": "", "y": "2"})
    assert (named.name, named.external_id, dict(named.metadata)) == ("Acme Ltd", "cus_1", {"plan": "pro", "y": "2"})
    assert named.update_time.seconds == made.update_time.seconds + 60
    assert named.domains == made.domains
    wanted = [*domains("d.example"), *domains("b.example", state=VERIFIED), *domains("c.example")]
    moved = await update(domains={"domains": wanted}, external_id="")
    assert [(d.domain, d.state) for d in moved.domains] == [
        ("b.example", VERIFIED),
        ("c.example", PENDING),
        ("d.example", PENDING),
    ]
    assert moved.domains[0].id == made.domains[1].id
    assert moved.domains[0].update_time.seconds == made.update_time.seconds + 60
    assert moved.domains[1] == made.domains[2]
    assert not moved.external_id
    assert (await stack.call("DirectoryAdmin/GetOrganization", id=made.id)).organization == moved
    assert not (await update(domains={})).domains


async def test_domains_that_are_added_at_once_are_all_there(stack: Stack) -> None:
    made = await stack.organization("Acme", domains=domains("a.example", state=VERIFIED))

    async def update(**fields: Any) -> Any:
        return (await stack.call("DirectoryAdmin/UpdateOrganization", id=made.id, **fields)).organization

    names = [f"d{number}.example" for number in range(8)]
    await asyncio.gather(*(update(add_domains=domains(name)) for name in names))
    found = (await stack.call("DirectoryAdmin/GetOrganization", id=made.id)).organization
    assert sorted(one.domain for one in found.domains) == sorted(["a.example", *names])
    # What is there already keeps its id and its state.
    again = await update(add_domains=domains("A.example"))
    assert again == found
    gone, *_ = found.domains
    left = await update(remove_domain_ids=[gone.id, "org_domain_none"], add_domains=domains("new.example"))
    assert [one.domain for one in left.domains if one in found.domains] == [
        one.domain for one in found.domains if one.id != gone.id
    ]
    assert "new.example" in {one.domain for one in left.domains}
    with pytest.raises(Refused) as refused:
        await update(add_domains=domains(*(f"m{number}.example" for number in range(95))))
    assert refused.value.reason == "ARGUMENT_INVALID"


async def test_what_an_organization_cannot_become(stack: Stack) -> None:
    await stack.organization("Other", external_id="taken")
    made = await stack.organization("Acme")
    bound = await stack.key("admin", organizations=[made.id])
    for secret, fields, reason in (
        (None, {"id": "org_none", "name": "x"}, "RESOURCE_NOT_FOUND"),
        (None, {"id": made.id, "name": ""}, "ARGUMENT_INVALID"),
        (None, {"id": made.id, "external_id": "taken"}, "UNIQUENESS"),
        (None, {"id": made.id, "domains": {"domains": domains("nonsense")}}, "ARGUMENT_INVALID"),
        (None, {"id": made.id, "metadata": {"k" * 41: "v"}}, "ARGUMENT_INVALID"),
        (bound, {"id": made.id, "name": "x"}, "SCOPE_MISSING"),
    ):
        with pytest.raises(Refused) as refused:
            await stack.call("DirectoryAdmin/UpdateOrganization", secret, **fields)
        assert refused.value.reason == reason
    assert (await stack.call("DirectoryAdmin/GetOrganization", id=made.id)).organization == made


async def test_organizations_are_found_by_a_part_of_their_name_and_by_domain(stack: Stack) -> None:
    acme = await stack.organization("Acme Größe", domains=domains("acme.example", "acme.test"))
    globex = await stack.organization("Globex", domains=domains("globex.example"))
    await stack.organization("Acme 100%")

    async def found(secret: str | None = None, **fields: Any) -> list[str]:
        page = await stack.call("DirectoryAdmin/ListOrganizations", secret, **fields)
        return [organization.name for organization in page.organizations]

    assert await found(search="ACME") == ["Acme Größe", "Acme 100%"]
    assert await found(search="GRÖSSE") == ["Acme Größe"]
    assert await found(search="%") == ["Acme 100%"]
    assert await found(search="_") == []
    assert await found(domains=["globex.EXAMPLE", "acme.test", "acme.example", "none.example"]) == [
        acme.name,
        globex.name,
    ]
    assert await found(domains=["acme.test"], search="glob") == []
    assert await found(domains=["acme.test"], name="Globex") == []
    assert await found(domains=["globex.example"], name="Globex", search="OBE") == ["Globex"]
    assert await found(name="Globex", search="acme") == []
    assert await found(await stack.key("admin", organizations=[globex.id]), domains=["acme.test"]) == []
    for fields in ({"search": "x" * 257}, {"domains": ["x"]}, {"domains": ["a.example"] * 101}):
        with pytest.raises(Refused) as refused:
            await found(**fields)
        assert refused.value.reason == "ARGUMENT_INVALID"


async def test_organizations_are_listed_from_both_ends(stack: Stack) -> None:
    made = [await stack.organization(f"O{n}") for n in range(5)]
    gone = made.pop(2)
    await stack.call("DirectoryAdmin/DeleteOrganization", id=gone.id)

    async def read(size: int, **window: Any) -> tuple[list[str], str]:
        fields = {"page_size": size, "window": window}
        page = await stack.call("DirectoryAdmin/ListOrganizations", **fields)
        return [organization.name for organization in page.organizations], page.next_page_token

    assert (await read(2, descending=True))[0] == ["O4", "O3"]
    # An organization that is gone still names its place.
    assert (await read(2, descending=True, after_id=gone.id))[0] == ["O1", "O0"]
    names, token = await read(1, descending=True, before_id=gone.id)
    assert (names, bool(token)) == (["O3"], True)
    names, token = await read(2, descending=True, before_id=gone.id)
    assert (names, bool(token)) == (["O4", "O3"], False)
    assert (await read(10, after_id=gone.id))[0] == ["O3", "O4"]
