"""What was sent to a webhook endpoint, and how to send it again. WorkOS has no calls for this; the style is its own."""

from directorysync.v1 import webhooks_pb2 as pb
from gateway.exchange import Answer
from gateway.rest.errors import invalid, missing
from gateway.rest.parameters import unpaged
from gateway.rest.request import RestRequest, json_answer
from gateway.workos.webhooks import DELIVERY_STATES, webhook_delivery, webhook_replay

_DEFAULT_TEST = "dsync.user.created"


async def list_deliveries(request: RestRequest) -> Answer:
    """GET: 200, newest first. `after` is what the page before gave; `state` and `event_id` select."""
    parameters = request.parameters()
    page = parameters.page()
    if page.before or page.order == "asc":
        raise invalid("before" if page.before else "order", "Deliveries are read newest first, by after.")
    state = parameters.text("state")
    if state and state not in DELIVERY_STATES:
        raise invalid("state", "state is retrying, succeeded or failed.")
    message = pb.ListWebhookDeliveriesRequest(
        endpoint_id=request.path["id"],
        state=DELIVERY_STATES.get(state, pb.WEBHOOK_DELIVERY_STATE_UNSPECIFIED),
        event_id=parameters.identifier("event_id"),
        page_size=page.limit,
        page_token=page.after,
    )
    reply = await request.call(request.upstream.admin.ListWebhookDeliveries, message)
    shown = [webhook_delivery(one) for one in reply.deliveries]
    return json_answer(200, _token_page(shown, reply.next_page_token))


async def get_delivery(request: RestRequest) -> Answer:
    """GET of one: 200, with its attempts."""
    return json_answer(200, webhook_delivery(await _get(request), attempts=True))


async def redeliver(request: RestRequest) -> Answer:
    """POST: 202. The event of a delivery is sent once more."""
    delivery = await _get(request)
    return await _replay(request, pb.ReplayWebhookRequest(endpoint_id=request.path["id"], event_id=delivery.event_id))


async def replay(request: RestRequest) -> Answer:
    """POST: 202. One event (`event_id`), or what was committed from `range_start` to `range_end`."""
    body = await request.body()
    message = pb.ReplayWebhookRequest(endpoint_id=request.path["id"])
    event_id, start = body.text("event_id"), body.time("range_start")
    if (event_id is None) == (start is None):
        raise missing(["event_id"]) if event_id is None else invalid("event_id", "Either event_id or range_start.")
    if event_id is not None:
        message.event_id = event_id
    else:
        message.range.CopyFrom(pb.WebhookReplayRange(start_time=start, end_time=body.time("range_end")))
    return await _replay(request, message)


async def list_replays(request: RestRequest) -> Answer:
    """GET: 200, the newest first."""
    message = pb.ListWebhookReplaysRequest(endpoint_id=request.path["id"])
    reply = await request.call(request.upstream.admin.ListWebhookReplays, message)
    return json_answer(200, unpaged([webhook_replay(one) for one in reply.replays]))


async def send_test(request: RestRequest) -> Answer:
    """POST: 202. A made-up event of the type `event`."""
    body = await request.body(optional=True)
    kind = body.text("event") or _DEFAULT_TEST
    return await _replay(request, pb.ReplayWebhookRequest(endpoint_id=request.path["id"], test_event_type=kind))


async def _replay(request: RestRequest, message: pb.ReplayWebhookRequest) -> Answer:
    reply = await request.call(request.upstream.admin.ReplayWebhook, message)
    return json_answer(202, webhook_replay(reply.replay))


async def _get(request: RestRequest) -> pb.WebhookDelivery:
    message = pb.GetWebhookDeliveryRequest(endpoint_id=request.path["id"], id=request.path["delivery_id"])
    return (await request.call(request.upstream.admin.GetWebhookDelivery, message)).delivery


def _token_page(shown: list[dict[str, object]], token: str) -> dict[str, object]:
    return {"object": "list", "data": shown, "list_metadata": {"before": None, "after": token or None}}
