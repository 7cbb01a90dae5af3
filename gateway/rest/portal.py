"""`/portal/generate_link` and `/portal/revoke_link`: links with which a customer's administrator sets up."""

from typing import Final
from urllib.parse import quote

from directorysync.v1 import portal_pb2 as pb
from gateway.exchange import Answer
from gateway.rest.request import RestRequest, json_answer, no_content

LAUNCH: Final = "/portal/launch"


async def generate_link(request: RestRequest) -> Answer:
    """POST: 201 with the link. It can be opened once, for five minutes unless `expires_at` says otherwise."""
    body = await request.body()
    body.require("organization")
    # The official clients call the same addresses differently.
    emails = body.texts("it_contact_emails") or body.texts("admin_emails") or []
    message = pb.CreatePortalLinkRequest(
        organization_id=body.text("organization") or "",
        intent=body.text("intent") or "dsync",
        return_url=body.text("return_url") or "",
        success_url=body.text("success_url") or "",
        external_user_id=body.text("external_user_id") or "",
        it_contact_emails=emails,
        expire_time=body.time("expires_at"),
    )
    reply = await request.call(request.upstream.admin.CreatePortalLink, message)
    return json_answer(201, {"link": f"{request.base_url}{LAUNCH}?token={quote(reply.secret)}"})


async def revoke_link(request: RestRequest) -> Answer:
    """POST: 204. Ends links that were not opened and sessions of those that were."""
    body = await request.body()
    body.require("organization", "external_user_id")
    message = pb.RevokePortalLinksRequest(
        organization_id=body.text("organization") or "", external_user_id=body.text("external_user_id") or ""
    )
    await request.call(request.upstream.admin.RevokePortalLinks, message)
    return no_content()
