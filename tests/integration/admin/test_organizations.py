import pytest

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
    mine, other = await stack.organization("Mine", external_id="m"), await stack.organization("Other", external_id="o")
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
