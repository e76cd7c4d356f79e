"""Counts and times for Prometheus: requests by route and status, and how long they took."""

from __future__ import annotations

import os
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest, multiprocess

from datamint_like.server.journal import Seen

#: Set for several processes: the folder in which they keep their counts.
SHARED = "PROMETHEUS_MULTIPROC_DIR"
_BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


@dataclass(frozen=True)
class Metrics:
    """The counters of one server."""

    registry: CollectorRegistry
    requests: Counter
    seconds: Histogram

    def count(self, seen: Seen) -> None:
        """Count one request."""
        self.requests.labels(seen.method, seen.route, str(seen.status)).inc()
        self.seconds.labels(seen.method, seen.route).observe(seen.took_s)

    def text(self) -> tuple[bytes, str]:
        """All counts in Prometheus's format, and its content type."""
        registry = self.registry
        if os.environ.get(SHARED):
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST


def new_metrics() -> Metrics:
    """Counters that start at 0.

    Example:
        >>> metrics = new_metrics()
        >>> metrics.count(Seen("GET", "/projects", 200, 0.01))
        >>> b'route="/projects",status="200"} 1.0' in metrics.text()[0]
        True
    """
    registry = CollectorRegistry()
    labels = ("method", "route", "status")
    return Metrics(
        registry,
        Counter("datamint_like_requests", "Requests answered.", labels, registry=registry),
        Histogram(
            "datamint_like_request_seconds",
            "From a request's arrival to the start of its answer (s).",
            labels[:2],
            buckets=_BUCKETS_S,
            registry=registry,
        ),
    )
