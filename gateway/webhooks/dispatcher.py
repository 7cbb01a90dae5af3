"""Finds endpoints that nobody delivers to, and delivers to them until it is drained or loses them.

Every process runs one. They share the endpoints by the leases of their subscriptions.
"""

import asyncio
import os
import random
import secrets
import socket
from typing import Any, Final

import grpc
import structlog
from prometheus_client import CollectorRegistry

from directorysync.v1 import webhooks_pb2 as pb
from gateway.problems import Problem
from gateway.webhooks.attempts import Attempts, NoSecretsError
from gateway.webhooks.clock import Clock, SystemClock, pause
from gateway.webhooks.log import Service, lease_ended
from gateway.webhooks.metrics import WebhookMetrics
from gateway.webhooks.pipeline import Parts
from gateway.webhooks.schedule import DAY
from gateway.webhooks.sender import Sender
from gateway.webhooks.session import GoneError, Session
from gateway.webhooks.settings import WebhookSettings
from gateway.webhooks.shares import to_take_over
from gateway.webhooks.slots import Budget, Slots

_POLL_SECONDS: Final = 1.0
_CLAIMS: Final = 100
_SHARE_POLLS: Final = 20
_BUDGET_BYTES: Final = 64 * 1024 * 1024
_DEADLINE: Final = 20.0
_SHORTEST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_MOST_WITH_KEY: Final = 900
"""The service lets one credential open 1,000 streams."""


class Dispatcher:
    """Use `run()` until it is cancelled; call `drain()` first to end in order.

    `channel` is one that itself says who calls, or `api_key` is a key of scope `deliver`.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        settings: WebhookSettings,
        registry: CollectorRegistry,
        *,
        api_key: str | None = None,
        sender: Sender | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._settings = settings
        self._service = Service(channel, _DEADLINE, api_key)
        self._sender = sender or Sender(settings)
        self._metrics = WebhookMetrics(registry)
        self._clock = clock or SystemClock()
        self._budget = Budget(_BUDGET_BYTES)
        self._most = _MOST_WITH_KEY if api_key else None
        self._sessions: dict[str, Session] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._version = ""
        self._draining = False
        self._log: Any = structlog.get_logger("directorysync.webhooks")

    async def run(self) -> None:
        """Until cancelled. What fails is tried again."""
        async with self._sender:
            parts = self._parts()
            try:
                failures = 0
                for polls in range(10**12):
                    try:
                        await self._poll(parts, share=polls % _SHARE_POLLS == _SHARE_POLLS - 1)
                        failures = 0
                    except Problem as problem:
                        failures += 1
                        if failures == 1:
                            self._log.warning("webhook_targets_unknown", reason=problem.reason)
                    delay = min(_POLL_SECONDS * 2 ** min(failures, 4), 10.0)
                    await asyncio.sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311 (spreads the polls)
            finally:
                await self._end()

    async def drain(self) -> None:
        """Take nothing new, finish what runs within `drain_seconds`, record it, give the leases back."""
        self._draining = True
        sessions = list(self._sessions.values())
        for session in sessions:
            session.stop()
        tasks = [asyncio.create_task(session.drain()) for session in sessions]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._settings.drain_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=0.5)
        await self._end()

    async def _end(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _parts(self) -> Parts:
        attempts = Attempts(self._sender, Slots(self._settings.connections), self._metrics, self._clock)
        return Parts(
            service=self._service,
            attempts=attempts,
            metrics=self._metrics,
            clock=self._clock,
            chance=random.random,
            disable_seconds=self._settings.disable_days * DAY,
        )

    async def _poll(self, parts: Parts, *, share: bool) -> None:
        """What changed since the last poll; with `share` everything, to see who holds how much."""
        if self._draining:
            return
        since, after, version = "" if share else self._version, "", ""
        targets: list[pb.WebhookTarget] = []
        more = True
        while more:
            answer = await self._service.targets(since, after)
            version = version or answer.version
            targets += answer.targets
            for endpoint_id in answer.gone_ids:
                self._drop(endpoint_id)
            more = answer.more
            after = answer.targets[-1].endpoint.id if more else ""
        self._version = version
        self._look(targets, parts)
        if share:
            self._balance(targets, parts)

    def _look(self, targets: list[pb.WebhookTarget], parts: Parts) -> None:
        free = []
        for target in targets:
            session = self._sessions.get(target.endpoint.id)
            if session is not None:
                session.update(target)
            elif not target.consumer:
                free.append(target)
        random.shuffle(free)
        for target in free[:_CLAIMS]:
            self._claim(target, parts)

    def _balance(self, targets: list[pb.WebhookTarget], parts: Parts) -> None:
        listed = {target.endpoint.id for target in targets}
        for endpoint_id in [*self._sessions]:
            if endpoint_id not in listed:
                self._drop(endpoint_id)
        held: dict[str, list[str]] = {}
        for target in targets:
            if target.consumer:
                held.setdefault(target.consumer, []).append(target.endpoint.id)
        wanted = set(to_take_over(held, self.name))
        for target in targets:
            if target.endpoint.id in wanted:
                self._claim(target, parts, takeover=True)

    def _claim(self, target: pb.WebhookTarget, parts: Parts, *, takeover: bool = False) -> None:
        endpoint_id = target.endpoint.id
        if endpoint_id in self._tasks or (self._most is not None and len(self._tasks) >= self._most):
            return
        task = asyncio.create_task(self._deliver(target, parts, takeover=takeover))
        self._tasks[endpoint_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(endpoint_id, None))

    def _drop(self, endpoint_id: str) -> None:
        task = self._tasks.get(endpoint_id)
        if task is not None:
            task.cancel()

    async def _deliver(self, target: pb.WebhookTarget, parts: Parts, *, takeover: bool) -> None:
        """Until the endpoint is another's, gone, or given back."""
        endpoint_id, delay = target.endpoint.id, _SHORTEST_PAUSE
        while not self._draining:
            session = Session(target, self.name, parts, self._budget, self._settings.endpoint_connections)
            self._sessions[endpoint_id] = session
            self._metrics.endpoints.inc()
            try:
                await session.run(takeover=takeover)
            except GoneError:
                return
            except NoSecretsError:
                self._log.error("webhook_secrets_unreadable", endpoint_id=endpoint_id)
                delay = _LONGEST_PAUSE
            except Problem as problem:
                if lease_ended(problem):
                    return
                self._log.warning("webhook_session_ended", endpoint_id=endpoint_id, reason=problem.reason)
            except Exception as error:  # one endpoint must not end the others
                self._log.error("webhook_session_failed", endpoint_id=endpoint_id, error=type(error).__name__)
            else:
                return
            finally:
                self._metrics.endpoints.dec()
                del self._sessions[endpoint_id]
            started_well = session.established and delay < _LONGEST_PAUSE
            delay = _SHORTEST_PAUSE if started_well else min(delay * 2, _LONGEST_PAUSE)
            takeover = False
            await pause(self._clock, delay * random.uniform(0.5, 1.0))  # noqa: S311 (spreads those who come back)
