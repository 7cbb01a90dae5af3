"""`/organizations`, by id and by the application's own id."""

from collections.abc import Iterable
from typing import Final

from directorysync.v1 import directory_admin_pb2 as pb
from directorysync.v1.resources_pb2 import (
    ORGANIZATION_DOMAIN_STATE_PENDING,
    ORGANIZATION_DOMAIN_STATE_VERIFIED,
    Organization,
    OrganizationDomain,
)
from gateway.exchange import Answer
from gateway.rest.body import Body
from gateway.rest.errors import invalid
from gateway.rest.request import RestRequest, json_answer
from gateway.workos.organizations import organization

_STATES: Final = {
    "pending": ORGANIZATION_DOMAIN_STATE_PENDING,
    "verified": ORGANIZATION_DOMAIN_STATE_VERIFIED,
}


async def list_organizations(request: RestRequest) -> Answer:
    """GET: 200. `domains`: those with one of these; `search`: in names."""
    parameters = request.parameters()
    page = parameters.page("org_")
    message = pb.ListOrganizationsRequest(
        search=parameters.text("search"),
        domains=parameters.texts("domains"),
        page_size=page.limit,
        window=page.window,
    )
    reply = await request.call(request.upstream.admin.ListOrganizations, message)
    found = reply.organizations
    shown = [organization(one) for one in found]
    return json_answer(200, page.envelope(shown, [one.id for one in found], more=bool(reply.next_page_token)))


async def get_organization(request: RestRequest) -> Answer:
    """GET of one: 200."""
    return json_answer(200, organization(await fetch(request, pb.GetOrganizationRequest(id=request.path["id"]))))


async def get_by_external_id(request: RestRequest) -> Answer:
    """GET of one by the application's own id: 200."""
    message = pb.GetOrganizationRequest(external_id=request.path["external_id"])
    return json_answer(200, organization(await fetch(request, message)))


async def create_organization(request: RestRequest) -> Answer:
    """POST: 201."""
    body = await request.body()
    body.require("name")
    message = pb.CreateOrganizationRequest(
        name=body.text("name") or "",
        external_id=body.text("external_id") or "",
        domains=_domains(body) or (),
        metadata=_metadata(body),
    )
    reply = await request.call(request.upstream.admin.CreateOrganization, message)
    return json_answer(201, organization(reply.organization))


async def update_organization(request: RestRequest) -> Answer:
    """PUT: 200. What is not named stays; null empties `external_id` and `metadata`, and removes a key of it."""
    body = await request.body()
    message = pb.UpdateOrganizationRequest(
        id=request.path["id"], name=body.text("name"), external_id=body.text("external_id"), metadata=_metadata(body)
    )
    if body.given("external_id") and body.text("external_id") is None:
        message.external_id = ""
    if body.given("metadata") and body.object("metadata") is None:
        present = await fetch(request, pb.GetOrganizationRequest(id=request.path["id"]))
        message.metadata.update(dict.fromkeys(present.metadata, ""))
    domains = _domains(body)
    if domains is not None:
        message.domains.CopyFrom(pb.OrganizationDomains(domains=domains))
    reply = await request.call(request.upstream.admin.UpdateOrganization, message)
    return json_answer(200, organization(reply.organization))


async def delete_organization(request: RestRequest) -> Answer:
    """DELETE: 202, as at WorkOS, with its directories."""
    message = pb.DeleteOrganizationRequest(id=request.path["id"], force=True)
    await request.call(request.upstream.admin.DeleteOrganization, message)
    return json_answer(202, {})


async def fetch(request: RestRequest, message: pb.GetOrganizationRequest) -> Organization:
    """One organization. Raises 404."""
    return (await request.call(request.upstream.admin.GetOrganization, message)).organization


def _domains(body: Body) -> Iterable[OrganizationDomain] | None:
    """`domain_data`, else the older `domains`, whose names the application vouches for."""
    data = body.objects("domain_data")
    if data is not None:
        return [_domain(one) for one in data]
    names = body.texts("domains")
    if names is None:
        return None
    return [OrganizationDomain(domain=name, state=ORGANIZATION_DOMAIN_STATE_VERIFIED) for name in names]


def _domain(data: Body) -> OrganizationDomain:
    data.require("domain")
    state = data.text("state") or "pending"
    if state not in _STATES:
        raise invalid("domain_data.state", "domain_data.state is verified or pending.")
    return OrganizationDomain(domain=data.text("domain") or "", state=_STATES[state])


def _metadata(body: Body) -> dict[str, str]:
    """An empty value removes its key."""
    given = body.object("metadata")
    return {} if given is None else {key: value or "" for key, value in given.text_items()}
