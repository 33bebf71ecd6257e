"""The real HPAs: one for each case, all at the same time.

The HPAs scale ReplicaSets whose pods no scheduler places, so the pods use no resources of the nodes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from hack.bench.hpa import script
from hack.bench.hpa.cases import Case
from hack.kubeapi import ApiError, KubeApi
from kindler.core.autoscaling import hpa as hpa
from kindler.core.autoscaling.decision import MetricsApi
from kindler.core.autoscaling.tracking import Rules

Json = dict[str, Any]

NAMESPACE = "campaign-hpa"
SYNC = 2.0  # the HPAs' sync period on clusters of this project, in seconds (hack/kindconfig.py)
DWELL = 8.0  # how long a step lasts, in seconds: four syncs
IMAGE = "nobody/pulls-this"


class Loads:
    """The current values of the metrics. The threads of the metrics server read them; the main thread sets them."""

    def __init__(self, api: KubeApi, cases: Sequence[Case]) -> None:
        self.cases = {case.key: case for case in cases}
        self.sizes = {case.key: case.start for case in cases}  # the ReplicaSets' sizes, which `follow` updates
        self._loads: dict[str, tuple[float | None, ...]] = {case.key: case.steps[0].loads for case in cases}
        self._api = api

    def set(self, case: Case, step: int) -> None:
        self._loads[case.key] = case.steps[step].loads

    def value(self, name: str, metric: str) -> int | None:
        """The value of the metric `load-NUMBER` of a ReplicaSet, in thousandths; None: no data."""
        load = self._loads[name][int(metric.rpartition("-")[2])]
        if load is None:
            return None
        case = self.cases[name]
        units = max(self.sizes[name], 1) * case.per if case.customized else 1
        return round(1000 * load * units)

    def follow(self) -> None:
        """Keeps `sizes` equal to the sizes in the cluster, until the namespace is deleted."""
        try:
            for kind, found in self._api.watch("replicasets", NAMESPACE, timeout=3600):
                if kind != "DELETED" and found["metadata"]["name"] in self.sizes:
                    self.sizes[found["metadata"]["name"]] = found["spec"]["replicas"]
        except (ApiError, OSError):
            return  # the benchmark has ended


def replica_set(case: Case) -> Json:
    labels = {"case": case.key}
    pod = {
        "schedulerName": "nobody",
        "containers": [{"name": "none", "image": IMAGE}],
        "automountServiceAccountToken": False,
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": case.start, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": case.key}, "spec": spec}


def autoscaler(case: Case) -> Json:
    """The HPA as Kindler writes it, except for the metrics."""
    low, high = next(case.bounds())
    rules = Rules(low, high, case.window, case.scale_in, case.scale_out)
    spec = hpa.spec(case.key, case.key, (), rules, MetricsApi.CUSTOM)
    metrics = []
    for number, value in enumerate(case.targets):
        average = {"type": "AverageValue", "averageValue": hpa.quantity(float(value * case.per))}
        source = {"describedObject": spec["scaleTargetRef"], "metric": {"name": f"load-{number}"}, "target": average}
        metrics.append({"type": "Object", "object": source})
    if case.tolerance:
        spec["behavior"]["scaleUp"]["tolerance"] = case.tolerance
    return {"metadata": {"name": case.key}, "spec": spec | {"metrics": metrics}}


def run(api: KubeApi, cases: Sequence[Case]) -> dict[str, list[int]]:
    """The size of each case's ReplicaSet at the end of each step, by the case's key."""
    loads = Loads(api, cases)
    api.call("POST", api.path("namespaces"), {"metadata": {"name": NAMESPACE}})
    try:
        with script.served(api, NAMESPACE, loads.value):
            return _run_steps(api, loads, cases)
    finally:
        api.call("DELETE", api.path("namespaces", None, NAMESPACE))
        api.until("namespaces", None, NAMESPACE, lambda found: found is None, 300)


def _run_steps(api: KubeApi, loads: Loads, cases: Sequence[Case]) -> dict[str, list[int]]:
    for case in cases:
        api.call("POST", api.path("replicasets", NAMESPACE), replica_set(case))
    threading.Thread(target=loads.follow, daemon=True).start()
    api.until_all("replicasets", NAMESPACE, _have_pods, timeout=120)
    for case in cases:
        api.call("POST", api.path("horizontalpodautoscalers", NAMESPACE), autoscaler(case))
    sizes: dict[str, list[int]] = {case.key: [] for case in cases}
    for step in range(max(len(case.steps) for case in cases)):
        active = [case for case in cases if step < len(case.steps)]
        _run_step(api, loads, active, step)
        for case in active:
            sizes[case.key].append(loads.sizes[case.key])
    return sizes


def _have_pods(sets: list[Json]) -> bool:
    """Whether all pod objects exist, because an HPA counts pod objects."""
    return all(found.get("status", {}).get("replicas", 0) == found["spec"]["replicas"] for found in sets)


def _run_step(api: KubeApi, loads: Loads, cases: Sequence[Case], step: int) -> None:
    """Sets the loads and bounds of one step, then waits DWELL seconds, in which the HPAs scale."""
    begin = time.monotonic()
    for case in cases:
        loads.set(case, step)
        bounds = list(case.bounds())
        if step and bounds[step] != bounds[step - 1]:
            change = {"spec": {"minReplicas": bounds[step][0], "maxReplicas": bounds[step][1]}}
            api.call("PATCH", api.path("horizontalpodautoscalers", NAMESPACE, case.key), change)
    print(f"  step {step + 1}: {DWELL:.0f} s", flush=True)
    time.sleep(max(0.0, begin + DWELL - time.monotonic()))
