"""All metrics of the controller itself. The metrics port serves them as Prometheus text."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from kindler.core.autoscaling.decision import MetricsApi


class Metrics:
    """Counters and gauges of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reconciles = Counter(
            "kindler_controller_reconciles",
            "Passes over an object, by outcome.",
            ("kind", "outcome"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "kindler_controller_reconcile_seconds",
            "How long a pass took.",
            ("kind",),
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
        self.writes = Counter(
            "kindler_controller_writes",
            "Writes to the API server, by kind of object and verb.",
            ("kind", "verb"),
            registry=self.registry,
        )
        self._leader = Gauge("kindler_controller_leader", "1 while this replica leads.", registry=self.registry)
        self._depth = Gauge("kindler_controller_queue_depth", "Keys that wait for a worker.", registry=self.registry)
        self._age = Gauge(
            "kindler_controller_queue_age_seconds", "For how long the first of them has waited.", registry=self.registry
        )
        self._restarts = Gauge(
            "kindler_controller_watch_restarts",
            "Watches that ended with an error, by kind.",
            ("kind",),
            registry=self.registry,
        )
        self._api = Gauge(
            "kindler_controller_metrics_api",
            "1 for the API by which HPAs read our metrics.",
            ("api",),
            registry=self.registry,
        )

    def read(self, leader: Callable[[], bool], depth: Callable[[], int], age: Callable[[], float]) -> None:
        """Sets the functions that a scrape calls for the gauges of this process."""
        self._leader.set_function(lambda: float(leader()))
        self._depth.set_function(lambda: float(depth()))
        self._age.set_function(age)

    def watch(self, kind: str, restarts: Callable[[], int]) -> None:
        """Sets the function that a scrape calls for the restarts of one watch."""
        self._restarts.labels(kind).set_function(lambda: float(restarts()))

    def read_api(self, api: Callable[[], MetricsApi]) -> None:
        """Sets the function that a scrape calls for the metrics API in use."""
        for each in MetricsApi:
            self._api.labels(each.value).set_function(lambda each=each: float(api() is each))  # type: ignore[misc]
