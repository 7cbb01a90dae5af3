"""What the dispatcher counts."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30)
_AGES: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 86_400)


class WebhookMetrics:
    """One per process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter(
            "directorysync_webhook_attempts_total", "Attempts to deliver an event", ["result"], registry=registry
        )
        self._seconds = Histogram(
            "directorysync_webhook_seconds", "Time of an attempt", buckets=_SECONDS, registry=registry
        )
        self._age = Histogram(
            "directorysync_webhook_age_seconds",
            "From the commit of an event to its delivery",
            buckets=_AGES,
            registry=registry,
        )
        self.given_up = Counter(
            "directorysync_webhook_given_up_total", "Events whose schedule ended without success", registry=registry
        )
        self.disabled = Counter(
            "directorysync_webhook_disabled_total", "Endpoints that were turned off", registry=registry
        )
        self.lanes = Gauge(
            "directorysync_webhook_lanes",
            "Directories that wait for an event that fails",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.endpoints = Gauge(
            "directorysync_webhook_endpoints",
            "Endpoints that this process delivers to",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.down = Gauge(
            "directorysync_webhook_endpoints_down",
            "Those of them that do not answer",
            registry=registry,
            multiprocess_mode="livesum",
        )

    def attempted(self, result: str, seconds: float) -> None:
        """One attempt ended. `result`: `succeeded` or a word of WebhookAttempt.error."""
        self._attempts.labels(result).inc()
        self._seconds.observe(seconds)

    def delivered(self, age: float) -> None:
        """An event of the log arrived, so many seconds after its commit."""
        self._age.observe(max(0.0, age))
