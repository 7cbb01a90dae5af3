"""Metrics and log lines of the service. Ids and codes only: no attribute value and no credential ever gets here."""

import logging
import sys
from typing import Any

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATENCY = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


_SHARED: list[Any] = [
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure_logging(level: str = "info") -> None:
    """JSON lines on standard error: `event`, `level`, `timestamp`, then what the line is about.

    Lines of the standard library's loggers (gRPC, uvicorn, asyncio) come in the same form, from warnings up.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_SHARED, structlog.processors.JSONRenderer(serializer=_json_bytes)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=[*_SHARED, structlog.processors.format_exc_info],
        )
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)
    # It writes a traceback with the driver's text for each try while the database is away, which is said once already.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)


def _json_bytes(event: dict[str, Any], **_: Any) -> bytes:
    return msgspec.json.encode(event, enc_hook=repr)


class Telemetry:
    """One per process. `registry` is what /metrics shows."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.log: Any = structlog.get_logger("directorysync")
        self._rpcs = Counter("directorysync_rpc_total", "Calls", ["method", "code"], registry=self.registry)
        self._seconds = Histogram(
            "directorysync_rpc_seconds", "Time of a call", ["method"], buckets=_LATENCY, registry=self.registry
        )
        self._streams = Gauge(
            "directorysync_streams", "Open streams", ["method"], registry=self.registry, multiprocess_mode="livesum"
        )
        self._batch = Histogram(
            "directorysync_commit_commands",
            "Commands in one commit",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=self.registry,
        )
        self._commit_seconds = Histogram(
            "directorysync_commit_seconds", "Time of one commit", buckets=_LATENCY, registry=self.registry
        )
        self._retries = Counter("directorysync_commit_retries_total", "Commits run again", registry=self.registry)
        self.queued = Gauge(
            "directorysync_commit_queue",
            "Commands waiting for a commit",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.feed_position = Gauge(
            "directorysync_feed_position",
            "Newest position known here",
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self.events = Counter("directorysync_events_total", "Events committed here", registry=self.registry)
        # Label look-ups cost more than the counting, so each is made once.
        self._by_method: dict[tuple[str, str], Any] = {}
        self._seconds_by_method: dict[str, Any] = {}

    def rpc_done(self, path: str, code: str, seconds: float, request_id: str) -> None:
        """Count a finished call and write its access line (debug level: the gateway writes one for people)."""
        counter = self._by_method.get((path, code))
        if counter is None:
            counter = self._by_method[(path, code)] = self._rpcs.labels(path, code)
            self._seconds_by_method.setdefault(path, self._seconds.labels(path))
        counter.inc()
        self._seconds_by_method[path].observe(seconds)
        self.log.debug("rpc", method=path, code=code, ms=round(seconds * 1000, 2), request_id=request_id)

    def stream_opened(self, path: str) -> None:
        """One more open stream."""
        self._streams.labels(path).inc()

    def stream_closed(self, path: str) -> None:
        """One open stream less."""
        self._streams.labels(path).dec()

    def committed(self, commands: int, events: int, seconds: float) -> None:
        """One commit went through."""
        self._batch.observe(commands)
        self._commit_seconds.observe(seconds)
        self.events.inc(events)

    def commit_retried(self, error: BaseException) -> None:
        """A commit failed and is run again. The class and SQLSTATE only: a driver's text may quote values."""
        self._retries.inc()
        self.log.warning("commit_retried", error=type(error).__name__, sqlstate=getattr(error, "sqlstate", None))

    def storage_failed(self, path: str, error: BaseException) -> None:
        """The database could not be reached."""
        self.log.error(
            "storage_failed", method=path, error=type(error).__name__, sqlstate=getattr(error, "sqlstate", None)
        )

    def unexpected(self, path: str, request_id: str, error: BaseException) -> None:
        """A fault of ours: where it arose, without the values that went with it."""
        frames = []
        trace = error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            frames.append(f"{code.co_filename.rsplit('/', 3)[-1]}:{trace.tb_lineno} {code.co_name}")
            trace = trace.tb_next
        self.log.error(
            "unexpected_error",
            method=path,
            request_id=request_id,
            error=type(error).__name__,
            sqlstate=getattr(error, "sqlstate", None),
            constraint=getattr(error, "constraint_name", None),
            frames=frames[-12:],
        )
