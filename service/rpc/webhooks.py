"""DirectoryAdmin: webhook endpoints, their deliveries, and what dispatchers ask."""

from datetime import timedelta

from directorysync.v1 import directory_admin_pb2
from directorysync.v1 import webhooks_pb2 as pb
from service.app.webhook_dispatch import MAX_TARGETS, WebhookDispatch
from service.app.webhooks import Update, Webhooks
from service.domain.caller import Scope
from service.domain.errors import ArgumentError
from service.domain.stretch import Stretch
from service.rpc import webhook_messages as convert
from service.rpc.arguments import optional_id, required_id
from service.rpc.edge import Call, Method, UnaryHandler
from service.rpc.methods import unary_methods
from service.rpc.paging import page_of, page_size

_NEWEST = "~"
"""Behind every id."""


class WebhookHandlers:
    """Check, convert, call, convert."""

    def __init__(self, webhooks: Webhooks, dispatch: WebhookDispatch) -> None:
        self._webhooks = webhooks
        self._dispatch = dispatch

    def methods(self) -> list[Method]:
        """The RPCs of DirectoryAdmin that are about webhooks."""
        admin: dict[str, UnaryHandler] = {
            "CreateWebhookEndpoint": self.create,
            "GetWebhookEndpoint": self.get,
            "ListWebhookEndpoints": self.list_endpoints,
            "UpdateWebhookEndpoint": self.update,
            "DeleteWebhookEndpoint": self.delete,
            "RotateWebhookSecret": self.rotate,
            "ListWebhookDeliveries": self.list_deliveries,
            "GetWebhookDelivery": self.get_delivery,
            "ReplayWebhook": self.replay,
            "ListWebhookReplays": self.list_replays,
        }
        dispatch: dict[str, UnaryHandler] = {
            "ListWebhookTargets": self.list_targets,
            "RecordWebhookAttempts": self.record_attempts,
        }
        file = directory_admin_pb2.DESCRIPTOR
        return [
            *unary_methods(file, "DirectoryAdmin", (Scope.ADMIN,), admin),
            *unary_methods(file, "DirectoryAdmin", (Scope.DELIVER,), dispatch),
        ]

    async def create(self, request: pb.CreateWebhookEndpointRequest, call: Call) -> pb.CreateWebhookEndpointResponse:
        """CreateWebhookEndpoint."""
        wanted = convert.event_filter(request.filter)
        made = await self._webhooks.create(call.caller, request.endpoint_url, wanted, request.description)
        return pb.CreateWebhookEndpointResponse(endpoint=convert.endpoint(made))

    async def get(self, request: pb.GetWebhookEndpointRequest, call: Call) -> pb.GetWebhookEndpointResponse:
        """GetWebhookEndpoint."""
        found = await self._webhooks.get(call.caller, required_id(request.id, "id"))
        return pb.GetWebhookEndpointResponse(endpoint=convert.endpoint(found))

    async def list_endpoints(
        self, request: pb.ListWebhookEndpointsRequest, call: Call
    ) -> pb.ListWebhookEndpointsResponse:
        """ListWebhookEndpoints."""
        size = page_size(request.page_size)
        stretch = _stretch(request, size + 1)
        found = await self._webhooks.page(call.caller, stretch)
        page = found[:size] if stretch.backward == request.descending else found[:size][::-1]
        return pb.ListWebhookEndpointsResponse(
            endpoints=[convert.endpoint(endpoint) for endpoint in page], more=len(found) > size
        )

    async def update(self, request: pb.UpdateWebhookEndpointRequest, call: Call) -> pb.UpdateWebhookEndpointResponse:
        """UpdateWebhookEndpoint."""
        update = Update(
            url=request.endpoint_url if request.HasField("endpoint_url") else None,
            wanted=convert.event_filter(request.filter) if request.HasField("filter") else None,
            enabled=request.enabled if request.HasField("enabled") else None,
            description=request.description if request.HasField("description") else None,
        )
        changed = await self._webhooks.update(call.caller, required_id(request.id, "id"), update)
        return pb.UpdateWebhookEndpointResponse(endpoint=convert.endpoint(changed))

    async def delete(self, request: pb.DeleteWebhookEndpointRequest, call: Call) -> pb.DeleteWebhookEndpointResponse:
        """DeleteWebhookEndpoint."""
        await self._webhooks.delete(call.caller, required_id(request.id, "id"))
        return pb.DeleteWebhookEndpointResponse()

    async def rotate(self, request: pb.RotateWebhookSecretRequest, call: Call) -> pb.RotateWebhookSecretResponse:
        """RotateWebhookSecret."""
        overlap: timedelta | None = None
        if request.HasField("overlap"):
            overlap = timedelta(seconds=request.overlap.seconds, microseconds=request.overlap.nanos // 1_000)
        rotated = await self._webhooks.rotate(call.caller, required_id(request.id, "id"), overlap)
        return pb.RotateWebhookSecretResponse(endpoint=convert.endpoint(rotated))

    async def list_deliveries(
        self, request: pb.ListWebhookDeliveriesRequest, call: Call
    ) -> pb.ListWebhookDeliveriesResponse:
        """ListWebhookDeliveries."""
        endpoint_id = required_id(request.endpoint_id, "endpoint_id")
        state = convert.delivery_state(request.state)
        event_id = optional_id(request.event_id, "event_id")
        page, token = await page_of(
            request,
            lambda after, limit: self._webhooks.deliveries(
                call.caller, endpoint_id, after or _NEWEST, limit, state=state, event_id=event_id
            ),
            lambda delivery: delivery.id,
        )
        deliveries = [convert.delivery(delivery) for delivery in page]
        return pb.ListWebhookDeliveriesResponse(deliveries=deliveries, next_page_token=token)

    async def get_delivery(self, request: pb.GetWebhookDeliveryRequest, call: Call) -> pb.GetWebhookDeliveryResponse:
        """GetWebhookDelivery."""
        endpoint_id = required_id(request.endpoint_id, "endpoint_id")
        found = await self._webhooks.delivery(call.caller, endpoint_id, required_id(request.id, "id"))
        return pb.GetWebhookDeliveryResponse(delivery=convert.delivery(found))

    async def replay(self, request: pb.ReplayWebhookRequest, call: Call) -> pb.ReplayWebhookResponse:
        """ReplayWebhook."""
        endpoint_id = required_id(request.endpoint_id, "endpoint_id")
        made = await self._webhooks.replay(
            call.caller, endpoint_id, lambda replay_id, now: convert.wanted_replay(request, replay_id, now)
        )
        return pb.ReplayWebhookResponse(replay=convert.replay(made))

    async def list_replays(self, request: pb.ListWebhookReplaysRequest, call: Call) -> pb.ListWebhookReplaysResponse:
        """ListWebhookReplays."""
        found = await self._webhooks.replays(call.caller, required_id(request.endpoint_id, "endpoint_id"))
        return pb.ListWebhookReplaysResponse(replays=[convert.replay(one) for one in found])

    async def list_targets(self, request: pb.ListWebhookTargetsRequest, call: Call) -> pb.ListWebhookTargetsResponse:
        """ListWebhookTargets."""
        call.caller.require_unbounded()
        if len(request.endpoint_ids) > MAX_TARGETS:
            raise ArgumentError(f"endpoint_ids holds more than {MAX_TARGETS} values", field="endpoint_ids")
        wanted = [required_id(one, "endpoint_ids") for one in request.endpoint_ids]
        found, more = await self._dispatch.targets(
            optional_id(request.after_id, "after_id"), _version(request.version), wanted
        )
        return pb.ListWebhookTargetsResponse(
            targets=[convert.target(target) for target in found.targets],
            gone_ids=found.gone,
            version=str(found.version),
            more=more,
        )

    async def record_attempts(
        self, request: pb.RecordWebhookAttemptsRequest, call: Call
    ) -> pb.RecordWebhookAttemptsResponse:
        """RecordWebhookAttempts."""
        call.caller.require_unbounded()
        await self._dispatch.record(convert.record(request))
        return pb.RecordWebhookAttemptsResponse()


def _stretch(request: pb.ListWebhookEndpointsRequest, limit: int) -> Stretch:
    """A page ahead of an id is read from that id backwards, against the order asked for."""
    after, before = optional_id(request.after_id, "after_id"), optional_id(request.before_id, "before_id")
    low, high = (before, after) if request.descending else (after, before)
    backward = request.descending != bool(before)
    return Stretch(limit, low, high, backward=backward) if high else Stretch(limit, low, backward=backward)


def _version(text: str) -> int:
    """A version that is none of ours is one that knows nothing."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0
