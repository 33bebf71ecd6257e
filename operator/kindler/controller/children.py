"""What Endpoints own, as last seen: five informers with our label, found by Endpoint."""

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
    """`on_child` is called for each change of a child, with the Endpoint that its label names."""

    def __init__(self, cluster: Cluster, namespaces: tuple[str, ...], on_child: OnChild) -> None:
        self._on_child = on_child
        self._index: defaultdict[tuple[Resource, str, str], dict[str, Object]] = defaultdict(dict)
        self.informers = {
            kind: Informer(
                cluster, kind, namespaces, names.LABEL_ENDPOINT, transform=KEEP.get(kind), on_change=self._noter(kind)
            )
            for kind in KINDS
        }

    def of(self, kind: Resource, namespace: str, endpoint: str) -> tuple[Object, ...]:
        """All objects of the kind that carry the Endpoint's label, whoever made them."""
        return tuple(self._index.get((kind, namespace, endpoint), {}).values())

    async def run(self) -> None:
        """Follows for ever."""
        async with asyncio.TaskGroup() as group:
            for informer in self.informers.values():
                group.create_task(informer.run())

    async def synced(self) -> None:
        """Returns once everything was listed."""
        for informer in self.informers.values():
            await informer.synced.wait()

    def _noter(self, kind: Resource) -> Callable[[Object | None, Object | None], None]:
        def note(old: Object | None, new: Object | None) -> None:
            told = []
            quiet = (
                kind is AUTOSCALERS
                and old is not None
                and new is not None
                and _beside_metrics(old) == _beside_metrics(new)
            )
            for value, there in ((old, False), (new, True)):
                if value is None:
                    continue
                meta = value["metadata"]
                place = (
                    kind,
                    str(meta.get("namespace", "")),
                    str((meta.get("labels") or {}).get(names.LABEL_ENDPOINT, "")),
                )
                if there:
                    self._index[place][meta["name"]] = value
                else:
                    self._index[place].pop(meta["name"], None)
                    if not self._index[place]:
                        del self._index[place]
                told.append(place[1:])
            for endpoint in () if quiet else dict.fromkeys(told):
                self._on_child(*endpoint)

        return note


def _pod(pod: Object) -> Object:
    """What is read of a pod (core/common/pods.py): of thousands, the rest would fill the memory."""
    meta = without_managed_fields(pod)["metadata"]
    spec = pod.get("spec") or {}
    kept = ("name", "image", "startupProbe", "resources")
    containers: list[dict[str, Any]] = [{k: c[k] for k in kept if k in c} for c in spec.get("containers") or ()]
    return {"metadata": meta, "spec": {"containers": containers}, "status": pod.get("status") or {}}


def _hpa(hpa: Object) -> Object:
    """What is compared and read of an HPA (core/endpoint/plan.py, core/autoscaling/hpa.py).

    Ten thousand are alike in most of their words: these are kept once."""
    spec, told = hpa.get("spec") or {}, hpa.get("status") or {}
    kept: Object = {key: intern(hpa[key]) for key in ("apiVersion", "kind") if key in hpa} | {
        "metadata": _shared({key: hpa["metadata"][key] for key in _NAMED if key in hpa["metadata"]}),
        "spec": _shared({key: value for key, value in spec.items() if key != "behavior"}),
        "status": {
            "conditions": [_shared(each) for each in told.get("conditions") or () if each.get("type") in CONDITIONS],
            "currentMetrics": [_current(metric) for metric in told.get("currentMetrics") or ()],
        },
    }
    if "behavior" in spec:
        kept["spec"]["behavior"] = _behavior(json.dumps(spec["behavior"], sort_keys=True))
    return kept


def _current(metric: Object) -> Object:
    return {
        source: {"current": (metric[source] or {}).get("current")}
        for source in ("external", "object")
        if source in metric
    }


@lru_cache(256)
def _behavior(text: str) -> Object:
    """One of few."""
    found: Object = json.loads(text)
    return found


def _shared(value: Any) -> Any:
    if isinstance(value, dict):
        return {intern(key): _shared(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_shared(each) for each in value]
    return intern(value) if isinstance(value, str) else value


_NAMED: Final = ("namespace", "name", "uid", "resourceVersion", "labels", "ownerReferences", "deletionTimestamp")
KEEP: Final = {PODS: _pod, AUTOSCALERS: _hpa}


def _beside_metrics(hpa: Object) -> Object:
    """An HPA writes each few seconds which metrics it saw: that alone changes nothing."""
    return hpa | {"metadata": hpa["metadata"] | {"resourceVersion": ""}, "status": hpa["status"]["conditions"]}
