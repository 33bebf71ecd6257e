"""What the controller keeps of what Endpoints own: all that is compared and read, and of ten thousand no more."""

from __future__ import annotations

import copy
import json
import tracemalloc
from typing import Any

from kindler.clients.cluster import AUTOSCALERS
from kindler.controller.children import KEEP
from kindler.core.autoscaling import hpa
from kindler.core.autoscaling.decision import MetricsApi
from kindler.core.autoscaling.hpa import average_value
from kindler.core.autoscaling.tracking import Rules
from kindler.core.endpoint import manifests
from kindler.core.endpoint.plan import covers
from tests.unit.autoscaling import policy, target
from tests.unit.builders import observed, stored

KEPT = KEEP[AUTOSCALERS]
POLICIES = target(1, 8, policy()).scaling_policies or ()
SPEC = hpa.spec("iris", "iris-warm", [(each, 0.7) for each in POLICIES], Rules(1, 8), MetricsApi.EXTERNAL)
WANTED = manifests.hpa(observed(), SPEC)


def found(**status: Any) -> dict[str, Any]:
    """As the API server tells of it."""
    condition = {
        "lastTransitionTime": "2027-01-15T08:00:00Z",
        "reason": "ReadyForNewScale",
        "message": "recommended size matches current size",
    }
    conditions = [
        {"type": kind, "status": "True"} | condition
        for kind in ("AbleToScale", "ScalingActive", "ScaledToZero", "ScalingLimited")
    ]
    current = [
        {
            "type": "External",
            "external": {"metric": SPEC["metrics"][0]["external"]["metric"], "current": {"averageValue": "2"}},
        }
    ]
    raw = copy.deepcopy(stored(WANTED, "uid-hpa"))
    raw["metadata"] |= {
        "resourceVersion": "7",
        "managedFields": [{"manager": "kindler"}],
        "creationTimestamp": "2027-01-15T08:00:00Z",
    }
    return raw | {
        "status": {"observedGeneration": 1, "currentReplicas": 1, "conditions": conditions, "currentMetrics": current}
        | status
    }


def test_an_hpa_as_it_is_kept_stands_as_it_is_wanted() -> None:
    kept = KEPT(found())
    assert covers(kept, WANTED)
    assert (kept["metadata"]["uid"], kept["metadata"]["resourceVersion"]) == ("uid-hpa", "7")
    edited = found()
    edited["spec"]["behavior"]["scaleDown"]["selectPolicy"] = "Disabled"
    assert not covers(KEPT(edited), WANTED)


def test_what_is_read_of_an_hpa_is_kept() -> None:
    kept = KEPT(found())
    for kind in hpa.CONDITIONS:
        assert hpa.condition(kept, kind) == hpa.condition(found(), kind)
    assert [average_value(metric) for metric in kept["status"]["currentMetrics"]] == [2.0]
    assert KEPT({"metadata": {"name": "a", "namespace": "b", "uid": "c"}})["status"] == {
        "conditions": [],
        "currentMetrics": [],
    }
    assert KEPT(found(currentMetrics=[{"type": ""}]))["status"]["currentMetrics"] == [{}], "one that was not read yet"


def test_many_hpas_cost_less_than_half_of_what_they_say() -> None:
    texts = [json.dumps(found()).replace("iris", f"iris-{number}") for number in range(200)]
    tracemalloc.start()
    try:
        whole = [json.loads(text) for text in texts]
        said = tracemalloc.get_traced_memory()[0]
        kept = [KEPT(value) for value in whole]
        del whole
        assert len(kept) == 200 and tracemalloc.get_traced_memory()[0] < said / 2
    finally:
        tracemalloc.stop()
