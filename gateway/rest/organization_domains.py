"""`/organization_domains`: the domains of organizations, one by one."""

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
    name = (body.text("domain") or "").strip()
    message = pb.UpdateOrganizationRequest(
        id=body.text("organization_id") or "",
        add_domains=[OrganizationDomain(domain=name, state=ORGANIZATION_DOMAIN_STATE_PENDING)],
    )
    stored = (await request.call(request.upstream.admin.UpdateOrganization, message)).organization
    name = _as_in_dns(name)
    return json_answer(201, organization_domain(next(one for one in stored.domains if one.domain == name)))


async def get_domain(request: RestRequest) -> Answer:
    """GET of one: 200."""
    _, domain = await _find(request)
    return json_answer(200, organization_domain(domain))


async def delete_domain(request: RestRequest) -> Answer:
    """DELETE: 202, as at WorkOS."""
    owner, domain = await _find(request)
    message = pb.UpdateOrganizationRequest(id=owner.id, remove_domain_ids=[domain.id])
    await request.call(request.upstream.admin.UpdateOrganization, message)
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


def _as_in_dns(name: str) -> str:
    """A name that the service took, as it keeps it."""
    return name.lower().encode("idna").decode("ascii").lower().removesuffix(".")
