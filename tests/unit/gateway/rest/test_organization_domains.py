"""Domains one by one: a single change each, whatever others change at the same time."""

from typing import Any

import httpx
import pytest

from directorysync.v1 import directory_admin_pb2 as pb
from directorysync.v1.resources_pb2 import Organization, OrganizationDomain
from tests.unit.gateway.fake_upstream import FakeChannel


@pytest.mark.parametrize(
    ("given", "kept"),
    [("acme.test", "acme.test"), (" ACME.Test. ", "acme.test"), ("Bücher.example", "xn--bcher-kva.example")],
)
async def test_a_domain_is_added_in_one_call_and_shown_as_it_is_kept(
    rest: httpx.AsyncClient, channel: FakeChannel, replies: dict[str, Any], given: str, kept: str
) -> None:
    others = [
        OrganizationDomain(id="org_domain_0", domain="a.test"),
        OrganizationDomain(id="org_domain_1", domain=kept),
    ]
    replies["UpdateOrganization"] = pb.UpdateOrganizationResponse(organization=Organization(id="org_1", domains=others))
    answer = await rest.post("/organization_domains", json={"organization_id": "org_1", "domain": given})
    assert (answer.status_code, answer.json()["id"], answer.json()["domain"]) == (201, "org_domain_1", kept)
    assert [call.method for call in channel.calls] == ["UpdateOrganization"]
    assert [one.domain for one in channel.last.request.add_domains] == [given.strip()]
    assert not channel.last.request.HasField("domains")


async def test_a_domain_is_removed_by_its_id(
    rest: httpx.AsyncClient, channel: FakeChannel, replies: dict[str, Any]
) -> None:
    owner = Organization(id="org_1", domains=[OrganizationDomain(id="org_domain_1", domain="acme.test")])
    replies["GetOrganization"] = pb.GetOrganizationResponse(organization=owner)
    replies["UpdateOrganization"] = pb.UpdateOrganizationResponse(organization=Organization(id="org_1"))
    assert (await rest.delete("/organization_domains/org_domain_1")).status_code == 202
    assert [*channel.last.request.remove_domain_ids] == ["org_domain_1"]
    assert not channel.last.request.HasField("domains")
