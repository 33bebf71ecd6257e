"""The controller keeps the fields of an HPA that it compares or reads, so that many HPAs need little memory."""

from __future__ import annotations

import copy
import json
import sys
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
from tests.unit.builders import observed, with_uid

KEEP_HPA = KEEP[AUTOSCALERS]
POLICIES = target(1, 8, policy()).scaling_policies or ()
SPEC = hpa.spec("iris", "iris-warm", [(each, 0.7) for each in POLICIES], Rules(1, 8), MetricsApi.EXTERNAL)
MANIFEST = manifests.hpa(observed(), SPEC)


def found(**status: Any) -> dict[str, Any]:
    """An HPA as the API server returns it."""
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
    raw = copy.deepcopy(with_uid(MANIFEST, "uid-hpa"))
    raw["metadata"] |= {
        "resourceVersion": "7",
        "managedFields": [{"manager": "kindler"}],
        "creationTimestamp": "2027-01-15T08:00:00Z",
    }
    return raw | {
        "status": {"observedGeneration": 1, "currentReplicas": 1, "conditions": conditions, "currentMetrics": current}
        | status
    }


def test_a_reduced_hpa_still_covers_its_manifest() -> None:
    kept = KEEP_HPA(found())
    assert covers(kept, MANIFEST)
    assert (kept["metadata"]["uid"], kept["metadata"]["resourceVersion"]) == ("uid-hpa", "7")
    edited = found()
    edited["spec"]["behavior"]["scaleDown"]["selectPolicy"] = "Disabled"
    assert not covers(KEEP_HPA(edited), MANIFEST)


def test_the_fields_that_are_read_are_kept() -> None:
    kept = KEEP_HPA(found())
    for kind in hpa.CONDITIONS:
        assert hpa.condition(kept, kind) == hpa.condition(found(), kind)
    assert [average_value(metric) for metric in kept["status"]["currentMetrics"]] == [2.0]
    assert KEEP_HPA({"metadata": {"name": "a", "namespace": "b", "uid": "c"}})["status"] == {
        "conditions": [],
        "currentMetrics": [],
    }
    assert KEEP_HPA(found(currentMetrics=[{"type": ""}]))["status"]["currentMetrics"] == [{}], (
        "the HPA has not read this metric yet"
    )


def test_many_hpas_need_less_than_half_of_their_memory() -> None:
    texts = [json.dumps(found()).replace("iris", f"iris-{number}") for number in range(200)]
    whole = [json.loads(text) for text in texts]
    reduced = [KEEP_HPA(value) for value in whole]
    assert memory_of(reduced) < memory_of(whole) / 2


def memory_of(value: Any) -> int:
    """Bytes of a JSON value, each object counted once.

    tracemalloc would also count the interpreter's table of interned texts, which grows at unforeseeable times.
    """
    sizes: dict[int, int] = {}
    values = [value]
    while values:
        each = values.pop()
        if id(each) not in sizes:
            sizes[id(each)] = sys.getsizeof(each)
            values += [*each, *each.values()] if isinstance(each, dict) else each if isinstance(each, list) else []
    return sum(sizes.values())
