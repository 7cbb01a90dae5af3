"""`/webhook_endpoints`: WorkOS's four calls, and our look-up and rotation of secrets."""

from typing import Final

from google.protobuf.duration_pb2 import Duration

from directorysync.v1 import webhooks_pb2 as pb
from directorysync.v1.events_pb2 import EventFilter
from gateway.addresses import AddressRefused
from gateway.exchange import Answer
from gateway.problems import Problem
from gateway.rest.body import Body
from gateway.rest.errors import RestProblem, invalid
from gateway.rest.request import RestRequest, json_answer, no_content
from gateway.workos.webhooks import webhook_endpoint

_STATUSES: Final = {"enabled": True, "disabled": False}


async def list_endpoints(request: RestRequest) -> Answer:
    """GET: 200."""
    page = request.parameters().page("we_")
    window = page.window
    message = pb.ListWebhookEndpointsRequest(
        page_size=page.limit, after_id=window.after_id, before_id=window.before_id, descending=window.descending
    )
    reply = await request.call(request.upstream.admin.ListWebhookEndpoints, message)
    shown = [webhook_endpoint(one) for one in reply.endpoints]
    return json_answer(200, page.envelope(shown, [one.id for one in reply.endpoints], more=reply.more))


async def get_endpoint(request: RestRequest) -> Answer:
    """GET of one (own route): 200."""
    return json_answer(200, webhook_endpoint(await _get(request)))


async def create_endpoint(request: RestRequest) -> Answer:
    """POST: 201 with the secret that deliveries are signed with."""
    body = await request.body()
    body.require("endpoint_url", "events")
    await _check_url(request, body)
    message = pb.CreateWebhookEndpointRequest(
        endpoint_url=body.text("endpoint_url") or "",
        filter=_filter(EventFilter(), body),
        description=body.text("description") or "",
    )
    try:
        reply = await request.call(request.upstream.admin.CreateWebhookEndpoint, message)
    except Problem as failure:
        raise _duplicate(failure) from failure
    return json_answer(201, webhook_endpoint(reply.endpoint))


async def update_endpoint(request: RestRequest) -> Answer:
    """PATCH: 200. What is not named stays."""
    body = await request.body()
    await _check_url(request, body)
    message = pb.UpdateWebhookEndpointRequest(
        id=request.path["id"],
        endpoint_url=body.text("endpoint_url"),
        enabled=_enabled(body),
        description=body.text("description"),
    )
    if any(body.given(name) for name in ("events", "organization_ids", "directory_ids")):
        message.filter.CopyFrom(_filter((await _get(request)).filter, body))
    try:
        reply = await request.call(request.upstream.admin.UpdateWebhookEndpoint, message)
    except Problem as failure:
        raise _duplicate(failure) from failure
    return json_answer(200, webhook_endpoint(reply.endpoint))


async def delete_endpoint(request: RestRequest) -> Answer:
    """DELETE: 204."""
    message = pb.DeleteWebhookEndpointRequest(id=request.path["id"])
    await request.call(request.upstream.admin.DeleteWebhookEndpoint, message)
    return no_content()


async def rotate_secret(request: RestRequest) -> Answer:
    """POST (own route): 200 with the new secret; the present ones sign on for `overlap_seconds`, 24 h if unset."""
    body = await request.body(optional=True)
    overlap = body.number("overlap_seconds")
    message = pb.RotateWebhookSecretRequest(
        id=request.path["id"], overlap=None if overlap is None else Duration(seconds=overlap)
    )
    reply = await request.call(request.upstream.admin.RotateWebhookSecret, message)
    return json_answer(200, webhook_endpoint(reply.endpoint))


async def _get(request: RestRequest) -> pb.WebhookEndpoint:
    message = pb.GetWebhookEndpointRequest(id=request.path["id"])
    return (await request.call(request.upstream.admin.GetWebhookEndpoint, message)).endpoint


async def _check_url(request: RestRequest, body: Body) -> None:
    """Refuse a URL to which nothing could ever be delivered. Raises 422."""
    url = body.text("endpoint_url")
    if url is None:
        return
    try:
        request.config.address_policy.check_url(url)
    except AddressRefused as refusal:
        # What an operator has opened is for those who may read endpoints.
        await request.call(request.upstream.admin.ListWebhookEndpoints, pb.ListWebhookEndpointsRequest(page_size=1))
        raise _invalid_url(refusal) from None


def _invalid_url(refusal: AddressRefused) -> RestProblem:
    cure = f"; an operator may open it with {refusal.setting}" if refusal.setting else ""
    message = f"Nothing can be delivered to endpoint_url: {refusal}{cure}."
    return RestProblem(422, message, code="invalid_url", fields=[("invalid", "endpoint_url")])


def _filter(present: EventFilter, body: Body) -> EventFilter:
    def wanted(name: str, now: list[str]) -> list[str]:
        given = body.texts(name)
        return now if given is None else given

    return EventFilter(
        types=wanted("events", list(present.types)),
        organization_ids=wanted("organization_ids", list(present.organization_ids)),
        directory_ids=wanted("directory_ids", list(present.directory_ids)),
    )


def _enabled(body: Body) -> bool | None:
    status = body.text("status")
    if status is not None and status not in _STATUSES:
        raise invalid("status", "status is enabled or disabled.")
    return None if status is None else _STATUSES[status]


def _duplicate(failure: Problem) -> Problem:
    if failure.reason != "UNIQUENESS":
        return failure
    return RestProblem(409, "Another endpoint has this URL.", code="duplicate_endpoint", origin=failure)
