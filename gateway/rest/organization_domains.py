"""`/organization_domains`: the domains of organizations, one by one."""

from collections.abc import Sequence

from directorysync.v1 import directory_admin_pb2 as pb
from directorysync.v1.resources_pb2 import ORGANIZATION_DOMAIN_STATE_PENDING, Organization, OrganizationDomain
from gateway.exchange import Answer
from gateway.rest.errors import RestProblem, not_found
from gateway.rest.organizations import fetch
from gateway.rest.request import RestRequest, json_answer
from gateway.workos.organizations import organization_domain


async def create_domain(request: RestRequest) -> Answer:
    """POST: 201. The domain is pending; naming it again changes nothing."""
    body = await request.body()
    body.require("organization_id", "domain")
    name = (body.text("domain") or "").strip().lower()
    present = await fetch(request, pb.GetOrganizationRequest(id=body.text("organization_id") or ""))
    if all(one.domain != name for one in present.domains):
        added = OrganizationDomain(domain=name, state=ORGANIZATION_DOMAIN_STATE_PENDING)
        present = await _store(request, present, [*present.domains, added])
    return json_answer(201, organization_domain(next(one for one in present.domains if one.domain == name)))


async def get_domain(request: RestRequest) -> Answer:
    """GET of one: 200."""
    _, domain = await _find(request)
    return json_answer(200, organization_domain(domain))


async def delete_domain(request: RestRequest) -> Answer:
    """DELETE: 202, as at WorkOS."""
    owner, domain = await _find(request)
    await _store(request, owner, [one for one in owner.domains if one.id != domain.id])
    return json_answer(202, {})


async def verify_domain(request: RestRequest) -> Answer:
    """POST: 422. No DNS records are looked up here: it is the application that vouches for a domain."""
    await _find(request)
    raise RestProblem(
        422,
        "Domains are not verified over DNS here. Set the state to verified in domain_data of PUT /organizations/{id}.",
        code="domain_verification_not_supported",
    )


async def _find(request: RestRequest) -> tuple[Organization, OrganizationDomain]:
    wanted = request.path["id"]
    owner = await fetch(request, pb.GetOrganizationRequest(domain_id=wanted))
    for domain in owner.domains:
        if domain.id == wanted:
            return owner, domain
    raise not_found("Organization Domain", wanted)


async def _store(request: RestRequest, owner: Organization, domains: Sequence[OrganizationDomain]) -> Organization:
    message = pb.UpdateOrganizationRequest(id=owner.id, domains=pb.OrganizationDomains(domains=domains))
    return (await request.call(request.upstream.admin.UpdateOrganization, message)).organization
