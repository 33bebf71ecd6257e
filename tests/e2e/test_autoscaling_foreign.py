"""Other metrics servers in the cluster: the API that is free is used, what is somebody else's is never taken, and without either the controller computes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

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
    """A foreign server's one metric, queue_depth, as the journey sets it."""

    queue_depth = 0.0

    def answer(self, parts: list[str]) -> Json | None:
        """External metrics API: namespaces/NAMESPACE/METRIC."""
        if parts[0] != "namespaces" or parts[2:] != ["queue_depth"]:
            return None
        item = {"metricName": "queue_depth", "metricLabels": {}, "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
        listed = {"kind": "ExternalMetricValueList", "apiVersion": "external.metrics.k8s.io/v1beta1", "metadata": {}}
        return listed | {"items": [item | {"value": f"{round(1000 * self.queue_depth)}m"}]}


def hpa_until(journey: Journey, name: str, ready: Callable[[Json], bool], timeout: float = 60) -> None:
    """Waits for what an endpoint's HPA says."""
    journey.api.until(
        "horizontalpodautoscalers",
        journey.namespace,
        f"{name}-warm",
        lambda found: found is not None and ready(found),
        timeout,
    )


def reads(kind: str) -> Callable[[Json], bool]:
    """Whether the HPA reads its metric by this kind of source."""

    def judge(hpa: Json) -> bool:
        active = any(
            c["type"] == "ScalingActive" and c["status"] == "True" for c in hpa["status"].get("conditions", [])
        )
        return active and {metric["type"] for metric in hpa["spec"]["metrics"]} == {kind} == {
            m["type"] for m in hpa["status"].get("currentMetrics") or ()
        }

    return judge


def misses_the_queue(hpa: Json) -> bool:
    """Whether the HPA cannot read its metric, and says of which that is so."""
    conditions = hpa["status"].get("conditions", [])
    return any(
        c["type"] == "ScalingActive" and c["status"] == "False" and "queue_depth" in c["message"] for c in conditions
    )


def active(journey: Journey, name: str, status: str, reason: str, timeout: float = 150) -> str:
    """Waits for the condition; its message."""

    def says(found: Json | None) -> bool:
        condition = rows.condition(found, "ScalingActive")
        return (condition.get("status"), condition.get("reason")) == (status, reason)

    return str(
        rows.condition(journey.api.until("endpoints", journey.namespace, name, says, timeout), "ScalingActive")[
            "message"
        ]
    )


def spec_of(journey: Journey, group: str, version: str) -> Json:
    found = journey.api.get("apiservices", None, f"{version}.{group}")
    assert found is not None
    spec: Json = found["spec"]
    return spec


@pytest.mark.timeout(400)  # minutes of average
def test_metrics_apis_of_others_are_left_alone(journey: Journey) -> None:
    """External taken: custom is used, and customized metrics come from the foreign server. Both taken: the controller computes. Both free: as at first."""
    shop = Shop()
    journey.create(
        "queue", limit=4, warm=1, scaling=scaling(1, 4, tracking(10, name="short-queue", metric="queue_depth"))
    )
    journey.create("busy", limit=3, warm=1, scaling=scaling(1, 3, tracking(0.7)))
    for name in ("queue", "busy"):
        journey.reaches(name, rows.IN_SERVICE)
    hpa_until(journey, "busy", reads("External"))
    hpa_until(journey, "queue", misses_the_queue)  # ours is the only external metrics server, and has no such metric

    with ForeignMetricsServer(journey.api, journey.namespace, shop.answer) as foreign:
        external = foreign.register(*EXTERNAL)
        for name in ("queue", "busy"):
            hpa_until(journey, name, reads("Object"))
            active(journey, name, "True", "MetricsAvailable")
        shop.queue_depth = 20  # twice the target, however large the pool is
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
        assert (spec_of(journey, *EXTERNAL), spec_of(journey, *CUSTOM)) == (external, custom), "neither was taken back"

    hpa_until(journey, "computed", reads("External"))
    hpa_until(journey, "computed", lambda hpa: (hpa["spec"]["minReplicas"], hpa["spec"]["maxReplicas"]) == (1, 3))
    active(journey, "computed", "True", "MetricsAvailable")
    assert spec_of(journey, *EXTERNAL)["service"] == {"namespace": NAMESPACE, "name": "kindler-metrics", "port": 443}, (
        "free again: ours"
    )
