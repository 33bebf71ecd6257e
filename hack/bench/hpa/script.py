"""A metrics server whose values the benchmark sets. It serves custom.metrics.k8s.io while the benchmark runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from hack.aggregated import ForeignMetricsServer
from hack.kubeapi import KubeApi

Json = dict[str, Any]

GROUP, VERSION = "custom.metrics.k8s.io", "v1beta2"

Value = Callable[[str, str], int | None]
"""(name of the ReplicaSet, name of the metric) → value of the metric in thousandths; None: no data."""


@contextmanager
def served(api: KubeApi, namespace: str, value: Value) -> Iterator[None]:
    """Serves the metrics inside the `with` block. Raises RuntimeError if another server has the API."""
    taken = [item["metadata"]["name"] for item in api.items("apiservices") if item["spec"].get("group") == GROUP]
    if taken:
        raise RuntimeError(f"another server has {taken[0]}, but this benchmark needs {GROUP} for itself")

    def respond(parts: list[str]) -> Json | None:
        match parts:
            case ["namespaces", where, "replicasets.apps", name, metric] if where == namespace:
                return _value_list(namespace, name, metric, value(name, metric))
        return None

    with ForeignMetricsServer(api, namespace, respond, "scripted") as server:
        server.register(GROUP, VERSION)
        yield


def _value_list(namespace: str, name: str, metric: str, value: int | None) -> Json | None:
    if value is None:
        return None
    described = {"kind": "ReplicaSet", "apiVersion": "apps/v1", "namespace": namespace, "name": name}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    item = {"describedObject": described, "metric": {"name": metric}, "timestamp": now, "value": f"{value}m"}
    return {"kind": "MetricValueList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {}, "items": [item]}
