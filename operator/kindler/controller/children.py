"""What Endpoints own, as last seen: five informers with our label, found by Endpoint."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from kindler.api import names
from kindler.clients.cluster import AUTOSCALERS, CONTROLLER_REVISIONS, PODS, REPLICASETS, SERVICES, Cluster, Object, Resource
from kindler.clients.informer import Informer, without_managed_fields

KINDS: Final = (REPLICASETS, PODS, SERVICES, CONTROLLER_REVISIONS, AUTOSCALERS)
OnChild = Callable[[str, str], None]  # namespace and metadata.name of the Endpoint


class Children:
    """`on_child` is called for each change of a child, with the Endpoint that its label names."""

    def __init__(self, cluster: Cluster, namespaces: tuple[str, ...], on_child: OnChild) -> None:
        self._on_child = on_child
        self._index: defaultdict[tuple[Resource, str, str], dict[str, Object]] = defaultdict(dict)
        self.informers = {
            kind: Informer(cluster, kind, namespaces, names.LABEL_ENDPOINT, keep=_trimmed if kind is PODS else None, on_change=self._noter(kind))
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
            quiet = kind is AUTOSCALERS and old is not None and new is not None and _beside_metrics(old) == _beside_metrics(new)
            for value, there in ((old, False), (new, True)):
                if value is None:
                    continue
                meta = value["metadata"]
                place = (kind, str(meta.get("namespace", "")), str((meta.get("labels") or {}).get(names.LABEL_ENDPOINT, "")))
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


def _trimmed(pod: Object) -> Object:
    """What is read of a pod (core/pods.py): of thousands, the rest would fill the memory."""
    meta = without_managed_fields(pod)["metadata"]
    spec = pod.get("spec") or {}
    kept = ("name", "image", "startupProbe", "resources")
    containers: list[dict[str, Any]] = [{k: c[k] for k in kept if k in c} for c in spec.get("containers") or ()]
    return {"metadata": meta, "spec": {"containers": containers}, "status": pod.get("status") or {}}


def _beside_metrics(hpa: Object) -> Object:
    """An HPA writes each few seconds which metrics it saw: that alone changes nothing."""
    return hpa | {"metadata": hpa["metadata"] | {"resourceVersion": ""}, "status": (hpa.get("status") or {}) | {"currentMetrics": None}}
