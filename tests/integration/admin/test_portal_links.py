"""Links to the portal: opened once, bound to one organization, ended at once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from service.app.portal_links import PortalLinks
from service.telemetry import Telemetry
from tests.support.stack import Refused, Stack, listening, open_stack


async def link(stack: Stack, organization_id: str, **fields: Any) -> Any:
    fields = {"intent": "dsync", **fields}
    return await stack.call("DirectoryAdmin/CreatePortalLink", organization_id=organization_id, **fields)


async def refusal(stack: Stack, name: str, secret: str | None = None, **fields: Any) -> str:
    with pytest.raises(Refused) as refused:
        await stack.call(name, secret, **fields)
    return refused.value.reason


async def test_a_link_opens_a_session_of_its_organization(stack: Stack) -> None:
    organization = await stack.organization("Acme")
    made = await link(
        stack, organization.id, return_url="https://app.example/back", success_url="https://app.example/done"
    )
    assert made.secret.startswith("setup_")
    assert (made.link.organization_id, made.link.intent) == (organization.id, "dsync")
    assert made.link.expire_time.seconds - made.link.create_time.seconds == 300
    opened = await stack.call("DirectoryAdmin/RedeemPortalLink", made.secret)
    assert opened.session_secret.startswith("portal_")
    assert opened.link.HasField("redeem_time")
    session = await stack.call("DirectoryAdmin/GetPortalSession", opened.session_secret)
    assert session.organization_name == "Acme"
    assert session.link == opened.link
    assert session.link.success_url == "https://app.example/done"
    assert session.expire_time == opened.session_expire_time


async def test_a_link_is_opened_once(stack: Stack) -> None:
    made = await link(stack, (await stack.organization()).id)
    await stack.call("DirectoryAdmin/RedeemPortalLink", made.secret)
    assert await refusal(stack, "DirectoryAdmin/RedeemPortalLink", made.secret) == "CREDENTIALS_INVALID"


async def test_of_many_who_open_a_link_at_once_one_gets_in(stack: Stack, database_url: str) -> None:
    async with open_stack(database_url, stack.time) as other:
        for _ in range(5):
            made = await link(stack, (await stack.organization()).id)
            answers = await asyncio.gather(
                *(process.call("DirectoryAdmin/RedeemPortalLink", made.secret) for process in (stack, other) * 4),
                return_exceptions=True,
            )
            opened = [answer for answer in answers if not isinstance(answer, BaseException)]
            refused = [answer.reason for answer in answers if isinstance(answer, Refused)]
            assert len(opened) == 1
            assert refused == ["CREDENTIALS_INVALID"] * 7
            await stack.call("DirectoryAdmin/GetPortalSession", opened[0].session_secret)


async def test_a_link_and_its_session_end_in_time(stack: Stack) -> None:
    organization = await stack.organization()
    made, kept = await link(stack, organization.id), await link(stack, organization.id)
    opened = await stack.call("DirectoryAdmin/RedeemPortalLink", kept.secret)
    stack.time.forward(300)
    assert await refusal(stack, "DirectoryAdmin/RedeemPortalLink", made.secret) == "CREDENTIALS_INVALID"
    stack.time.forward(8 * 3600 - 301)
    await stack.call("DirectoryAdmin/GetPortalSession", opened.session_secret)
    stack.time.forward(1)
    assert await refusal(stack, "DirectoryAdmin/GetPortalSession", opened.session_secret) == "CREDENTIALS_INVALID"


async def test_the_secrets_of_the_portal_open_nothing_else(stack: Stack) -> None:
    organization = await stack.organization()
    made = await link(stack, organization.id)
    opened = await stack.call("DirectoryAdmin/RedeemPortalLink", (await link(stack, organization.id)).secret)
    for secret in (made.secret, opened.session_secret):
        for name in ("DirectoryAdmin/ListOrganizations", "DirectorySync/ListDirectories", "DirectoryAdmin/ListApiKeys"):
            assert await refusal(stack, name, secret) == "SCOPE_MISSING"
    # A link is no session, a session is no link, and an administrator is neither.
    assert await refusal(stack, "DirectoryAdmin/GetPortalSession", made.secret) == "CREDENTIALS_INVALID"
    assert await refusal(stack, "DirectoryAdmin/RedeemPortalLink", opened.session_secret) == "CREDENTIALS_INVALID"
    for name in ("DirectoryAdmin/GetPortalSession", "DirectoryAdmin/RedeemPortalLink"):
        assert await refusal(stack, name) == "SCOPE_MISSING"
    await stack.call("DirectoryAdmin/RedeemPortalLink", made.secret)


async def test_what_is_open_of_one_person_is_revoked(stack: Stack) -> None:
    organization, other = await stack.organization(), await stack.organization()
    unopened = await link(stack, organization.id, external_user_id="ada")
    opened = await link(stack, organization.id, external_user_id="ada")
    session = await stack.call("DirectoryAdmin/RedeemPortalLink", opened.secret)
    away = [
        await link(stack, organization.id, external_user_id="bob"),
        await link(stack, organization.id),
        await link(stack, other.id, external_user_id="ada"),
    ]
    await stack.call("DirectoryAdmin/GetPortalSession", session.session_secret)
    fields = {"organization_id": organization.id, "external_user_id": "ada"}
    assert (await stack.call("DirectoryAdmin/RevokePortalLinks", **fields)).revoked_count == 2
    assert await refusal(stack, "DirectoryAdmin/RedeemPortalLink", unopened.secret) == "CREDENTIALS_INVALID"
    assert await refusal(stack, "DirectoryAdmin/GetPortalSession", session.session_secret) == "CREDENTIALS_INVALID"
    for made in away:
        await stack.call("DirectoryAdmin/RedeemPortalLink", made.secret)
    assert (await stack.call("DirectoryAdmin/RevokePortalLinks", **fields)).revoked_count == 0
    del fields["external_user_id"]
    assert await refusal(stack, "DirectoryAdmin/RevokePortalLinks", **fields) == "ARGUMENT_INVALID"


async def test_a_revoked_session_ends_in_every_process(stack: Stack, database_url: str) -> None:
    async with open_stack(database_url, stack.time) as other, listening(other) as heard:
        organization = await stack.organization()
        made = await link(stack, organization.id, external_user_id="ada")
        session = await stack.call("DirectoryAdmin/RedeemPortalLink", made.secret)
        caller = await other.credentials.authenticate(session.session_secret)
        assert await other.credentials.still_valid(caller)
        fields = {"organization_id": organization.id, "external_user_id": "ada"}
        await stack.call("DirectoryAdmin/RevokePortalLinks", **fields)
        async with asyncio.timeout(10):
            while frozenset({caller.id}) not in heard:
                await asyncio.sleep(0.01)
        assert not await other.credentials.still_valid(caller)
        assert await refusal(other, "DirectoryAdmin/GetPortalSession", session.session_secret) == "CREDENTIALS_INVALID"


async def test_who_may_make_links(stack: Stack) -> None:
    mine, other = await stack.organization(), await stack.organization()
    inside = await stack.directory(mine.id)
    bound = await stack.key("admin", organizations=[mine.id])
    fields = {"intent": "dsync", "organization_id": mine.id}
    await stack.call("DirectoryAdmin/CreatePortalLink", bound, **fields)
    fields["organization_id"] = other.id
    assert await refusal(stack, "DirectoryAdmin/CreatePortalLink", bound, **fields) == "RESOURCE_NOT_FOUND"
    fields["organization_id"] = mine.id
    narrow = await stack.key("admin", directories=[inside.directory.id])
    assert await refusal(stack, "DirectoryAdmin/CreatePortalLink", narrow, **fields) == "SCOPE_MISSING"
    fields["organization_id"] = "org_none"
    assert await refusal(stack, "DirectoryAdmin/CreatePortalLink", **fields) == "RESOURCE_NOT_FOUND"


async def test_links_end_with_their_organization(stack: Stack) -> None:
    organization = await stack.organization()
    made = await link(stack, organization.id)
    session = await stack.call("DirectoryAdmin/RedeemPortalLink", (await link(stack, organization.id)).secret)
    await stack.call("DirectoryAdmin/GetPortalSession", session.session_secret)
    await stack.call("DirectoryAdmin/DeleteOrganization", id=organization.id)
    assert await refusal(stack, "DirectoryAdmin/RedeemPortalLink", made.secret) == "CREDENTIALS_INVALID"
    assert await refusal(stack, "DirectoryAdmin/GetPortalSession", session.session_secret) == "CREDENTIALS_INVALID"


async def test_no_secret_of_a_link_is_stored(stack: Stack) -> None:
    made = await link(stack, (await stack.organization()).id)
    session = await stack.call("DirectoryAdmin/RedeemPortalLink", made.secret)
    rows = [str(dict(row)) for row in await stack.pool.fetch("SELECT * FROM portal_link")]
    assert not any(secret[7:] in row for row in rows for secret in (made.secret, session.session_secret))


async def test_what_ended_long_ago_is_forgotten(stack: Stack) -> None:
    organization = await stack.organization()
    await link(stack, organization.id)
    later = stack.time.clock().now() + timedelta(days=5)
    await link(stack, organization.id, expire_time=later)
    links = PortalLinks(
        stack.pool,
        credentials=stack.credentials,
        new_ids=stack.new_ids,
        clock=stack.time.clock(),
        telemetry=Telemetry(),
    )
    for days, kept in ((29, 2), (2, 1), (5, 0)):
        stack.time.forward(days * 86_400)
        running = asyncio.create_task(links.run())
        async with asyncio.timeout(10):
            while await stack.pool.fetchval("SELECT count(*) FROM portal_link") != kept:
                await asyncio.sleep(0.01)
        running.cancel()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"intent": "sso"}, "intent"),
        ({"return_url": "http://app.example"}, "return_url"),
        ({"success_url": "nonsense"}, "success_url"),
        ({"external_user_id": "p" * 257}, "external_user_id"),
        ({"it_contact_emails": ["nobody"]}, "it_contact_emails"),
    ],
)
async def test_what_a_link_cannot_be(stack: Stack, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        await link(stack, "org_any", **fields)
    assert (refused.value.reason, refused.value.metadata) == ("ARGUMENT_INVALID", {"field": field})
