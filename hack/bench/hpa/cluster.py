"""The real HPAs: one for each case, all at once, on ReplicaSets whose pods no scheduler takes, so that sizes cost no node anything."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from hack.bench.hpa import foreign
from hack.bench.hpa.cases import Case
from hack.kubeapi import ApiError, KubeApi
from kindler.core import autoscaler as written
from kindler.core.provision import MetricsApi
from kindler.core.tracking import Rules

Json = dict[str, Any]

NAMESPACE = "campaign-hpa"
SYNC = 2.0  # seconds between the looks of this project's clusters' HPAs (hack/kindconfig.py)
DWELL = 8.0  # seconds that a step lasts: four looks
IMAGE = "nobody/pulls-this"


class Script:
    """What the metrics say now. Read by the server's threads, set by ours."""

    def __init__(self, api: KubeApi, cases: Sequence[Case]) -> None:
        self.cases = {case.key: case for case in cases}
        self.sizes = {case.key: case.start for case in cases}  # as the watch has told
        self._loads: dict[str, tuple[float | None, ...]] = {case.key: case.steps[0].loads for case in cases}
        self._api = api

    def set(self, case: Case, step: int) -> None:
        self._loads[case.key] = case.steps[step].loads

    def answer(self, name: str, metric: str) -> int | None:
        load = self._loads[name][int(metric.rpartition("-")[2])]
        if load is None:
            return None
        case = self.cases[name]
        units = max(self.sizes[name], 1) * case.per if case.customized else 1
        return round(1000 * load * units)

    def follow(self) -> None:
        """Keeps `sizes` as the cluster has them, for as long as the namespace stands."""
        try:
            for kind, found in self._api.watch("replicasets", NAMESPACE, timeout=3600):
                if kind != "DELETED" and found["metadata"]["name"] in self.sizes:
                    self.sizes[found["metadata"]["name"]] = found["spec"]["replicas"]
        except (ApiError, OSError):
            return  # the campaign has ended


def replica_set(case: Case) -> Json:
    labels = {"case": case.key}
    pod = {
        "schedulerName": "nobody",
        "containers": [{"name": "none", "image": IMAGE}],
        "automountServiceAccountToken": False,
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {
        "metadata": {"name": case.key},
        "spec": {"replicas": case.start, "selector": {"matchLabels": labels}, "template": template},
    }


def autoscaler(case: Case) -> Json:
    """As the product writes it, but for the metrics."""
    low, high = next(case.bounds())
    rules = Rules(low, high, case.window, case.scale_in, case.scale_out)
    spec = written.spec(case.key, case.key, (), rules, MetricsApi.CUSTOM)
    metrics = []
    for number, value in enumerate(case.targets):
        average = {"type": "AverageValue", "averageValue": written.quantity(float(value * case.per))}
        metrics.append(
            {
                "type": "Object",
                "object": {
                    "describedObject": spec["scaleTargetRef"],
                    "metric": {"name": f"load-{number}"},
                    "target": average,
                },
            }
        )
    if case.tolerance:
        spec["behavior"]["scaleUp"]["tolerance"] = case.tolerance
    return {"metadata": {"name": case.key}, "spec": spec | {"metrics": metrics}}


def run(api: KubeApi, cases: Sequence[Case]) -> dict[str, list[int]]:
    """What the real HPA made of each series: its ReplicaSet's size at the end of each step, by the case's key."""
    script = Script(api, cases)
    sizes: dict[str, list[int]] = {case.key: [] for case in cases}
    api.call("POST", api.path("namespaces"), {"metadata": {"name": NAMESPACE}})
    try:
        with foreign.served(api, NAMESPACE, script.answer):
            for case in cases:
                api.call("POST", api.path("replicasets", NAMESPACE), replica_set(case))
            follower = threading.Thread(target=script.follow, daemon=True)
            follower.start()
            api.until_all("replicasets", NAMESPACE, _made, timeout=120)
            for case in cases:
                api.call("POST", api.path("horizontalpodautoscalers", NAMESPACE), autoscaler(case))
            for step in range(max(len(case.steps) for case in cases)):
                _step(api, script, cases, step)
                for case in cases:
                    if step < len(case.steps):
                        sizes[case.key].append(script.sizes[case.key])
    finally:
        api.call("DELETE", api.path("namespaces", None, NAMESPACE))
        api.until("namespaces", None, NAMESPACE, lambda found: found is None, 300)
    return sizes


def _made(sets: list[Json]) -> bool:
    """Every pod object stands: an HPA counts those."""
    return all(found.get("status", {}).get("replicas", 0) == found["spec"]["replicas"] for found in sets)


def _step(api: KubeApi, script: Script, cases: Sequence[Case], step: int) -> None:
    """Loads and bounds of one step, then time for the HPAs: here the passing of time is what is tried."""
    begin = time.monotonic()
    for case in cases:
        if step >= len(case.steps):
            continue
        script.set(case, step)
        bounds = list(case.bounds())
        if step and bounds[step] != bounds[step - 1]:
            change = {"spec": {"minReplicas": bounds[step][0], "maxReplicas": bounds[step][1]}}
            api.call("PATCH", api.path("horizontalpodautoscalers", NAMESPACE, case.key), change)
    print(f"  step {step + 1}: {DWELL:.0f} s", flush=True)
    time.sleep(max(0.0, begin + DWELL - time.monotonic()))
