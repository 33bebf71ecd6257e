"""A metrics server that says what it is told: for the time of a campaign it stands behind custom.metrics.k8s.io."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from hack.aggregated import Foreign
from hack.kubeapi import KubeApi

Json = dict[str, Any]

GROUP, VERSION = "custom.metrics.k8s.io", "v1beta2"

Answer = Callable[[str, str], int | None]
"""(name of the ReplicaSet, name of the metric) to its value in thousandths; None: there is none."""


@contextmanager
def served(api: KubeApi, namespace: str, answer: Answer) -> Iterator[None]:
    """Our server stands behind the API in here. Raises RuntimeError where somebody else holds it."""
    taken = [item["metadata"]["name"] for item in api.items("apiservices") if item["spec"].get("group") == GROUP]
    if taken:
        raise RuntimeError(f"{taken[0]} is somebody's: this campaign needs {GROUP} for itself")

    def read(parts: list[str]) -> Json | None:
        match parts:
            case ["namespaces", where, "replicasets.apps", name, metric] if where == namespace:
                return _listed(namespace, name, metric, answer(name, metric))
        return None

    with Foreign(api, namespace, read, "scripted") as foreign:
        foreign.take(GROUP, VERSION)
        yield


def _listed(namespace: str, name: str, metric: str, value: int | None) -> Json | None:
    if value is None:
        return None
    described = {"kind": "ReplicaSet", "apiVersion": "apps/v1", "namespace": namespace, "name": name}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    item = {"describedObject": described, "metric": {"name": metric}, "timestamp": now, "value": f"{value}m"}
    return {"kind": "MetricValueList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}, "items": [item]}
