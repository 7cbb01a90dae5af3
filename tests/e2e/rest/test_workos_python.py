"""The official Python client, unchanged, against a running server: every call of what this server offers."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import workos
from workos.common.models.dsync_group_user_added import DsyncGroupUserAdded
from workos.common.models.dsync_user_updated import DsyncUserUpdated
from workos.events.models.event_schema import EventSchemaUnknown
from workos.organizations.models import OrganizationDomainData

from tests.e2e.rest.conftest import MEMBERS, PEOPLE, Company, NewCompany, Receiver
from tests.support.server import RunningServe

USER_EVENTS = ["dsync.user.created", "dsync.user.updated", "dsync.user.deleted"]


def ids(page: Any) -> list[str]:
    return [one.id for one in page.data]


def logged(client: workos.WorkOSClient, count: int, **query: Any) -> list[Any]:
    """So many events, which the log shows a moment after they were committed."""
    give_up = time.monotonic() + 30
    while True:
        found = client.events.list_events(limit=100, **query).data
        if len(found) >= count or time.monotonic() > give_up:
            return list(found)


def test_directories(client: workos.WorkOSClient, company: Company) -> None:
    directory = client.directory_sync.get_directory(company.directory_id)
    assert directory.organization_id == company.organization_id
    assert (directory.type, directory.state, directory.name) == ("okta scim v2.0", "linked", "Acme HR")
    assert directory.external_key
    assert directory.metadata is not None
    assert (directory.metadata.users.active, directory.metadata.groups) == (PEOPLE, 1)
    found = client.directory_sync.list_directories(organization_id=company.organization_id)
    assert ids(found) == [company.directory_id]
    assert company.directory_id in ids(client.directory_sync.list_directories(search="cme h", limit=100))
    assert client.directory_sync.list_directories(search="nobody calls it so").data == []
    assert client.directory_sync.list_directories(domain="nobodys.test").data == []
    client.organizations.update_organization(
        company.organization_id, domain_data=[OrganizationDomainData(domain="acme.test", state="verified")]
    )
    assert ids(client.directory_sync.list_directories(domain="Acme.test")) == [company.directory_id]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 5, 100])
def test_users_page_by_page(client: workos.WorkOSClient, company: Company, order: str, limit: int) -> None:
    page = client.directory_sync.list_users(directory=company.directory_id, limit=limit, order=order)
    assert len(page.data) == min(limit, PEOPLE)
    expected = company.users if order == "asc" else company.users[::-1]
    assert [user.id for user in page.auto_paging_iter()] == expected


def test_pages_lead_back_too(client: workos.WorkOSClient, company: Company) -> None:
    newest = company.users[::-1]
    users = client.directory_sync.list_users
    first = users(directory=company.directory_id, limit=4)
    assert (first.before, first.after) == (None, newest[3])
    second = users(directory=company.directory_id, limit=4, after=first.after)
    assert (ids(second), second.before, second.after) == (newest[4:8], newest[4], newest[7])
    back = users(directory=company.directory_id, limit=4, before=second.before)
    assert (ids(back), back.before, back.after) == (newest[:4], None, newest[3])


def test_a_user_has_everything(client: workos.WorkOSClient, company: Company) -> None:
    user = client.directory_sync.get_user(company.users[0])
    assert (user.email, user.idp_id, user.state) == ("acme00@acme.test", "ext-acme00", "active")
    assert (user.first_name, user.last_name, user.username) == ("Acme00", "Test", "acme00@acme.test")
    assert user.directory_id == company.directory_id
    assert user.organization_id == company.organization_id
    assert user.groups is not None
    assert [group.id for group in user.groups] == [company.group_id]
    assert user.raw_attributes is not None
    assert user.raw_attributes["userName"] == "acme00@acme.test"
    assert user.custom_attributes["username"] == "acme00@acme.test"
    assert user.custom_attributes["emails"] == [{"type": "work", "value": "acme00@acme.test", "primary": True}]
    assert user.custom_attributes["department_name"] is None


def test_users_are_found(client: workos.WorkOSClient, company: Company) -> None:
    users = client.directory_sync.list_users
    assert ids(users(directory=company.directory_id, email="ACME03@acme.test")) == [company.users[3]]
    assert ids(users(directory=company.directory_id, idp_id="ext-acme04")) == [company.users[4]]
    assert users(directory=company.directory_id, email="nobody@acme.test").data == []
    members = users(group=company.group_id, limit=4)
    assert [user.id for user in members.auto_paging_iter()] == company.users[:MEMBERS][::-1]


def test_groups(client: workos.WorkOSClient, company: Company) -> None:
    group = client.directory_sync.get_group(company.group_id)
    assert (group.name, group.directory_id) == ("Acme staff", company.directory_id)
    assert ids(client.directory_sync.list_groups(directory=company.directory_id)) == [company.group_id]
    assert ids(client.directory_sync.list_groups(user=company.users[0])) == [company.group_id]
    assert client.directory_sync.list_groups(user=company.users[-1]).data == []


def test_errors_have_their_classes(client: workos.WorkOSClient, company: Company, server: RunningServe) -> None:
    with pytest.raises(workos.NotFoundError, match=r"Directory not found: 'directory_x'\.") as missing:
        client.directory_sync.get_directory("directory_x")
    assert missing.value.code == "entity_not_found"
    assert missing.value.request_id
    with pytest.raises(workos.NotFoundError, match="Directory User not found"):
        client.directory_sync.get_user("directory_user_x")
    with pytest.raises(workos.UnprocessableEntityError) as unclear:
        client.directory_sync.list_users()
    assert unclear.value.errors[0]["field"] == "directory"
    with pytest.raises(workos.UnprocessableEntityError):
        client.directory_sync.list_users(email="a@acme.test")
    with pytest.raises(workos.UnprocessableEntityError):
        client.directory_sync.list_users(directory=company.directory_id, limit=0)
    with pytest.raises(workos.UnprocessableEntityError, match="nothing to pull"):
        client.directory_sync.create_directory_sync(company.directory_id)
    stranger = workos.WorkOSClient(api_key="sk_unknown", base_url=server.http_url, max_retries=0)
    with pytest.raises(workos.AuthenticationError):
        stranger.directory_sync.list_directories()
    stranger.close()


def test_events_are_read_to_their_end(client: workos.WorkOSClient, company: Company) -> None:
    page = client.events.list_events(
        events=["dsync.user.created", "dsync.group.user_added"], organization_id=company.organization_id, limit=5
    )
    read = list(page.auto_paging_iter())
    assert [event.event for event in read] == ["dsync.user.created"] * PEOPLE + ["dsync.group.user_added"] * MEMBERS
    created, added = read[0], read[PEOPLE]
    assert created.data.id == company.users[0]
    assert isinstance(added, DsyncGroupUserAdded)
    assert (added.data.user.id, added.data.group.id) == (company.users[0], company.group_id)
    assert added.data.user.email == "acme00@acme.test"
    assert added.data.group.name == "Acme staff"


def test_every_event_of_the_log_is_known_to_the_client(client: workos.WorkOSClient, company: Company) -> None:
    kinds = ["dsync.activated", "dsync.token.created", "dsync.group.created"]
    read = client.events.list_events(events=kinds, organization_id=company.organization_id)
    assert [event.event for event in read.data] == ["dsync.token.created", "dsync.activated", "dsync.group.created"]
    assert not any(isinstance(event, EventSchemaUnknown) for event in read.data)


def test_events_behind_an_event_and_in_a_range(client: workos.WorkOSClient, company: Company) -> None:
    def read(**more: Any) -> list[str]:
        return ids(
            client.events.list_events(events=USER_EVENTS, organization_id=company.organization_id, limit=100, **more)
        )

    everything = read()
    assert len(everything) == PEOPLE
    assert read(after=everything[4]) == everything[5:]
    assert read(before=everything[4]) == everything[:4]
    assert read(order="desc") == everything[::-1]
    assert read(order="desc", after=everything[4]) == everything[:4][::-1]
    assert read(after=everything[-1]) == []
    now = datetime.now(UTC)
    assert read(range_start=now - timedelta(hours=1), range_end=now + timedelta(hours=1)) == everything
    assert read(range_start="2020-01-01T00:00:00Z", range_end="2020-01-02T00:00:00Z") == []
    ranged = client.events.list_events(
        events=USER_EVENTS, organization_id=company.organization_id, limit=5, range_start=now - timedelta(hours=1)
    )
    assert [event.id for event in ranged.auto_paging_iter()] == everything


def test_an_unknown_event_as_cursor_is_a_clear_error(client: workos.WorkOSClient) -> None:
    with pytest.raises(workos.UnprocessableEntityError) as refused:
        client.events.list_events(events=USER_EVENTS, after="event_01ARZ3NDEKTSV4RRFFQ69G5FAV")
    assert refused.value.errors[0]["field"] == "after"
    with pytest.raises(workos.UnprocessableEntityError):
        client.events.list_events(events=USER_EVENTS, after="nonsense")


def test_previous_attributes(client: workos.WorkOSClient, new_company: NewCompany) -> None:
    company = new_company("Changing", people=1)
    company.patch(f"/Users/{company.users[0]}", {"op": "replace", "path": "title", "value": "Engineer"})
    company.patch(f"/Users/{company.users[0]}", {"op": "replace", "path": "active", "value": False})
    read = logged(client, 2, events=["dsync.user.updated"], organization_id=company.organization_id)
    assert all(isinstance(event, DsyncUserUpdated) for event in read)
    title, state = (event.data.previous_attributes for event in read)
    assert title["job_title"] is None
    assert title["custom_attributes"] == {"job_title": None}
    assert state["state"] == "active"
    assert read[1].data.state == "inactive"


def test_organizations(client: workos.WorkOSClient) -> None:
    made = client.organizations.create_organization(
        name="Hooli",
        external_id="hooli-1",
        metadata={"tier": "gold", "region": "eu"},
        domain_data=[OrganizationDomainData(domain="hooli.test", state="verified")],
    )
    assert (made.name, made.external_id, made.metadata) == ("Hooli", "hooli-1", {"region": "eu", "tier": "gold"})
    assert [(one.domain, one.state, one.organization_id) for one in made.domains] == [
        ("hooli.test", "verified", made.id)
    ]
    assert client.organizations.get_organization(made.id) == made
    assert client.organizations.get_organization_by_external_id("hooli-1") == made
    assert ids(client.organizations.list_organizations(domains=["hooli.test", "other.test"])) == [made.id]
    assert ids(client.organizations.list_organizations(search="ooL")) == [made.id]
    changed = client.organizations.update_organization(made.id, name="Hooli XYZ", metadata={"tier": "silver"})
    assert (changed.name, changed.metadata, changed.external_id) == (
        "Hooli XYZ",
        {"region": "eu", "tier": "silver"},
        "hooli-1",
    )
    assert changed.domains == made.domains
    emptied = client.organizations.update_organization(made.id, metadata=None, external_id=None)
    assert (emptied.metadata, emptied.external_id) == ({}, None)
    client.organizations.delete_organization(made.id)
    with pytest.raises(workos.NotFoundError, match="Organization not found"):
        client.organizations.get_organization(made.id)


def test_organizations_that_clash(client: workos.WorkOSClient) -> None:
    first = client.organizations.create_organization(name="First", external_id="clash")
    with pytest.raises(workos.ConflictError):
        client.organizations.create_organization(name="Second", external_id="clash")
    with pytest.raises(workos.UnprocessableEntityError) as unnamed:
        client.organizations.create_organization(name="")
    assert unnamed.value.errors[0]["field"] == "name"
    client.organizations.delete_organization(first.id)


def test_organizations_are_paged(client: workos.WorkOSClient) -> None:
    made = [client.organizations.create_organization(name=f"Paged {number}").id for number in range(5)]
    page = client.organizations.list_organizations(search="Paged ", limit=2)
    assert [one.id for one in page.auto_paging_iter()] == made[::-1]


def test_organization_domains(client: workos.WorkOSClient) -> None:
    organization = client.organizations.create_organization(name="Domains")
    domains = client.organization_domains
    made = domains.create_organization_domain(organization_id=organization.id, domain="Domains.Test")
    assert (made.domain, made.state, made.organization_id) == ("domains.test", "pending", organization.id)
    assert domains.get_organization_domain(made.id).domain == "domains.test"
    with pytest.raises(workos.UnprocessableEntityError, match="not verified over DNS"):
        domains.verify_organization_domain(made.id)
    other = client.organizations.create_organization(name="Other")
    with pytest.raises(workos.ConflictError):
        domains.create_organization_domain(organization_id=other.id, domain="domains.test")
    domains.delete_organization_domain(made.id)
    with pytest.raises(workos.NotFoundError):
        domains.get_organization_domain(made.id)


def test_portal_links(client: workos.WorkOSClient, company: Company, server: RunningServe) -> None:
    made = client.admin_portal.generate_link(
        organization=company.organization_id,
        intent="dsync",
        return_url="https://app.test/settings",
        external_user_id="user-1",
        it_contact_emails=["it@acme.test"],
    )
    assert made.link.startswith(f"{server.http_url}/portal/launch?token=setup_")
    client.admin_portal.revoke_link(organization=company.organization_id, external_user_id="user-1")
    with pytest.raises(workos.NotFoundError, match=r"Organization not found: 'org_x'\."):
        client.admin_portal.generate_link(organization="org_x", intent="dsync")
    with pytest.raises(workos.UnprocessableEntityError) as refused:
        client.admin_portal.generate_link(organization=company.organization_id, intent="sso")
    assert refused.value.errors[0]["field"] == "intent"


def test_webhook_endpoints(client: workos.WorkOSClient) -> None:
    webhooks = client.webhooks
    made = webhooks.create_webhook_endpoint(endpoint_url="https://app.test/hook", events=["dsync.user.created"])
    assert (made.endpoint_url, made.status, made.events) == (
        "https://app.test/hook",
        "enabled",
        ["dsync.user.created"],
    )
    assert made.secret.startswith("whsec_")
    assert made.id in ids(webhooks.list_webhook_endpoints())
    with pytest.raises(workos.ConflictError) as twice:
        webhooks.create_webhook_endpoint(endpoint_url="https://app.test/hook", events=["dsync.deleted"])
    assert twice.value.code == "duplicate_endpoint"
    with pytest.raises(workos.UnprocessableEntityError) as odd:
        webhooks.create_webhook_endpoint(endpoint_url="not a url", events=["dsync.deleted"])
    assert odd.value.code == "invalid_url"
    changed = webhooks.update_webhook_endpoint(made.id, status="disabled", events=["dsync.deleted"])
    assert (changed.status, changed.events, changed.secret) == ("disabled", ["dsync.deleted"], made.secret)
    webhooks.delete_webhook_endpoint(made.id)
    with pytest.raises(workos.NotFoundError):
        webhooks.update_webhook_endpoint(made.id, status="enabled")


def test_a_received_webhook_is_verified(
    client: workos.WorkOSClient, new_company: NewCompany, receiver: Receiver
) -> None:
    company = new_company("Hooked")
    made = client.webhooks.create_webhook_endpoint(
        endpoint_url=receiver.url, events=["dsync.user.created", "dsync.group.user_added"]
    )
    try:
        user = company.user("zoë", title="Größe 1.0 😀")
        received = receiver.next()
        signature = received.headers["workos-signature"]
        event = client.webhooks.verify_event(
            event_body=received.body, event_signature=signature, secret=made.secret, tolerance=180
        )
        assert event.event == "dsync.user.created"
        assert event.data.id == user
        assert event == logged(client, 1, events=[event.event], organization_id=company.organization_id)[0]
        with pytest.raises(ValueError, match="match"):
            client.webhooks.verify_event(event_body=received.body + b" ", event_signature=signature, secret=made.secret)
    finally:
        client.webhooks.delete_webhook_endpoint(made.id)


def test_a_directory_is_deleted(client: workos.WorkOSClient, new_company: NewCompany) -> None:
    company = new_company("Leaving", people=2, members=1)
    client.directory_sync.delete_directory(company.directory_id)
    with pytest.raises(workos.NotFoundError):
        client.directory_sync.get_directory(company.directory_id)
    assert client.directory_sync.list_directories(organization_id=company.organization_id).data == []
    kinds = ["dsync.deleted", "dsync.user.deleted", "dsync.group.user_added"]
    read = logged(client, 2, events=kinds, organization_id=company.organization_id)
    assert [event.event for event in read] == ["dsync.group.user_added", "dsync.deleted"]
    assert read[-1].data.id == company.directory_id
    client.organizations.delete_organization(company.organization_id)


def test_an_organization_is_deleted_with_its_directories(client: workos.WorkOSClient, new_company: NewCompany) -> None:
    company, other = new_company("Closing", people=2, members=1), new_company("Staying", people=1)
    client.organizations.delete_organization(company.organization_id)
    with pytest.raises(workos.NotFoundError):
        client.organizations.get_organization(company.organization_id)
    with pytest.raises(workos.NotFoundError):
        client.directory_sync.get_directory(company.directory_id)
    assert company.scim.get("/Users").status_code == 401
    (event,) = logged(client, 1, events=["dsync.deleted"], organization_id=company.organization_id)
    assert event.data.id == company.directory_id
    with pytest.raises(workos.NotFoundError):
        client.organizations.delete_organization(company.organization_id)
    assert client.directory_sync.get_directory(other.directory_id).id == other.directory_id


def test_a_bounded_key_deletes_no_organization_and_none_of_its_directories(
    client: workos.WorkOSClient, server: RunningServe, new_company: NewCompany
) -> None:
    company = new_company("Watched", people=1)
    scopes = ["--scope", "admin", "--scope", "read", "--organization", company.organization_id]
    made = server.dirsync("apikey", "create", "--name", "bound", *scopes, "--output", "json")
    key = json.loads(made.stdout)["secret"]
    with (
        workos.WorkOSClient(api_key=key, base_url=server.http_url, max_retries=0) as bound,
        pytest.raises(workos.AuthorizationError),
    ):
        bound.organizations.delete_organization(company.organization_id)
    assert client.directory_sync.get_directory(company.directory_id).id == company.directory_id


def test_a_post_that_is_repeated_makes_nothing_twice(client: workos.WorkOSClient) -> None:
    options: Any = {"extra_headers": {"Idempotency-Key": "the same"}}
    made = [client.organizations.create_organization(name="Once", request_options=options) for _ in range(3)]
    assert len({one.id for one in made}) == 1
    with pytest.raises(workos.UnprocessableEntityError) as reused:
        client.organizations.create_organization(name="Twice", request_options=options)
    assert reused.value.code == "idempotency_key_reused"


def test_a_reader_that_polls_misses_nothing(client: workos.WorkOSClient, new_company: NewCompany) -> None:
    company = new_company("Polled")
    seen: list[str] = []
    writing = threading.Thread(target=lambda: [company.user(f"p{number}") for number in range(20)])
    writing.start()
    after: str | None = None
    give_up = time.monotonic() + 60
    while len(seen) < 20 and time.monotonic() < give_up:
        page = client.events.list_events(
            events=["dsync.user.created"], organization_id=company.organization_id, limit=3, after=after
        )
        seen += [event.data.username for event in page.data]
        after = page.data[-1].id if page.data else after
    writing.join()
    assert seen == [f"p{number}@acme.test" for number in range(20)]


async def test_the_asynchronous_client(server: RunningServe, company: Company) -> None:
    async with workos.AsyncWorkOSClient(api_key=server.api_key, base_url=server.http_url) as client:
        page = await client.directory_sync.list_users(directory=company.directory_id, limit=5)
        assert [user.id async for user in page.auto_paging_iter()] == company.users[::-1]
        events = await client.events.list_events(events=["dsync.user.created"], limit=5)
        assert len(events.data) == 5
