"""The last known children of Endpoints: five informers that select Kindler's label, and an index by Endpoint."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from sys import intern
from typing import Any, Final

from kindler.api import names
from kindler.clients.cluster import (
    AUTOSCALERS,
    CONTROLLER_REVISIONS,
    PODS,
    REPLICASETS,
    SERVICES,
    Cluster,
    Object,
    Resource,
)
from kindler.clients.informer import Informer, without_managed_fields
from kindler.core.autoscaling.hpa import CONDITIONS

KINDS: Final = (REPLICASETS, PODS, SERVICES, CONTROLLER_REVISIONS, AUTOSCALERS)
OnChild = Callable[[str, str], None]  # namespace and metadata.name of the Endpoint


class Children:
    """Calls `on_child` for each change of a child, with the Endpoint that its label names."""

    def __init__(self, cluster: Cluster, namespaces: tuple[str, ...], on_child: OnChild) -> None:
        self._on_child = on_child
        self._index: defaultdict[tuple[Resource, str, str], dict[str, Object]] = defaultdict(dict)
        self.informers = {
            kind: Informer(
                cluster,
                kind,
                namespaces,
                names.LABEL_ENDPOINT,
                transform=KEEP.get(kind),
                on_change=self._on_change(kind),
            )
            for kind in KINDS
        }

    def of(self, kind: Resource, namespace: str, endpoint: str) -> tuple[Object, ...]:
        """All objects of the kind that have the Endpoint's label, even if Kindler did not create them."""
        return tuple(self._index.get((kind, namespace, endpoint), {}).values())

    async def run(self) -> None:
        """Watches until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in self.informers.values():
                group.create_task(informer.run())

    async def synced(self) -> None:
        """Waits until all kinds were listed."""
        for informer in self.informers.values():
            await informer.synced.wait()

    def _on_change(self, kind: Resource) -> Callable[[Object | None, Object | None], None]:
        def on_change(old: Object | None, new: Object | None) -> None:
            endpoints = [*self._remove(kind, old), *self._put(kind, new)]
            if kind is AUTOSCALERS and old is not None and new is not None and _same_but_metrics(old, new):
                return
            for namespace, endpoint in dict.fromkeys(endpoints):
                self._on_child(namespace, endpoint)

        return on_change

    def _remove(self, kind: Resource, old: Object | None) -> list[tuple[str, str]]:
        """Removes an object from the index; returns its Endpoint."""
        if old is None:
            return []
        index = (kind, *_endpoint_of(old))
        self._index[index].pop(old["metadata"]["name"], None)
        if not self._index[index]:
            del self._index[index]
        return [index[1:]]

    def _put(self, kind: Resource, new: Object | None) -> list[tuple[str, str]]:
        """Adds an object to the index; returns its Endpoint."""
        if new is None:
            return []
        index = (kind, *_endpoint_of(new))
        self._index[index][new["metadata"]["name"]] = new
        return [index[1:]]


def _endpoint_of(child: Object) -> tuple[str, str]:
    """Namespace and metadata.name of the Endpoint that the label names."""
    meta = child["metadata"]
    return str(meta.get("namespace", "")), str((meta.get("labels") or {}).get(names.LABEL_ENDPOINT, ""))


def _pod(pod: Object) -> Object:
    """The fields of a pod that core/common/pods.py reads. With all fields, thousands of pods would fill the memory."""
    meta = without_managed_fields(pod)["metadata"]
    spec = pod.get("spec") or {}
    fields = ("name", "image", "startupProbe", "resources")
    containers: list[dict[str, Any]] = [{k: c[k] for k in fields if k in c} for c in spec.get("containers") or ()]
    return {"metadata": meta, "spec": {"containers": containers}, "status": pod.get("status") or {}}


def _hpa(hpa: Object) -> Object:
    """The fields of an HPA that are compared or read (core/endpoint/plan.py, core/autoscaling/hpa.py).

    Ten thousand HPAs have most of their texts in common. Therefore each text is stored only once.
    """
    spec, status = hpa.get("spec") or {}, hpa.get("status") or {}
    reduced: Object = {key: intern(hpa[key]) for key in ("apiVersion", "kind") if key in hpa} | {
        "metadata": _shared({key: hpa["metadata"][key] for key in _METADATA if key in hpa["metadata"]}),
        "spec": _shared({key: value for key, value in spec.items() if key != "behavior"}),
        "status": {
            "conditions": [_shared(each) for each in status.get("conditions") or () if each.get("type") in CONDITIONS],
            "currentMetrics": [_current(metric) for metric in status.get("currentMetrics") or ()],
        },
    }
    if "behavior" in spec:
        reduced["spec"]["behavior"] = _behavior(json.dumps(spec["behavior"], sort_keys=True))
    return reduced


def _current(metric: Object) -> Object:
    return {
        source: {"current": (metric[source] or {}).get("current")}
        for source in ("external", "object")
        if source in metric
    }


@lru_cache(256)
def _behavior(text: str) -> Object:
    """The behavior that a JSON text describes. Few different behaviors exist, so HPAs share them."""
    behavior: Object = json.loads(text)
    return behavior


def _shared(value: Any) -> Any:
    """The value with interned texts."""
    if isinstance(value, dict):
        return {intern(key): _shared(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_shared(each) for each in value]
    return intern(value) if isinstance(value, str) else value


_METADATA: Final = ("namespace", "name", "uid", "resourceVersion", "labels", "ownerReferences", "deletionTimestamp")
KEEP: Final = {PODS: _pod, AUTOSCALERS: _hpa}


def _same_but_metrics(old: Object, new: Object) -> bool:
    """Whether an HPA changed only in the metrics that it reports every few seconds. Such a change needs no pass."""
    return _without_metrics(old) == _without_metrics(new)


def _without_metrics(hpa: Object) -> Object:
    return hpa | {"metadata": hpa["metadata"] | {"resourceVersion": ""}, "status": hpa["status"]["conditions"]}
