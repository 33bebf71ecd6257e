"""Other metrics servers in the cluster.

Kindler serves its metrics by one of the two metrics APIs that no other server serves, and never takes over an API of
another server. If other servers serve both APIs, the controller computes the sizes itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hack.aggregated import ForeignMetricsServer
from tests.e2e.support import pools, rows
from tests.e2e.support.gateway import Load
from tests.e2e.support.installation import NAMESPACE
from tests.e2e.support.journey import Journey
from tests.e2e.support.manifests import scaling, tracking

Json = dict[str, Any]

EXTERNAL = ("external.metrics.k8s.io", "v1beta1")
CUSTOM = ("custom.metrics.k8s.io", "v1beta2")


class Shop:
    """The only metric of a foreign server, queue_depth. The journey sets its value."""

    queue_depth = 0.0

    def response(self, parts: list[str]) -> Json | None:
        """The response of the external metrics API to namespaces/NAMESPACE/METRIC."""
        if parts[0] != "namespaces" or parts[2:] != ["queue_depth"]:
            return None
        item = {"metricName": "queue_depth", "metricLabels": {}, "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
        listed = {"kind": "ExternalMetricValueList", "apiVersion": "external.metrics.k8s.io/v1beta1", "metadata": {}}
        return listed | {"items": [item | {"value": f"{round(1000 * self.queue_depth)}m"}]}


def hpa_until(journey: Journey, name: str, ready: Callable[[Json], bool], timeout: float = 60) -> None:
    """Waits until `ready` is true for the endpoint's HPA."""
    journey.api.until(
        "horizontalpodautoscalers",
        journey.namespace,
        f"{name}-warm",
        lambda obj: obj is not None and ready(obj),
        timeout,
    )


def reads(kind: str) -> Callable[[Json], bool]:
    """A predicate: True if the HPA reads its metric from this type of source."""

    def matches(hpa: Json) -> bool:
        active = any(
            c["type"] == "ScalingActive" and c["status"] == "True" for c in hpa["status"].get("conditions", [])
        )
        return active and {metric["type"] for metric in hpa["spec"]["metrics"]} == {kind} == {
            m["type"] for m in hpa["status"].get("currentMetrics") or ()
        }

    return matches


def has_no_queue_metric(hpa: Json) -> bool:
    """True if the HPA cannot read its metric, and its message names the metric."""
    conditions = hpa["status"].get("conditions", [])
    return any(
        c["type"] == "ScalingActive" and c["status"] == "False" and "queue_depth" in c["message"] for c in conditions
    )


def active(journey: Journey, name: str, status: str, reason: str, timeout: float = 150) -> str:
    """Waits for this status and reason of ScalingActive. Returns its message."""

    def matches(obj: Json | None) -> bool:
        condition = rows.condition(obj, "ScalingActive")
        return (condition.get("status"), condition.get("reason")) == (status, reason)

    return str(
        rows.condition(journey.api.until("endpoints", journey.namespace, name, matches, timeout), "ScalingActive")[
            "message"
        ]
    )


def spec_of(journey: Journey, group: str, version: str) -> Json:
    obj = journey.api.get("apiservices", None, f"{version}.{group}")
    assert obj is not None
    spec: Json = obj["spec"]
    return spec


def test_kindler_never_takes_the_metrics_api_of_another_server(journey: Journey) -> None:
    """Another server registers first for one metrics API, then for both, and then for none.

    If it serves the external API, Kindler uses the custom API, and customized metrics come from the other server. If it
    serves both APIs, the controller computes the sizes. When both are free again, Kindler uses the external API as at
    the beginning.
    """
    shop = Shop()
    journey.create(
        "queue", limit=4, warm=1, scaling=scaling(1, 4, tracking(10, name="short-queue", metric="queue_depth"))
    )
    journey.create("busy", limit=3, warm=1, scaling=scaling(1, 3, tracking(0.7)))
    for name in ("queue", "busy"):
        journey.reaches(name, rows.IN_SERVICE)
    hpa_until(journey, "busy", reads("External"))
    # Kindler is the only external metrics server, and it does not have this metric.
    hpa_until(journey, "queue", has_no_queue_metric)

    with ForeignMetricsServer(journey.api, journey.namespace, shop.response) as foreign:
        external = foreign.register(*EXTERNAL)
        for name in ("queue", "busy"):
            hpa_until(journey, name, reads("Object"))
            active(journey, name, "True", "MetricsAvailable")
        shop.queue_depth = 20  # twice the target, independent of the pool's size
        pools.reached(journey, "queue", 4)
        shop.queue_depth = 2.5
        pools.reached(journey, "queue", 1)

        custom = foreign.register(*CUSTOM)
        journey.create("computed", limit=6, warm=1, scaling=scaling(1, 3, tracking(0.7)))
        journey.reaches("computed", rows.IN_SERVICE)
        with Load(4, lambda: journey.invoke("computed", {"sleep": 0.3})) as load:
            assert "the controller computes" in active(journey, "computed", "True", "Computed")
            pools.reached(journey, "computed", 3)
            hpa_until(
                journey, "computed", lambda hpa: (hpa["spec"]["minReplicas"], hpa["spec"]["maxReplicas"]) == (3, 3)
            )
        assert load.failed() == []
        assert (spec_of(journey, *EXTERNAL), spec_of(journey, *CUSTOM)) == (external, custom), (
            "Kindler must not take an API of another server"
        )

    hpa_until(journey, "computed", reads("External"))
    hpa_until(journey, "computed", lambda hpa: (hpa["spec"]["minReplicas"], hpa["spec"]["maxReplicas"]) == (1, 3))
    active(journey, "computed", "True", "MetricsAvailable")
    assert spec_of(journey, *EXTERNAL)["service"] == {"namespace": NAMESPACE, "name": "kindler-metrics", "port": 443}, (
        "Kindler must take the external API again when it is free"
    )
