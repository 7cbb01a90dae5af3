"""One attempt from an event to what is recorded of it: rendered, signed, sent, counted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from directorysync.v1 import webhooks_pb2 as pb
from gateway.webhooks.clock import Clock
from gateway.webhooks.ids import delivery_id
from gateway.webhooks.log import Entry
from gateway.webhooks.metrics import WebhookMetrics
from gateway.webhooks.sender import Outcome, Sender
from gateway.webhooks.signing import signed_headers, workos_choice
from gateway.webhooks.slots import Slots, Turns
from gateway.workos.events import render_event

_BEGUN_IN_A_TURN: Final = 8

RETRYING = pb.WEBHOOK_DELIVERY_STATE_RETRYING
SUCCEEDED = pb.WEBHOOK_DELIVERY_STATE_SUCCEEDED
FAILED = pb.WEBHOOK_DELIVERY_STATE_FAILED


class NoSecretsError(Exception):
    """Nothing signs: no secret of the endpoint can be read with the keys of the service."""


@dataclass(slots=True)
class Endpoint:
    """An endpoint as it is now; replaced in place when its settings change."""

    message: pb.WebhookEndpoint
    accepted: str | None = field(default=None, repr=False)
    """The secret whose WorkOS signature the receiver last took."""

    @property
    def id(self) -> str:
        """`we_…`."""
        return self.message.id

    def secrets(self, now: float) -> list[str]:
        """Those that sign at this time, newest first. Raises NoSecretsError."""
        found = [
            secret.value
            for secret in self.message.secrets
            if not secret.HasField("expire_time") or seconds(secret.expire_time) > now
        ]
        if not found:
            raise NoSecretsError(self.id)
        return found


@dataclass(slots=True)
class Tries:
    """The attempts at one event, as they are recorded."""

    entry: Entry
    id: str
    made: int = 0

    @staticmethod
    def of(entry: Entry, now: float) -> "Tries":
        """Those of a new delivery."""
        return Tries(entry, delivery_id(now))


@dataclass(frozen=True, slots=True)
class Attempted:
    """An attempt that ended."""

    tries: Tries
    outcome: Outcome
    began: float
    ended: float
    url: str

    @property
    def ok(self) -> bool:
        """Whether it arrived."""
        return self.outcome.ok

    def delivery(self, state: "pb.WebhookDeliveryState.ValueType", due: float | None = None) -> pb.WebhookDelivery:
        """What is recorded of it."""
        event, outcome = self.tries.entry.event, self.outcome
        duration = Duration()
        duration.FromNanoseconds(int(outcome.seconds * 1e9))
        attempt = pb.WebhookAttempt(
            number=self.tries.made,
            create_time=timestamp(self.began),
            duration=duration,
            response_status=outcome.status,
            error=outcome.error,
            response_body=outcome.body,
            endpoint_url=self.url,
        )
        return pb.WebhookDelivery(
            id=self.tries.id,
            event_id=event.id,
            event_type=event.type,
            directory_id=event.directory_id,
            state=state,
            attempt_count=self.tries.made,
            create_time=timestamp(self.began),
            update_time=timestamp(self.ended),
            next_attempt_time=None if due is None else timestamp(due),
            response_status=outcome.status,
            attempts=[attempt],
        )


class Attempts:
    """Makes attempts for all endpoints of the process."""

    def __init__(self, sender: Sender, slots: Slots, metrics: WebhookMetrics, clock: Clock) -> None:
        self._sender = sender
        self._slots = slots
        self._turns = Turns(_BEGUN_IN_A_TURN)
        self._metrics = metrics
        self._clock = clock

    async def make(
        self, endpoint: Endpoint, tries: Tries, *, suspect: bool, may: Callable[[], bool]
    ) -> Attempted | None:
        """One request, once there is room for it; None when `may` then says that it is not to be made."""
        event, membership = tries.entry
        async with self._slots.taken(suspect=suspect):
            await self._turns.wait()
            if not may():
                return None
            began = self._clock.now()
            secrets = endpoint.secrets(began)
            workos_secret = workos_choice(secrets, endpoint.accepted, tries.made + 1)
            body = render_event(event, membership)
            headers = signed_headers(secrets, workos_secret, event.id, began, body)
            headers["content-type"] = "application/json"
            url = endpoint.message.endpoint_url
            outcome = await self._sender.send(url, body, headers)
        tries.made += 1
        ended = self._clock.now()
        self._metrics.attempted(outcome.error or "succeeded", outcome.seconds)
        if outcome.ok:
            endpoint.accepted = workos_secret
            if event.directory_id:
                self._metrics.delivered(ended - seconds(event.create_time))
        return Attempted(tries, outcome, began, ended, url)


def seconds(time: Timestamp) -> float:
    """Since 1970."""
    return time.seconds + time.nanos / 1e9


def timestamp(time: float) -> Timestamp:
    """To the microsecond."""
    whole = int(time)
    return Timestamp(seconds=whole, nanos=int((time - whole) * 1_000_000) * 1_000)
