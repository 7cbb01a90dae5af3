"""What the gateway counts: requests and their time, by method, route and status."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class GatewayMetrics:
    """One per application. Labels are bounded: routes are templates, rare methods are `other`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route", "status")
        self._requests = Counter("directorysync_http_requests_total", "HTTP requests", labels, registry=registry)
        self._seconds = Histogram(
            "directorysync_http_seconds", "Time of an HTTP request", labels, buckets=_BUCKETS, registry=registry
        )
        # A label look-up costs more than the counting, so each is made once.
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request was answered."""
        key = (method, route, status)
        pair = self._known.get(key)
        if pair is None:
            pair = self._labelled(method if method in _METHODS else "other", route, str(status))
            if method in _METHODS:
                self._known[key] = pair
        counter, histogram = pair
        counter.inc()
        histogram.observe(seconds)

    def _labelled(self, method: str, route: str, status: str) -> tuple[Counter, Histogram]:
        return self._requests.labels(method, route, status), self._seconds.labels(method, route, status)
