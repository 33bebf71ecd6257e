"""The metrics of the metrics server itself, which Prometheus reads on the admin port.

Each of these metrics is defined here or in process.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

_OUTCOMES: Final = {400: "bad_request", 403: "denied", 404: "not_found", 503: "no_data"}


class RequestMetrics:
    """Counters and gauges of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "kindler_metrics_requests",
            "Requests of the API server, by API (external, custom, discovery) and outcome.",
            ("api", "outcome"),
            registry=self.registry,
        )

    def count(self, api: str, status: int) -> None:
        """Counts a request that was answered with this HTTP status."""
        self._requests.labels(api, "ok" if status < 400 else _OUTCOMES.get(status, "error")).inc()

    def gauge(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        """Registers a number that `read` returns when Prometheus scrapes."""
        Gauge(name, help_text, registry=self.registry).set_function(read)
