"""How far subscriptions are behind, for /metrics: read from the database by each process now and then."""

import asyncio
from collections.abc import Iterable
from typing import Final

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.app.clock import Clock
from service.app.sequencer import report
from service.domain.subscription import Lag
from service.storage import subscriptions as table
from service.storage.database import Pool
from service.telemetry import Telemetry

MOST_SHOWN: Final = 100
"""Of each kind."""
READING_SECONDS: Final = 15.0
_LONGEST_SECONDS: Final = 10.0
KEPT_SECONDS: Final = 60.0
"""Without a newer reading nothing is shown: an old number would look like a present one."""
_KINDS: Final = (table.NAMED, table.WEBHOOK)
_LABELS: Final = ("kind", "id")


class SubscriptionLag(Collector):
    """`run()` must be running. Shows the last reading, and so never waits for the database.

    The library's own gauges will not do: several workers keep them in files, from which no series can be taken away.
    """

    def __init__(self, pool: Pool, clock: Clock, telemetry: Telemetry) -> None:
        self._pool = pool
        self._clock = clock
        self._telemetry = telemetry
        self._lags: list[Lag] = []
        self._totals: dict[str, table.LagTotal] = {}
        self._read_at: float | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_LONGEST_SECONDS):
                    await self.read()
            except Exception as error:
                report(self._telemetry, "subscription.lag", error)
            await asyncio.sleep(READING_SECONDS)

    async def read(self) -> None:
        """One query."""
        lags, self._totals = await table.lags(self._pool, MOST_SHOWN)
        ranked = sorted(lags, key=lambda lag: (-lag.seconds, -lag.events, lag.id))
        self._lags = [lag for kind in _KINDS for lag in [one for one in ranked if one.kind == kind][:MOST_SHOWN]]
        self._read_at = self._clock.monotonic()

    def collect(self) -> Iterable[Metric]:
        """The gauges of the last reading, if it is not too old."""
        if self._read_at is None or self._clock.monotonic() - self._read_at > KEPT_SECONDS:
            return
        events = GaugeMetricFamily(
            "directorysync_subscription_lag_events", "Events that a subscription has not acknowledged", labels=_LABELS
        )
        seconds = GaugeMetricFamily(
            "directorysync_subscription_lag_seconds", "Age of the oldest of them", labels=_LABELS
        )
        for lag in self._lags:
            events.add_metric((lag.kind, lag.id), lag.events)
            seconds.add_metric((lag.kind, lag.id), lag.seconds)
        yield from (events, seconds, *self._all())

    def _all(self) -> Iterable[Metric]:
        count = GaugeMetricFamily("directorysync_subscriptions", "Subscriptions", labels=("kind",))
        events = GaugeMetricFamily(
            "directorysync_subscriptions_lag_events", "The sum over all subscriptions", labels=("kind",)
        )
        for kind in _KINDS:
            total = self._totals.get(kind, table.LagTotal(0, 0))
            count.add_metric((kind,), total.subscriptions)
            events.add_metric((kind,), total.events)
        return count, events
